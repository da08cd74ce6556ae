"""Replicas are replaced in turn, and what a server needs is used up and given back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serverlab.faults import FAULTS, direct, exhausting, fault, rolling
from serverlab.faults.fault import NotEffective, NotUndone
from serverlab.model.faults import Happening
from tests.fake_app import FakeApp, serving
from tests.fake_engine import ExecResult
from tests.fake_processes import INIT, FakeServer
from tests.fake_scene import FakeStack

BEHIND = "gunicorn:gthread+nginx"


@pytest.fixture
def stack():
    app = FakeApp()
    with serving(app):
        yield FakeStack(app)


@pytest.fixture(autouse=True)
def _nobody_waits_long(monkeypatch):
    monkeypatch.setattr(rolling, "HEALTHY_WITHIN_S", 0.1)
    monkeypatch.setattr(rolling, "PAUSE_S", 0.01)
    monkeypatch.setattr(rolling, "LOOKED_AT_WITHIN_S", 0.05)
    monkeypatch.setattr(fault, "CONFIRM_S", 0.1)


def replicas(stack):
    """The first replica and one more; what is done to them is noted in its order."""
    done = []
    servers = [stack.server, FakeServer(stack.client.add("app", ports={8000: stack.app.port}))]
    for number, server in enumerate(servers, start=1):
        container = server.container
        container.stop = lambda timeout, number=number: done.append(f"stop {number} within {timeout} s")
        container.start = lambda number=number: done.append(f"start {number}")
    return servers, done


def test_the_next_replica_is_stopped_when_the_one_before_is_healthy_again(stack):
    _, done = replicas(stack)
    scene = stack.scene(FAULTS["F-12"], BEHIND)
    assert scene.settings.replicas == 2
    with FAULTS["F-12"].inject(scene) as seen:
        assert seen.startswith("2 of 2 replicas were replaced within ")
    assert stack.measured.pop("rolled_s") < 1
    assert stack.measured == {"replicas_ill": 0}
    assert stack.marks == [Happening.ACTED, Happening.LIFTED, Happening.LIFTED]
    assert done == ["stop 1 within 35 s", "start 1", "stop 2 within 35 s", "start 2"]


def test_a_replica_that_stays_ill_ends_the_rolling_and_is_the_stacks_own_failure(stack):
    (first, _), done = replicas(stack)
    first.container.health = "unhealthy"
    with FAULTS["F-12"].inject(stack.scene(FAULTS["F-12"], BEHIND)) as seen:
        assert seen.startswith("0 of 2 replicas were replaced")
    assert done == ["stop 1 within 35 s", "start 1"]
    assert stack.measured["replicas_ill"] == 1
    assert stack.notes == [
        "the fault is undone, but not this: serverlab-app-1 is healthy again: not seen within 0.1 s"
    ]


class FakeEdge(FakeServer):
    """An nginx with one worker, and the script that has it replaced by another; `lies` are words it does nothing on."""

    def __init__(self, stack, done):
        rows = [INIT, [7, 1, "S", 20, "nginx: master process"], [8, 7, "S", 30, "nginx: worker process"]]
        super().__init__(stack.client.add("edge"), rows=rows)
        self.done, self.lies, self.fails = done, set(), {}

    def _exec(self, argv, **options):
        if tuple(argv[:2]) != rolling.DRAIN:
            return super()._exec(argv, **options)
        self.done.append(" ".join(argv[2:]))
        if argv[2] in self.fails:
            return ExecResult(1, self.fails[argv[2]])
        if argv[2] not in self.lies:
            self.replace(self.rows[-1][0], self.rows[-1][0] + 1)
        return ExecResult(0, b"done\n")


def test_a_replica_is_stopped_when_the_edges_own_script_has_taken_it_out_and_in_when_it_is_healthy(stack):
    _, done = replicas(stack)
    FakeEdge(stack, done)
    with FAULTS["F-12d"].inject(stack.scene(FAULTS["F-12d"], BEHIND)) as seen:
        assert seen.startswith("2 of 2 replicas were replaced within ")
    assert done == [
        "out serverlab-app-1",
        "stop 1 within 35 s",
        "start 1",
        "in",
        "out serverlab-app-2",
        "stop 2 within 35 s",
        "start 2",
        "in",
    ]
    assert stack.marks == [Happening.ACTED, *[Happening.LIFTED] * 4]
    assert stack.measured["replicas_ill"] == 0


def test_a_replica_that_starts_light_has_its_weight_again_when_it_is_healthy_or_given_up(stack):
    (first, second), done = replicas(stack)
    for number, server in enumerate((first, second), start=1):
        server.container.update = lambda number=number, **weights: done.append(f"update {number} {weights}")
    light = replace(FAULTS["F-12"], starting_weight=102)
    second.container.health = "unhealthy"
    with light.inject(stack.scene(light, BEHIND)) as seen:
        assert seen.startswith("1 of 2 replicas were replaced")
    assert done == [
        step
        for number in (1, 2)
        for step in (
            f"stop {number} within 35 s",
            f"update {number} {{'cpu_shares': 102}}",
            f"start {number}",
            f"update {number} {{'cpu_shares': 1024}}",
        )
    ]


@pytest.mark.parametrize(
    ("lies", "fails", "kind", "said"),
    [
        ({"out"}, {}, NotEffective, "only workers that know nothing of it are left: not seen within 0.05 s"),
        ({"in"}, {}, NotUndone, "nginx has other workers: not seen within 0.05 s"),
        (
            set(),
            {"out": b"drain: no\n"},
            NotEffective,
            r"drain.py out serverlab-app-1 ended with 1: drain: no",
        ),
        (set(), {"in": b"drain: no\n"}, NotUndone, r"serverlab-edge-1: drain.py in ended with 1: drain: no"),
    ],
)
def test_a_script_that_fails_or_only_says_so_is_found_out(stack, lies, fails, kind, said):
    _, done = replicas(stack)
    edge = FakeEdge(stack, done)
    edge.lies, edge.fails = lies, fails
    with pytest.raises(kind, match=said), FAULTS["F-12d"].inject(stack.scene(FAULTS["F-12d"], BEHIND)):
        pass
    assert ("stop 1 within 35 s" in done) is (kind is NotUndone)


def test_a_worker_of_before_that_still_answers_is_found_out(stack):
    _, done = replicas(stack)
    edge = FakeEdge(stack, done)
    edge.replace = lambda old, new: (
        edge.rows.append([new, 7, "S", 99, "nginx: worker process"])
        or edge.row(old).__setitem__(4, "nginx: worker process is shutting down")
    )
    with (
        pytest.raises(NotEffective, match="only workers that know nothing of it are left"),
        FAULTS["F-12d"].inject(stack.scene(FAULTS["F-12d"], BEHIND)),
    ):
        pass
    assert done == ["out serverlab-app-1"]


def test_what_filled_the_disk_of_a_container_that_died_is_gone_with_it(stack):
    Disk(stack, mib=60)
    scene = stack.scene(FAULTS["F-30"])
    with FAULTS["F-30"].inject(scene):
        stack.server.container.status = "exited"
        stack.server.container.exec_run = None
    assert FAULTS["F-30"].left_behind(scene) is None


class Disk:
    """The scripts that fill a disk, empty it again and look; ``mib`` are how many fit."""

    def __init__(self, stack, mib):
        self.is_full, self.mib, self.stays = False, mib, False
        stack.server.container.exec_run = self

    def __call__(self, argv, **_options):
        script = argv[4]
        if script == exhausting.FILL:
            self.is_full = True
            return ExecResult(0, f"{self.mib << 20}\n".encode())
        if script == exhausting.REMOVE:
            self.is_full = self.stays
            return ExecResult(0, b"")
        return ExecResult(0, f"{self.is_full}\n".encode())


def test_a_disk_is_filled_and_emptied(stack):
    disk = Disk(stack, mib=60)
    scene = stack.scene(FAULTS["F-30"])
    with FAULTS["F-30"].inject(scene) as seen:
        assert (seen, disk.is_full) == ("60 MiB more have filled it", True)
        assert FAULTS["F-30"].left_behind(scene) == "serverlab-app-1: /tmp is still full"
    assert not disk.is_full
    assert FAULTS["F-30"].left_behind(scene) is None


def test_a_disk_that_was_full_before_makes_it_void_and_is_emptied(stack):
    disk = Disk(stack, mib=0)
    with (
        pytest.raises(NotEffective, match="it was full before"),
        FAULTS["F-30"].inject(stack.scene(FAULTS["F-30"])),
    ):
        pass
    assert not disk.is_full


@pytest.fixture
def reachable(stack, monkeypatch):
    monkeypatch.setattr(direct, "PORTS", {"app": stack.app.port})
    monkeypatch.setattr(exhausting, "REACHED_WITHIN_S", 0.05)


@pytest.mark.usefixtures("reachable")
def test_idle_connections_are_opened_until_no_more_files_can_be(stack):
    stack.server.container.exec_run = lambda argv, **_options: ExecResult(0, b"94\n")
    few = replace(FAULTS["F-31"], connections=5)
    scene = stack.scene(few)
    assert scene.settings.files()[-1] == "few-files.yml"
    with few.inject(scene) as seen:
        assert seen == "a process of the server has 94 files open, 5 connections are there"
    assert stack.measured == {"open_files": 94, "connections": 5}


@pytest.mark.usefixtures("reachable")
def test_a_limit_that_is_not_reached_makes_it_void(stack):
    stack.server.container.exec_run = lambda argv, **_options: ExecResult(0, b"42\n")
    few = replace(FAULTS["F-31"], connections=5)
    with (
        pytest.raises(NotEffective, match="the limit is not reached: at most 42 of 96 files are open"),
        few.inject(stack.scene(few)),
    ):
        pass


def test_a_server_that_cannot_be_reached_at_its_own_address_makes_it_void(stack, monkeypatch):
    monkeypatch.setattr(direct, "PORTS", {"app": 1})
    with (
        pytest.raises(NotEffective, match="cannot be reached at its own address from here"),
        FAULTS["F-31"].inject(stack.scene(FAULTS["F-31"])),
    ):
        pass
