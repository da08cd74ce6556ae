"""An app that cannot be imported is started in the place of one that can: what becomes of it is told."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from serverlab.faults import FAULTS, booting, release
from serverlab.faults.fault import NotEffective
from serverlab.model.faults import Happening
from tests.fake_app import FakeApp, serving
from tests.fake_processes import FakeServer
from tests.fake_scene import FakeStack

FAULT = FAULTS["F-02i"]


class Booting:
    """A stack, what was done to it in its order, and the server that is started in its place."""

    def __init__(self, app):
        self.stack, self.done = FakeStack(app), []
        self.answers, self.dies_with, self.looks = "0", None, 0
        container = self.stack.server.container
        container.stop = lambda timeout: self.done.append(f"stop within {timeout} s")
        container.start = lambda: self.done.append("start")
        self.other = FakeServer(
            self.stack.client.add("release"), says={release.IS_READY: lambda _: self._asked()}
        )
        self.other.container.logged = ["ModuleNotFoundError: No module named 'nowhere'"]
        self.other.container.remove = lambda force: self.done.append("removed")

    def _asked(self):
        self.looks += 1
        if self.looks == 2 and self.dies_with is not None:
            self.other.end(self.dies_with)
        elif self.looks == 2:
            self.other.replace(8, 9)
        return self.answers

    def started(self, _scene, like, changes):
        assert like is self.stack.server.container
        self.done.append(dict(changes))
        return self.other.container


@pytest.fixture
def boot(monkeypatch):
    monkeypatch.setattr(booting, "PAUSE_S", 0.01)
    app = FakeApp()
    with serving(app):
        boot = Booting(app)
        monkeypatch.setattr(booting, "started", boot.started)
        yield boot


def tried(boot, *, watched_s=0.2):
    fault = replace(FAULT, watched_s=watched_s)
    with fault.inject(boot.stack.scene(fault)) as seen:
        return seen


WENT = ["stop within 35 s", {"DJANGO_SETTINGS_MODULE": "nowhere.settings"}, "removed", "start"]


@pytest.mark.parametrize(("code", "with_0"), [(3, 0), (0, 1)])
def test_one_that_ends_is_told_with_its_code(boot, code, with_0):
    boot.dies_with = code
    seen = tried(boot, watched_s=5)
    measured = boot.stack.measured
    assert (
        seen == f"without an app to import, it ended with {code} after {measured['boot_ended_after_s']:.1f} s"
    )
    assert measured.pop("boot_ended_after_s") < 5
    assert measured == {
        "boot_ended_with_0": with_0,
        "boot_exit_code": code,
        "boot_status": 0,
        "boot_processes": 2,
    }
    assert boot.done == WENT
    assert boot.stack.marks == [Happening.ACTED, Happening.LIFTED]


def test_one_that_ends_while_it_is_asked_for_the_last_time_has_ended(boot):
    boot.dies_with = 0
    boot.looks = 1  # it ends at the first question, which is the last one here
    assert " it ended with 0 after " in tried(boot, watched_s=0.001)
    assert boot.stack.measured["boot_ended_with_0"] == 1


def test_one_that_runs_on_and_answers_is_told_with_its_answer(boot):
    boot.answers = "500"
    assert re.fullmatch(r"without an app to import, it still ran after 0\.\d s and answered 500", tried(boot))
    assert boot.stack.measured == {"boot_ended_with_0": 0, "boot_status": 500, "boot_processes": 3}
    assert boot.done == WENT


def test_one_that_runs_on_and_does_not_answer_is_told(boot):
    assert tried(boot).endswith(" and did not answer")
    assert boot.stack.measured["boot_status"] == 0


def test_one_that_is_ready_makes_it_void_and_is_taken_back(boot):
    boot.answers = "200"
    with pytest.raises(NotEffective, match="the app could be imported: it says that it is ready"):
        tried(boot)
    assert boot.done == WENT


def test_one_that_ends_for_another_reason_makes_it_void_and_is_taken_back(boot):
    boot.dies_with, boot.other.container.logged = 1, ["no room"]
    with pytest.raises(NotEffective, match=r"ended with 1 after .* is not in its log(?s:.*)no room"):
        tried(boot, watched_s=5)
    assert boot.done == WENT


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("gunicorn:gthread", None),
        ("gunicorn:gthread+nginx", None),
        ("uwsgi:uwsgi+nginx", "it speaks uwsgi: it cannot be asked whether it is ready"),
    ],
)
def test_it_says_where_it_has_no_meaning(boot, target, reason):
    assert FAULT.applicable(boot.stack.scene(FAULT, target).expected) == reason
