"""The race of a request against the end of an idle connection: for how long it is idle is found out first."""

from __future__ import annotations

import pytest

from serverlab.faults import FAULTS, racing
from serverlab.faults.fault import NotEffective
from tests.fake_app import FakeApp, serving
from tests.fake_processes import FakeServer
from tests.fake_scene import FakeStack

RACE = FAULTS["F-60c"]
TARGET = "gunicorn:gthread+nginx"


@pytest.fixture
def stack():
    app = FakeApp()
    with serving(app):
        stack = FakeStack(app)
        stack.edge = FakeServer(stack.client.add("edge", ports={8080: app.port, 8443: app.port}))
        yield stack


@pytest.mark.parametrize(("said", "why"), [("kept", "for more than 6 s"), ("0.0", "keeps no connections")])
def test_a_server_whose_connections_cannot_become_too_old_has_no_race(stack, said, why):
    stack.edge.says[racing.IDLE] = lambda _: said
    with pytest.raises(NotEffective, match=why):
        racing._kept_s(stack.scene(RACE, TARGET))


def test_how_long_idle_connections_are_kept_is_asked_of_the_server(stack):
    stack.edge.says[racing.IDLE] = lambda _: "2.01"
    assert racing._kept_s(stack.scene(RACE, TARGET)) == 2.01


def test_the_server_is_told_to_keep_them_for_less_long_than_the_edge():
    assert RACE.stack()["app"] == {"LAB_KEEPALIVE": "2"}
