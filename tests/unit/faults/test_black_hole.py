"""What ends a request on a way that swallows everything is told apart: a time-out, or something else."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from serverlab.analysis.bounds import bounded
from serverlab.faults import FAULTS, database, toxics
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
    """The request, of which ``found`` has come when the fault is over."""

    def __init__(self, found):
        self.found, self.done = found, []

    def __call__(self, _url, path, *, timeout_s):
        self.done.append(f"asks for {path} for {timeout_s:g} s")
        return self

    def start(self):
        self.done.append("sent")

    def so_far(self):
        return self.found

    def let_go(self):
        self.done.append("gone")


@pytest.fixture
def stack():
    stack = FakeStack(FakeApp(port=8000))
    stack.client.add("edge", ports={8080: 8080})
    return stack


def tried(stack, name, found, monkeypatch, broken=None):
    asked = Asked(found)
    monkeypatch.setattr(toxics, "proxy_of", lambda *_: SilentProxy())
    monkeypatch.setattr(database, "Caller", asked)
    with FAULTS[name].inject(stack.scene(FAULTS[name], TARGET, hold_s=40.0)):
        if broken:
            raise broken
    return asked


@pytest.mark.parametrize(
    ("name", "found", "note"),
    [
        ("F-22", SoFar(503, 2.1, True), "/lab/ledger/: answered with 503 after 2.1 s"),
        ("F-22", SoFar(None, 30.2, True), "/lab/ledger/: cut off after 30.2 s"),
        ("F-22", SoFar(None, 40.1, False), "/lab/ledger/: not answered after 40.1 s"),
        ("F-60b", SoFar(504, 35.0, True), "/healthz: answered with 504 after 35.0 s"),
        ("F-60b", SoFar(None, 40.1, False), "/healthz: not answered after 40.1 s"),
    ],
)
def test_what_bounds_a_request_is_a_time_out_or_nothing(stack, monkeypatch, name, found, note):
    asked = tried(stack, name, found, monkeypatch)
    assert stack.measured == {
        "bounded_after_s": found.after_s,
        "bounded_status": found.status or 0,
        "proxy_connections": 3,
    }
    assert stack.notes == [note]
    assert asked.done == [f"asks for {FAULTS[name].path} for 70 s", "sent", "gone"]


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        ("F-22", SoFar(None, 0.4, True), "/lab/ledger/: cut off after 0.4 s"),
        ("F-22", SoFar(404, 0.1, True), "/lab/ledger/: answered with 404 after 0.1 s"),
        ("F-60b", SoFar(None, 30.0, True), "/healthz: cut off after 30.0 s"),
        ("F-60b", SoFar(502, 2.0, True), "/healthz: answered with 502 after 2.0 s"),
    ],
)
def test_what_ends_it_otherwise_bounds_nothing_and_does_not_pass(stack, monkeypatch, name, found, said):
    tried(stack, name, found, monkeypatch)
    assert stack.measured == {
        "ended_after_s": found.after_s,
        "ended_status": found.status or 0,
        "proxy_connections": 3,
    }
    assert stack.notes == [f"{said}, which is no time-out's doing"]
    judged = bounded(Judgement(verdict=Verdict.PASS, reason=""), stack.measured, FAULTS[name].rule)
    assert (judged.verdict, judged.reason) == (Verdict.UNKNOWN, "not measured: bounded_after_s")


def test_an_answer_as_if_all_were_well_makes_it_void(stack, monkeypatch):
    with pytest.raises(NotEffective, match=r"answered with 200 after 0\.1 s, so that something arrives"):
        tried(stack, "F-22", SoFar(200, 0.1, True), monkeypatch)


def test_whatever_ends_the_block_the_request_is_let_go_of(stack, monkeypatch):
    asked = Asked(SoFar(None, 1.0, False))
    with pytest.raises(KeyboardInterrupt):
        tried(stack, "F-22", asked.found, monkeypatch, broken=KeyboardInterrupt())
    assert stack.measured == {}
