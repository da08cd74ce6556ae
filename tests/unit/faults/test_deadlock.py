"""Requests wait for a lock that nobody releases: how many threads that costs is counted, wave by wave."""

from __future__ import annotations

import itertools
import socket
from dataclasses import replace

import pytest

from serverlab.faults import FAULTS, deadlock, direct
from serverlab.faults.fault import NotEffective
from serverlab.model.faults import Happening
from tests.fake_app import FakeApp
from tests.fake_scene import FakeStack

FAULT = FAULTS["F-07"]


@pytest.fixture
def stack(monkeypatch):
    monkeypatch.setattr(deadlock, "TAKEN_UP_S", 0.01)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as deaf:
        monkeypatch.setattr(direct, "PORTS", {"app": deaf.getsockname()[1]})
        stack = FakeStack(FakeApp())
        counts = itertools.count(2, 8)
        stack.server.says[deadlock.THREADS] = lambda pids: str(next(counts)) if pids == ["7", "8"] else "0"
        yield stack


def test_threads_are_counted_after_each_wave_and_when_all_have_left(stack):
    with FAULT.inject(stack.scene(FAULT, "runserver:threaded")) as seen:
        assert seen == "24 of 24 requests wait for the lock; threads of the server: 2, 10, 18, 26"
        assert stack.marks == [Happening.ACTED]
    assert stack.marks == [Happening.ACTED, Happening.LIFTED]
    assert stack.measured == {
        "asked_for_the_lock": 24,
        "waiting_in_the_end": 24,
        "ended_by_server": 0,
        "threads_before": 2,
        "threads_after_one_wave": 10,
        "threads_after_all_waves": 26,
        "threads_when_all_have_left": 34,
    }


def test_a_wave_is_what_the_server_works_on_at_once(stack):
    with replace(FAULT, waves=1).inject(stack.scene(FAULT)) as seen:
        assert seen.startswith("16 of 16 requests wait")


def test_who_is_cut_off_by_the_server_is_told_from_who_left(stack, monkeypatch):
    are_open = itertools.chain([True] * 16, [False] * 12, [True] * 4)
    monkeypatch.setattr(deadlock, "is_open", lambda _: next(are_open))
    with replace(FAULT, waves=1).inject(stack.scene(FAULT)):
        pass
    told = {name: stack.measured[name] for name in ("waiting_in_the_end", "ended_by_server")}
    assert told == {"waiting_in_the_end": 4, "ended_by_server": 12}


def test_a_lock_that_everybody_gets_is_no_fault(stack, monkeypatch):
    monkeypatch.setattr(deadlock, "is_open", lambda _: False)
    with (
        pytest.raises(NotEffective, match="none of 48 requests waits for the lock"),
        FAULT.inject(stack.scene(FAULT)),
    ):
        pass
    assert stack.marks == [Happening.ACTED, Happening.LIFTED]


def test_a_server_that_takes_no_more_connections_is_told(stack, monkeypatch):
    monkeypatch.setattr(deadlock, "address_of", lambda _: ("127.0.0.1", 1))
    with (
        pytest.raises(NotEffective, match=r"only 0 requests for the lock could be sent: .*refused"),
        FAULT.inject(stack.scene(FAULT)),
    ):
        pass


def test_of_a_container_that_has_ended_no_threads_are_counted(stack):
    stack.server.end(137)
    assert deadlock.threads_of(stack.scene(FAULT)) == 0
