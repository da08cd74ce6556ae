"""The race of a request against the end of an idle connection: for how long it is idle is found out first."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

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


def test_the_race_begins_when_the_time_is_known_and_is_over_with_the_latency(stack, monkeypatch):
    done = []

    @contextmanager
    def harmed(_):
        done.append("harmed")
        yield
        done.append("whole")

    def bursts(_scene, over, *, after_s):
        over.wait(5)
        done.append(f"bursts after {after_s:g} s are over")
        return [200, 502, 200]

    monkeypatch.setattr(racing, "proxy_of", lambda *_: SimpleNamespace(harmed=harmed))
    monkeypatch.setattr(racing, "_kept_s", lambda _: done.append("kept") or 2.0)
    monkeypatch.setattr(racing, "_bursts", bursts)
    scene = replace(stack.scene(RACE, TARGET), mark=lambda what: done.append(what.value))
    with RACE.inject(scene) as seen:
        assert seen == "the app ends idle connections after 2.00 s, the edge hears of it 300 ms later"
    done.remove("bursts after 2.15 s are over")
    assert done == ["kept", "acted", "harmed", "whole", "lifted"]
    assert stack.measured == {"bad_gateways": 1, "asked_in_bursts": 3}


def test_the_server_is_told_to_keep_them_for_less_long_than_the_edge():
    assert RACE.stack()["app"] == {"LAB_KEEPALIVE": "2"}
