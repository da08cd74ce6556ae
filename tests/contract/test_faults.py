"""Faults on real stacks: they take effect, are told where they do not, and do not outlive a lab that is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from serverlab import compose, host, store
from serverlab.cli.context import CHECKOUT
from serverlab.compose import Engine
from serverlab.faults import FAULTS
from serverlab.faults.fault import Fault, Scene, await_effect
from serverlab.faults.process import Frozen, the_worker
from serverlab.faults.processes import answerer, send, still_there
from serverlab.model.fault_runs import FaultExperiment
from serverlab.model.faults import Cell, Happening, Timeline, Verdict
from serverlab.runner import noise
from serverlab.runner.breaking import plan_faults, start_faults
from serverlab.runner.run import Lab, clear_the_machine
from serverlab.shell import HostShell
from tests.cleanliness import assert_clean
from tests.contract.conftest import CATALOG
from tests.unit.builders import an_environment

pytestmark = pytest.mark.contract
TARGET = "gunicorn:gthread"
GLANCE = Timeline(settle_s=0.2, baseline_s=1, hold_s=0.2, observe_s=0.5)
"""For what is VOID whatever the prober finds."""
BRIEF = Timeline(settle_s=0.5, baseline_s=1.5, hold_s=1, observe_s=4)


@pytest.fixture(autouse=True)
def _whatever_else_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked here does not depend on what else the machine does; tests/unit tell of a loud one."""
    monkeypatch.setattr(noise, "OTHERS_SHARE", float("inf"))


@dataclass(frozen=True, kw_only=True)
class Ineffective(Fault):
    """Signals nobody and waits for a worker to go."""

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        found = answerer(scene)
        yield await_effect(
            "the worker gone",
            lambda: None if still_there(found.container, [found.worker]) else "gone",
            within_s=0.5,
        )


@dataclass(frozen=True, kw_only=True)
class NeverThawed(Frozen):
    """Freezes a worker and believes that it has let it go on."""

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        found = answerer(scene)
        send(found.container, "SIGSTOP", [found.worker.pid])
        yield "it is frozen"


@dataclass(frozen=True)
class Elsewhere(Lab):
    """A lab of this checkout that keeps its runs in another folder."""

    kept: Path = Path()

    @property
    def results(self) -> Path:
        return self.kept


def a_lab(engine: Engine, kept: Path, said: list[str] | None = None) -> Lab:
    say = (said if said is not None else []).append
    return Elsewhere(
        root=CHECKOUT,
        shell=HostShell(),
        engine=engine,
        catalog=CATALOG,
        say=say,
        lock=kept / "lock",
        kept=kept,
    )


def broken(lab: Lab, faults: Sequence[Fault], timeline: Timeline) -> list[Cell]:
    """What came of the faults on the target."""
    known = {fault.id: fault for fault in faults}
    experiment = FaultExperiment(
        format=1,
        title="Contract",
        question="Do they work?",
        faults=tuple(known),
        targets=(TARGET,),
        timeline=timeline,
    )
    made = start_faults(
        lab,
        plan_faults(CATALOG, experiment, known, name="contract", experiment_hash=""),
        known,
        cores=host.cores_of(lab.engine),
        describe=lambda name, splits: an_environment(run=name, core_splits=dict(splits)),
    )
    return list(store.read_fault_run(made.path).cells)


def successes(cell: Cell) -> list[int]:
    """How many there were in each of the last two whole seconds that were probed."""
    return [instant.ok for instant in cell.course[-3:-1]]


def test_a_worker_is_replaced_by_its_master_and_a_master_by_nobody(engine: Engine, tmp_path: Path) -> None:
    cells = broken(a_lab(engine, tmp_path), [FAULTS["F-01"], FAULTS["F-03"]], BRIEF)
    found = {cell.planned.fault: cell for cell in cells}
    assert found["F-03"].judgement.verdict is Verdict.FAIL, found["F-03"].judgement.reason
    assert successes(found["F-03"]) == [0, 0]
    assert min(successes(found["F-01"])) > 25, found["F-01"].judgement.reason
    assert {cell.judgement.toll.lost for cell in cells if cell.judgement.toll} == {0}
    assert not engine.labels()


def test_a_fault_without_effect_and_one_that_is_never_undone_are_void(engine: Engine, tmp_path: Path) -> None:
    faults = [
        Ineffective(id="X-01", title="no effect", what="Nothing."),
        NeverThawed(id="X-02", title="no undo", what="A worker stays frozen.", whom=the_worker),
    ]
    found = {cell.planned.fault: cell.judgement for cell in broken(a_lab(engine, tmp_path), faults, GLANCE)}
    assert {each.verdict for each in found.values()} == {Verdict.VOID}
    assert found["X-01"].reason == "fault-not-effective: the worker gone: not seen within 0.5 s"
    assert found["X-02"].reason.startswith("rollback-not-confirmed: process ")
    assert not engine.labels()


def test_a_fault_of_a_lab_that_is_killed_is_rolled_back_by_the_next_start(
    engine: Engine, tmp_path: Path
) -> None:
    held = Timeline(settle_s=0.2, baseline_s=0.5, hold_s=60, observe_s=1)
    child = in_a_child(lambda: broken(a_lab(compose.connect(HostShell()), tmp_path), [FAULTS["F-35"]], held))
    try:
        await_injection(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert engine.labels()
    assert len(list(store.left_on(tmp_path))) == 1
    said: list[str] = []
    clear_the_machine(a_lab(engine, tmp_path, said))
    assert not engine.labels()
    assert said[-1] == (f"F-35 was left on {TARGET} by a lab that was killed; it is gone with its stack")
    assert list(store.left_on(tmp_path)) == []
    assert_clean(engine, results=tmp_path)


def in_a_child(work: Callable[[], object]) -> int:
    """The process that does it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def await_injection(results: Path) -> None:
    give_up = time.monotonic() + 60
    while not any(entry.what is Happening.INJECTED for _, entry in store.left_on(results)):
        assert time.monotonic() < give_up, "nothing was injected"
        time.sleep(0.1)
