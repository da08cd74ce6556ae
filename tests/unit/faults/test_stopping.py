"""A server is stopped with work in hand, hung, or made to leak: what became of the requests is counted."""

from __future__ import annotations

import time
from dataclasses import replace

import docker.errors
import pytest

from serverlab.errors import TrialFailed
from serverlab.faults import FAULTS, direct, fault, hanging, memory, returning, stopping
from serverlab.faults.fault import NotEffective, NotUndone
from serverlab.model.faults import Happening
from tests.fake_app import serving
from tests.fake_scene import FakeStack, SlowApp


@pytest.fixture
def stack(monkeypatch):
    app = SlowApp()
    with serving(app):
        monkeypatch.setattr(direct, "PORTS", {"app": app.port})
        yield FakeStack(app)
        app.released.set()


@pytest.fixture(autouse=True)
def _nobody_waits_long(monkeypatch):
    monkeypatch.setattr(stopping, "TAKEN_UP_S", 0.1)
    monkeypatch.setattr(stopping, "TAKEN_WITHIN_S", 0.2)
    monkeypatch.setattr(stopping, "GRACE_S", 0.2)
    monkeypatch.setattr(hanging, "UNANSWERED_S", 0.1)
    monkeypatch.setattr(hanging, "PATIENCE_S", 10.0)


def tried(stack, name, target="gunicorn:gthread"):
    with FAULTS[name].inject(stack.scene(FAULTS[name], target)) as seen:
        return seen


def ends_in_peace(stack, code=0):
    def ends():
        stack.app.released.set()
        stack.server.end(code)

    stack.server.does["SIGTERM"] = ends


def test_requests_in_flight_that_are_answered_are_counted(stack):
    ends_in_peace(stack)
    seen = tried(stack, "F-09")
    assert seen.startswith("SIGTERM: ended with 0 after ")
    assert seen.endswith("4 of 4 in flight were answered")
    found = stack.measured
    assert found.pop("stopped_after_s") < 0.2
    assert found == {
        "killed": 0,
        "exit_code": 0,
        "in_flight": 4,
        "in_flight_answered": 4,
        "in_flight_lost": 0,
    }


def test_the_server_is_started_again(stack):
    ends_in_peace(stack)
    tried(stack, "F-09")
    assert (stack.server.starts, FAULTS["F-09"].left_behind(stack.scene(FAULTS["F-09"]))) == (1, None)


def test_requests_that_are_never_answered_are_lost(stack):
    stack.server.does["SIGTERM"] = lambda: stack.server.end(143)
    with FAULTS["F-09"].inject(stack.scene(FAULTS["F-09"])) as seen:
        assert seen.endswith("0 of 4 in flight were answered")
    assert (stack.measured["in_flight_lost"], stack.measured["exit_code"]) == (4, 143)


def test_a_server_that_does_not_end_is_killed_as_the_engine_would(stack):
    stack.server.does["SIGTERM"] = lambda: None
    stack.server.does["SIGKILL"] = lambda: stack.server.end(137)
    seen = tried(stack, "F-09")
    assert seen.startswith("SIGTERM: did not end and was killed after 0.2 s")
    assert (stack.measured["killed"], stack.measured["exit_code"]) == (1, 137)


def test_a_server_that_does_not_come_back_is_its_own_failure_and_no_undo_of_the_labs(stack, monkeypatch):
    def not_ready(*_arguments):
        raise TrialFailed("it was not ready")

    monkeypatch.setattr(returning, "wait_ready", not_ready)
    ends_in_peace(stack)
    tried(stack, "F-09")
    assert stack.notes == ["the fault is undone, but it was not ready"]
    assert stack.marks == [Happening.ACTED, Happening.LIFTED]


def test_a_container_that_the_engine_does_not_start_is_not_undone(stack):
    def refuses():
        raise docker.errors.APIError("no", explanation="no room")

    ends_in_peace(stack)
    stack.server.container.start = refuses
    with pytest.raises(NotUndone, match="the engine does not start serverlab-app-1 again: no room"):
        tried(stack, "F-09")
    assert stack.marks == [Happening.ACTED]


def test_what_a_hang_costs_after_its_time_is_the_stacks_own(stack):
    with FAULTS["F-04"].inject(stack.scene(FAULTS["F-04"])):
        assert stack.marks == [Happening.ACTED]
        stack.app.released.set()
    assert stack.marks == [Happening.ACTED, Happening.LIFTED]


def test_requests_that_are_answered_too_soon_make_it_void(stack):
    stack.app.released.set()
    with pytest.raises(NotEffective, match="answered or refused before the server was told to stop"):
        tried(stack, "F-09")
    assert stack.server.signals == []


def test_requests_that_lie_in_the_backlog_are_not_in_flight(stack):
    stack.server.says[direct.TAKEN] = lambda arguments: str(len(arguments) - 2)
    with pytest.raises(NotEffective, match=r"4 requests for .* are taken up: not seen"):
        tried(stack, "F-09")
    assert stack.server.signals == []


@pytest.mark.parametrize(
    ("target", "slow"), [("gunicorn:gthread", 4), ("gunicorn:sync", 1), ("runserver:threaded", 4)]
)
def test_slow_clients_take_no_place_from_the_request_in_flight(stack, target, slow):
    ends_in_peace(stack)
    tried(stack, "F-10", target)
    names = ("in_flight", "in_flight_lost", "idle", "slow")
    assert [stack.measured[name] for name in names] == [1, 0, 4, slow]


