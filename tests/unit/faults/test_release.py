"""A release that never becomes ready is taken back, and the replica that was there before comes back."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest

from serverlab.faults import FAULTS, release
from serverlab.faults.fault import NotEffective
from serverlab.model.faults import Happening
from tests.fake_app import FakeApp, serving
from tests.fake_engine import ExecResult
from tests.fake_scene import FakeStack

BEHIND = "gunicorn:gthread+nginx"


BUDGET = {"CpusetCpus": "0", "NanoCpus": 10**9, "Memory": 1 << 30, "MemorySwap": 1 << 30, "PidsLimit": 512}
LIMITS = ("cpuset_cpus", "nano_cpus", "mem_limit", "memswap_limit", "pids_limit")


@pytest.fixture
def rolled(monkeypatch):
    """The fault, a scene for it, and what was done, in its order; the release answers with the status that is set."""
    done = []
    app = FakeApp()
    with serving(app):
        stack = FakeStack(app)
        first, second = stack.server.container, stack.client.add("app", ports={8000: app.port})
        attrs = {**first.attrs, "Config": {"Image": "serverlab/gunicorn:dev", "Env": ["A=1=2"], "Cmd": None}}
        attrs["HostConfig"] = BUDGET
        attrs["NetworkSettings"] = {**attrs["NetworkSettings"], "Networks": {"serverlab_lab": {}}}
        monkeypatch.setattr(type(first), "attrs", attrs)
        first.stop = lambda timeout: done.append(f"stop within {timeout} s")
        first.start = lambda: done.append("start")
        bad = stack.client.add("release")
        bad.remove = lambda force: done.append("the release is removed")
        bad.exec_run = lambda argv, **_options: ExecResult(0, stack.status)
        stack.status = b"503\n"

        def run(image, command, **options):
            done.append((image, options["environment"], options["labels"], options["network"]))
            assert [options[name] for name in LIMITS] == [*BUDGET.values()]
            return bad

        @contextmanager
        def sent_nothing(_scene, container, others):
            assert (container, others) == (first, [second])
            done.append("drained")
            yield
            done.append("all are in")

        stack.client.containers.run = run
        monkeypatch.setattr(release, "sent_nothing", sent_nothing)
        monkeypatch.setattr(release, "PAUSE_S", 0.01)
        quick = replace(FAULTS["F-13"], gives_up_s=0.05)
        yield quick, stack, done


STARTED = (
    "serverlab/gunicorn:dev",
    {"A": "1=2", "DATABASE_URL": "sqlite:////nowhere/db.sqlite3"},
    {"org.serverlab": "run"},
    "serverlab_lab",
)


def test_it_is_drained_tried_taken_back_and_told(rolled):
    fault, stack, done = rolled
    with fault.inject(stack.scene(fault, BEHIND)) as seen:
        assert seen == "the release answered 503 when it was asked whether it was ready, and was taken back"
    assert done == [
        "drained",
        "stop within 35 s",
        STARTED,
        "the release is removed",
        "start",
        "all are in",
    ]
    assert stack.measured.pop("rolled_back_after_s") < 1
    assert stack.measured == {"replicas_ill": 0}
    assert stack.marks == [Happening.ACTED, Happening.LIFTED]


def test_a_release_that_is_ready_makes_it_void_and_is_taken_back(rolled):
    fault, stack, done = rolled
    stack.status = b"200\n"
    with pytest.raises(NotEffective, match="the release was ready"), fault.inject(stack.scene(fault, BEHIND)):
        pass
    assert done[-2:] == ["the release is removed", "start"]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (BEHIND, None),
        ("gunicorn:gthread", "there is no edge in front of it"),
        ("uwsgi:uwsgi+nginx", "it speaks uwsgi: a release cannot be asked whether it is ready"),
    ],
)
def test_it_says_where_it_has_no_meaning(target, reason):
    app = FakeApp()
    with serving(app):
        expected = FakeStack(app).scene(FAULTS["F-13"], target).expected
    assert FAULTS["F-13"].applicable(expected) == reason
