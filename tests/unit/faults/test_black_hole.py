"""What ends a request on a way that swallows everything is told apart: a time-out, or something else."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest

from serverlab.analysis.bounds import bounded
from serverlab.faults import FAULTS, silence, toxics
from serverlab.faults.callers import SoFar
from serverlab.faults.fault import NotEffective
from serverlab.model.faults import Judgement, Verdict
from tests.fake_app import FakeApp
from tests.fake_scene import FakeStack

TARGET = "gunicorn:gthread+nginx"


class SilentProxy:
    """A way on which toxics touch something whenever they are asked."""

    name, touched = "app", 0

    def traffic(self):
        self.touched += 1
        return SimpleNamespace(touched=self.touched, open=3)

    @contextmanager
    def harmed(self, _toxics):
        yield


class Asked:
    """The requests; what has come of each in its turn when the fault is over is in ``found``."""

    def __init__(self, *found):
        self.found, self.done, self.made, self.all_sent = found, [], 0, threading.Event()

    def __call__(self, _url, path, *, timeout_s):
        number, self.made = self.made, self.made + 1
        self.asks = f"asks for {path} for {timeout_s:g} s"
        return SimpleNamespace(
            start=lambda: self._sent(number),
            so_far=lambda: self.found[number],
            let_go=lambda: self.done.append(f"{number} gone"),
        )

    def _sent(self, number):
        self.done.append(f"{number} sent")
        if number == len(self.found) - 1:
            self.all_sent.set()


@pytest.fixture
def stack():
    stack = FakeStack(FakeApp(port=8000))
    stack.client.add("edge", ports={8080: 8080})
    return stack


POOL_WAIT = SoFar(503, 2.1, True, from_app=True)
"""What comes of the request that is sent at once, while threads are free: the app waits for its pool."""


def tried(stack, name, found, monkeypatch, *, first=POOL_WAIT):
    fault = FAULTS[name]
    if fault.later_s:
        fault = replace(fault, later_s=0.01)
    asked = Asked(first, found) if fault.later_s else Asked(found)
    monkeypatch.setattr(toxics, "proxy_of", lambda *_: SilentProxy())
    monkeypatch.setattr(silence, "Caller", asked)
    with fault.inject(stack.scene(fault, TARGET, hold_s=40.0)):
        assert asked.all_sent.wait(5)
    return asked


FIRST = "sent at once, /lab/ledger/: answered by the app itself with 503 after 2.1 s"


def of_first(name):
    """What is told and measured of the request that is not judged."""
    if FAULTS[name].later_s:
        return [FIRST], {"first_after_s": 2.1, "first_status": 503}
    return [], {}


@pytest.mark.parametrize(
    ("name", "found", "note"),
    [
        ("F-22", SoFar(503, 6.4, True, from_app=True), "answered by the app itself with 503 after 6.4 s"),
        ("F-22", SoFar(503, 30.2, True), "/lab/ledger/: answered with 503 after 30.2 s"),
        ("F-22", SoFar(500, 30.2, True), "/lab/ledger/: answered with 500 after 30.2 s"),
        ("F-22", SoFar(504, 20.1, True), "/lab/ledger/: answered with 504 after 20.1 s"),
        ("F-22", SoFar(None, 30.2, True), "/lab/ledger/: cut off after 30.2 s"),
        ("F-22", SoFar(None, 41.0, False), "/lab/ledger/: not answered after 41.0 s"),
        ("F-60b", SoFar(504, 35.0, True), "/healthz: answered with 504 after 35.0 s"),
        ("F-60b", SoFar(None, 40.1, False), "/healthz: not answered after 40.1 s"),
    ],
)
def test_what_bounds_a_request_is_a_time_out_or_the_app_or_nothing(stack, monkeypatch, name, found, note):
    asked = tried(stack, name, found, monkeypatch)
    notes, measured = of_first(name)
    assert stack.measured == {
        **measured,
        "bounded_after_s": found.after_s,
        "bounded_status": found.status or 0,
        "bounded_by_app": int(found.from_app),
        "proxy_connections": 3,
    }
    assert stack.notes[:-1] == notes
    assert stack.notes[-1].endswith(note)
    assert asked.asks == f"asks for {FAULTS[name].path} for 70 s"


def test_the_later_request_is_judged_and_the_first_one_only_told(stack, monkeypatch):
    asked = tried(stack, "F-22", SoFar(None, 41.0, False), monkeypatch)
    assert asked.done == ["0 sent", "1 sent", "0 gone", "1 gone"]
    judged = bounded(Judgement(verdict=Verdict.PASS, reason=""), stack.measured, FAULTS["F-22"].rule)
    assert judged.verdict is Verdict.FAIL


def test_the_edge_is_asked_once(stack, monkeypatch):
    asked = tried(stack, "F-60b", SoFar(504, 35.0, True), monkeypatch)
    assert asked.done == ["0 sent", "0 gone", "1 gone"]


def test_it_is_held_for_longer_than_the_later_request_may_take():
    fault = FAULTS["F-22"]
    assert fault.hold_s > fault.later_s + fault.rule.measured_at_most["bounded_after_s"]


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        ("F-22", SoFar(None, 0.4, True), "/lab/ledger/: cut off after 0.4 s"),
        ("F-22", SoFar(404, 0.1, True), "/lab/ledger/: answered with 404 after 0.1 s"),
        ("F-22", SoFar(404, 30.0, True), "/lab/ledger/: answered with 404 after 30.0 s"),
        ("F-22", SoFar(500, 0.1, True), "/lab/ledger/: answered with 500 after 0.1 s"),
        ("F-22", SoFar(503, 2.1, True), "/lab/ledger/: answered with 503 after 2.1 s"),
        ("F-60b", SoFar(None, 30.0, True), "/healthz: cut off after 30.0 s"),
        ("F-60b", SoFar(502, 2.0, True), "/healthz: answered with 502 after 2.0 s"),
    ],
)
def test_what_ends_it_otherwise_bounds_nothing_and_does_not_pass(stack, monkeypatch, name, found, said):
    tried(stack, name, found, monkeypatch)
    notes, measured = of_first(name)
    assert stack.measured == {
        **measured,
        "ended_after_s": found.after_s,
        "ended_status": found.status or 0,
        "proxy_connections": 3,
    }
    assert stack.notes == [*notes, f"{said}, which is no time-out's doing"]
    judged = bounded(Judgement(verdict=Verdict.PASS, reason=""), stack.measured, FAULTS[name].rule)
    assert (judged.verdict, judged.reason) == (Verdict.UNKNOWN, "not measured: bounded_after_s")


@pytest.mark.parametrize("which", ["first", "found"])
def test_an_answer_as_if_all_were_well_makes_it_void(stack, monkeypatch, which):
    came = {"found": SoFar(None, 41.0, False), which: SoFar(200, 0.1, True)}
    with pytest.raises(NotEffective, match=r"answered with 200 after 0\.1 s, so that something arrives"):
        tried(stack, "F-22", came.pop("found"), monkeypatch, **came)


def test_whatever_ends_the_block_the_requests_are_let_go_of_and_none_is_sent(stack, monkeypatch):
    asked = Asked(POOL_WAIT, POOL_WAIT)
    monkeypatch.setattr(toxics, "proxy_of", lambda *_: SilentProxy())
    monkeypatch.setattr(silence, "Caller", asked)
    fault = FAULTS["F-22"]
    with pytest.raises(KeyboardInterrupt), fault.inject(stack.scene(fault, TARGET, hold_s=40.0)):
        raise KeyboardInterrupt
    assert asked.done == ["0 sent", "0 gone", "1 gone"]
    assert stack.measured == {}