def test_idle_connections_that_the_server_has_closed_do_not_count(stack, monkeypatch):
    monkeypatch.setattr(stopping, "ASKED", stopping.ASKED.replace(b"keep-alive", b"close"))
    ends_in_peace(stack)
    tried(stack, "F-10")
    assert (stack.measured["idle"], stack.measured["slow"]) == (0, 4)


@pytest.mark.parametrize(
    ("target", "in_flight"),
    [("runserver:threaded", 4), ("runserver:nothreading", 1), ("gunicorn:sync", 1), ("uwsgi:threads", 4)],
)
def test_no_more_requests_are_in_flight_than_half_of_what_the_server_works_on(stack, target, in_flight):
    ends_in_peace(stack)
    tried(stack, "F-09", target)
    assert stack.measured["in_flight"] == in_flight


@pytest.mark.parametrize(
    ("target", "hung"), [("runserver:threaded", 32), ("gunicorn:gthread", 16), ("gunicorn:sync", 2)]
)
def test_as_many_requests_hang_as_the_server_works_on(stack, target, hung):
    with FAULTS["F-04"].inject(stack.scene(FAULTS["F-04"], target)) as seen:
        assert seen == f"{hung} requests for /lab/sleep?s=0.2 are unanswered"
        stack.app.released.set()
    assert stack.measured == {
        "hung": hung,
        "hung_answered": hung,
        "hung_refused": 0,
        "hung_cut": 0,
        "hung_unanswered": 0,
    }


def test_what_nobody_answers_in_time_is_not_what_a_server_has_cut_off(stack, monkeypatch):
    monkeypatch.setattr(hanging, "PATIENCE_S", 0.2)
    tried(stack, "F-04", "gunicorn:sync")
    assert stack.measured == {
        "hung": 2,
        "hung_answered": 0,
        "hung_refused": 0,
        "hung_cut": 0,
        "hung_unanswered": 2,
    }


def test_an_answer_that_says_no_is_a_refusal(stack):
    stack.app.says = 503
    with FAULTS["F-04"].inject(stack.scene(FAULTS["F-04"], "gunicorn:sync")):
        stack.app.released.set()
    assert (stack.measured["hung_answered"], stack.measured["hung_refused"]) == (0, 2)


def test_requests_that_do_not_hang_make_it_void(stack):
    stack.app.released.set()
    with pytest.raises(NotEffective, match="requests ended at once"):
        tried(stack, "F-04")


def test_who_interrupts_a_hang_waits_for_none_of_its_requests(stack, monkeypatch):
    monkeypatch.setattr(hanging, "PATIENCE_S", 60.0)
    began_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt), FAULTS["F-04"].inject(stack.scene(FAULTS["F-04"])):
        raise KeyboardInterrupt
    assert time.monotonic() - began_s < 3
    assert stack.measured == {}


def test_who_has_too_little_time_is_killed_when_it_is_over(stack):
    stack.server.does["SIGTERM"] = lambda: None
    stack.server.does["SIGKILL"] = lambda: stack.server.end(137)
    short = replace(FAULTS["F-10b"], grace_s=0.1)
    with short.inject(stack.scene(short)) as seen:
        assert seen.startswith("SIGTERM: did not end and was killed after 0.1 s after 0.")
    assert 0.1 <= stack.measured["stopped_after_s"] < 1
    assert (stack.measured["killed"], stack.measured["in_flight"]) == (1, 1)


@pytest.fixture
def leaking(stack):
    """A stack in which each request leaks 16 MiB, and the fifth ends a process; the paths that are asked for."""
    asked = []

    def answer(method, path, token, plain=stack.app.answer):
        asked.append(path)
        if len(asked) == 5:
            stack.server.replace(8, 9)
            return 502, {}
        stack.server.container.memory += 16 << 20
        return plain(method, path, token)

    stack.app.answer = answer
    stack.server.container.memory = 48 << 20
    stack.server.says[memory.KILLS] = lambda _: "1"
    return asked


def test_a_leak_goes_on_until_a_process_is_gone_and_counts_what_has_leaked(stack, leaking):
    with FAULTS["F-08"].inject(stack.scene(FAULTS["F-08"])) as seen:
        assert seen == "1 processes were ended"
        stack.server.container.memory = 40 << 20
    assert len(leaking) == 5
    assert stack.measured == {
        "leaked_mb": 64,
        "memory_before_mib": 48.0,
        "grown_mib_per_request": 16.0,
        "memory_after_mib": 40.0,
        "oom_kills": 1,
    }


def test_where_nobody_counts_the_kills_of_the_kernel_none_are_told(stack, leaking):
    stack.server.says[memory.KILLS] = lambda _: ""
    with FAULTS["F-08"].inject(stack.scene(FAULTS["F-08"])):
        pass
    assert "oom_kills" not in stack.measured


@pytest.mark.parametrize(("state", "kills"), [({"OOMKilled": True}, 1), ({}, 0)])
def test_of_a_container_that_has_ended_the_engine_says_whether_it_was_killed(stack, leaking, state, kills):
    with FAULTS["F-08"].inject(stack.scene(FAULTS["F-08"])):
        stack.server.end(137)
        stack.server.container.state = state
    assert (stack.measured["oom_kills"], stack.measured["memory_after_mib"]) == (kills, 0)


def test_a_stack_that_bears_the_leak_makes_it_void(stack, monkeypatch):
    monkeypatch.setattr(fault, "CONFIRM_S", 0.1)
    with pytest.raises(NotEffective, match="a process ended by 32 requests that leak 16 MiB each"):
        tried(stack, "F-08")
    assert (stack.measured["leaked_mb"], stack.measured["grown_mib_per_request"]) == (512, 0)
