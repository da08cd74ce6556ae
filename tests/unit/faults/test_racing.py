"""The race of a request against the end of an idle connection: for how long it is idle is found out first."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest

from serverlab.faults import FAULTS, racing
from serverlab.faults.fault import NotEffective
from serverlab.model.faults import Timeline
from serverlab.runner.breaking import facts_of, why_not
from tests.fake_app import FakeApp, serving
from tests.fake_processes import FakeServer
from tests.fake_scene import CATALOG, FakeStack

RACE = FAULTS["F-60c"]
TARGET = "gunicorn:gthread+nginx"
SHORT = Timeline(settle_s=1, baseline_s=3, hold_s=2, observe_s=12)


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


@pytest.fixture
def race(stack, monkeypatch):
    """What was done, with the statuses that second bursts bring, and the pieces that nobody heard after each look."""
    found = SimpleNamespace(done=[], statuses=[200, 502, 200], unheard=[5, 6])

    @contextmanager
    def harmed(_):
        found.done.append("harmed")
        yield
        found.done.append("whole")

    def bursts(_scene, over, *, after_s):
        over.wait(5)
        found.done.append(f"bursts after {after_s:g} s are over")
        return found.statuses

    def traffic():
        return SimpleNamespace(unheard=found.unheard.pop(0))

    monkeypatch.setattr(racing, "proxy_of", lambda *_: SimpleNamespace(harmed=harmed, traffic=traffic))
    monkeypatch.setattr(racing, "_kept_s", lambda _: found.done.append("kept") or 2.0)
    monkeypatch.setattr(racing, "_bursts", bursts)
    found.scene = replace(stack.scene(RACE, TARGET), mark=lambda what: found.done.append(what.value))
    return found


def test_the_race_begins_when_the_time_is_known_and_is_over_with_the_latency(stack, race):
    with RACE.inject(race.scene) as seen:
        assert seen == "the app ends idle connections after 2.00 s, the edge hears of it 300 ms later"
    race.done.remove("bursts after 2.15 s are over")
    assert race.done == ["kept", "acted", "harmed", "whole", "lifted"]
    assert stack.measured == {"bad_gateways": 1, "asked_in_bursts": 3, "sent_too_late": 1}


@pytest.mark.parametrize(
    ("statuses", "unheard", "why"),
    [
        ([], [0, 0], "no second burst in 0.2 s: connections are kept for 2 s"),
        ([], [0, 3], "no second burst in 0.2 s: connections are kept for 2 s"),
        ([200, 200], [5, 5], "no request met a connection that the app had ended"),
    ],
)
def test_a_race_that_nobody_ran_shows_nothing(race, statuses, unheard, why):
    race.statuses, race.unheard = statuses, unheard
    with pytest.raises(NotEffective, match=why), RACE.inject(race.scene):
        pass


@pytest.mark.parametrize(("statuses", "unheard"), [([200, 200], [5, 6]), ([200, 502], [5, 5])])
def test_a_request_that_came_too_late_shows_something_whatever_became_of_it(race, statuses, unheard):
    race.statuses, race.unheard = statuses, unheard
    with RACE.inject(race.scene):
        pass


def test_it_is_held_for_a_second_burst_after_the_longest_time_that_is_waited_for():
    assert facts_of(RACE, SHORT).timeline.hold_s > racing.PATIENCE_S + racing.LATENCY_MS / 1000


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("gunicorn:gthread", "there is no edge in front of it"),
        ("gunicorn:gthread+nginx", None),
        ("gunicorn:gevent+nginx", None),
        ("apache:daemon+nginx", None),
        ("gunicorn:sync+nginx", "lacks the capability idle_timeout"),
        ("gunicorn:default+nginx", "lacks the capability idle_timeout"),
        ("runserver:threaded+nginx", "lacks the capability idle_timeout"),
        ("daphne:production+nginx", "lacks the capability idle_timeout"),
        ("uwsgi:http+nginx", "lacks the capability idle_timeout"),
        ("uwsgi:uwsgi+nginx", "lacks the capability idle_timeout"),
        ("uwsgi:default+nginx", "the edge keeps no connections to it"),
    ],
)
def test_where_no_idle_connection_is_ended_there_is_no_race(target, reason):
    assert why_not(CATALOG, CATALOG.target(target), RACE, cpus=1) == reason


def test_the_server_is_told_to_keep_them_for_less_long_than_the_edge():
    assert RACE.stack()["app"] == {"LAB_KEEPALIVE": "2"}
