"""A run that breaks things: every cell in its planned order, each saved before the next begins."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from serverlab import host, store
from serverlab.catalog import Catalog, make_fault_plan
from serverlab.catalog.breaking import fault_hashes, seconds_of
from serverlab.compose import ENGINE_ERRORS, Engine
from serverlab.errors import Interrupted
from serverlab.faults.fault import Fault
from serverlab.formatting import plural
from serverlab.lock import only_lab
from serverlab.model.definitions import Target
from serverlab.model.fault_runs import FaultExperiment, FaultFacts, FaultPlan, JournalEntry
from serverlab.model.faults import Cell, Happening, PlannedCell, Timeline
from serverlab.model.records import CoreSplit, Environment
from serverlab.runner import noise
from serverlab.runner.cell import Clock, Journal, Yard, cell_settings, try_cell
from serverlab.runner.ending import engine_lost, leaving_nothing
from serverlab.runner.noise import Work
from serverlab.runner.resuming import refuse_changed, refuse_unlike
from serverlab.runner.run import Describe, Lab, clear_the_machine
from serverlab.runner.trial import expectation

SETUP_S = 3.0
"""What a cell takes beside its timeline: a stack that starts, is proven and goes."""

CLOCK = Clock()
NO_CORES = CoreSplit(stack="", generator="", disjoint=False)


@dataclass(frozen=True)
class Broken:
    """A run's folder, and why it ended before its last cell (None: it did not)."""

    path: Path
    stopped: str | None = None


@dataclass(frozen=True)
class Machine:
    """What stop conditions look at; tests hand in their own."""

    free_disk_mib: Callable[[Path], float] = lambda path: shutil.disk_usage(path).free / (1 << 20)
    available_memory_mib: Callable[[], float] = host.available_memory_mib
    work: Callable[[Engine], Work] = noise.read


MACHINE = Machine()


@dataclass(frozen=True)
class _Underway:
    """A run whose cells are being tried."""

    lab: Lab
    path: Path
    plan: FaultPlan
    environment: Environment
    faults: Mapping[str, Fault]
    clock: Clock
    machine: Machine

    def why_stop(self, planned: PlannedCell, *, spent_s: float) -> str | None:
        """Why this cell and those after it are not to be tried, or None."""
        stop = self.plan.experiment.stop
        if why := self.short_of():
            return why
        if stop.budget_s is not None and spent_s + seconds_left(self.plan, [planned]) > stop.budget_s:
            return f"{stop.budget_s:g} s were given, and the next cell would exceed them"
        return None

    def short_of(self) -> str | None:
        """What the machine has too little of, or None; looked at before and within each cell."""
        stop = self.plan.experiment.stop
        disk, memory = self.machine.free_disk_mib(self.path), self.machine.available_memory_mib()
        if disk < stop.free_disk_mib:
            return f"only {disk:.0f} MiB of disk are free, {stop.free_disk_mib} are to stay"
        if memory < stop.available_memory_mib:
            return f"only {memory:.0f} MiB of memory are available, {stop.available_memory_mib} are to stay"
        return None


def plan_faults(
    catalog: Catalog,
    experiment: FaultExperiment,
    faults: Mapping[str, Fault],
    *,
    name: str,
    experiment_hash: str,
) -> FaultPlan:
    """The plan of a run of the experiment with these faults; what has no meaning on a target is in ``skipped``.

    Raises:
        UsageError: no cell is left.
    """
    targets = [catalog.target(each) for each in experiment.targets]
    skipped = {
        f"{fault.id} {target}": reason
        for fault in faults.values()
        for target in targets
        if (reason := why_not(catalog, target, fault, cpus=experiment.cpus))
    }
    facts = {each: facts_of(fault, experiment.timeline) for each, fault in faults.items()}
    return make_fault_plan(
        catalog, experiment, name=name, facts=facts, skipped=skipped, experiment_hash=experiment_hash
    )


def why_not(catalog: Catalog, target: Target, fault: Fault, *, cpus: int) -> str | None:
    """Why the fault has no meaning on the target, or None."""
    settings = cell_settings(catalog, target, fault, cpus=cpus, split=NO_CORES, label="")
    return fault.applicable(expectation(catalog, settings))


def facts_of(fault: Fault, timeline: Timeline) -> FaultFacts:
    """What is written down of the fault before it is injected, with the experiment's timeline.

    A fault's own ``hold_s`` wins: its rule was written for that time.
    """
    return FaultFacts(
        title=fault.title,
        what=fault.what,
        rule=fault.rule,
        timeline=msgspec.structs.replace(timeline, hold_s=fault.hold_s or timeline.hold_s),
    )


def seconds_left(plan: FaultPlan, pending: Sequence[PlannedCell]) -> float:
    """How long the pending cells will take."""
    return sum(SETUP_S + seconds_of(plan.faults[planned.fault].timeline) for planned in pending)


def start_faults(
    lab: Lab,
    plan: FaultPlan,
    faults: Mapping[str, Fault],
    *,
    cores: Sequence[int],
    describe: Describe,
    clock: Clock = CLOCK,
    machine: Machine = MACHINE,
) -> Broken:
    """Make a new run of the plan and try all of its cells; what ends it cleanly is in the result.

    Raises:
        Interrupted: the user stopped it; what was found is kept.
        EnvironmentLacks: another lab or a stack is alive.
    """
    with only_lab(lab.lock):
        clear_the_machine(lab)
        split = host.assign_cores(plan.experiment.cpus, cores)
        run = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        environment = describe(run, {str(plan.experiment.cpus): split})
        path = store.create_fault_run(lab.results, plan=plan, environment=environment)
        return _try_all(_Underway(lab, path, plan, environment, faults, clock, machine), plan.cells)


def resume_faults(
    lab: Lab,
    path: Path,
    faults: Mapping[str, Fault],
    *,
    describe: Describe,
    clock: Clock = CLOCK,
    machine: Machine = MACHINE,
) -> Broken:
    """Try the cells that the run in ``path`` still lacks.

    Raises:
        UsageError: the lab, the servers or the machine are not what the run began with.
        Otherwise as start_faults.
    """
    with only_lab(lab.lock):
        clear_the_machine(lab)
        run = store.read_fault_run(path)
        refuse_unlike(run.environment, describe(run.environment.run, run.environment.core_splits))
        refuse_changed(run.plan.name, run.plan.hashes, now=_hashes_now(run.plan, lab.catalog))
        for problem in run.problems:
            lab.say(f"{problem}")
        underway = _Underway(lab, path, run.plan, run.environment, faults, clock, machine)
        return _try_all(underway, store.pending_cells(run))


def _hashes_now(plan: FaultPlan, catalog: Catalog) -> dict[str, str]:
    targets = [Target.parse(name) for name in plan.experiment.targets]
    return fault_hashes(catalog, targets, experiment_hash=plan.hashes.get("experiment", ""))


def _try_all(run: _Underway, pending: Sequence[PlannedCell]) -> Broken:
    lab, path, done = run.lab, run.path, 0
    began_s = run.clock.now()
    try:
        with leaving_nothing(lab.engine, say=lab.say):
            for planned in pending:
                left = pending[done:]
                if why := run.why_stop(planned, spent_s=run.clock.now() - began_s):
                    return Broken(path, f"{why}; {plural(len(left), 'cell')} still to be tried")
                left_s = _minutes(seconds_left(run.plan, left))
                lab.say(f"cell {done + 1}/{len(pending)} · {_named(planned)} · {left_s} left")
                lab.say(f"    {outcome(_try_and_save(run, planned))}")
                done += 1
    except KeyboardInterrupt:
        saved = f"{plural(done, 'cell')} of this call saved in {path}"
        raise Interrupted(f"stopped; {saved}", f"Go on with: {_go_on(path)}") from None
    except ENGINE_ERRORS as broke:
        hint = f"{plural(done, 'cell')} saved. When it runs again: {_go_on(path)}"
        raise engine_lost(broke, hint=hint) from None
    return Broken(path)


def _try_and_save(run: _Underway, planned: PlannedCell) -> Cell:
    """Try the cell and add it to the run with its ledger, which is there before the line that names it."""
    lab, plan = run.lab, run.plan
    label, fault = f"{plan.name}-{run.environment.run}", run.faults[planned.fault]
    settings = cell_settings(
        lab.catalog,
        Target.parse(planned.target),
        fault,
        cpus=plan.experiment.cpus,
        split=run.environment.core_splits[str(plan.experiment.cpus)],
        label=label,
        replicas=plan.experiment.replicas.get(planned.target),
    )
    tried = try_cell(
        Yard(
            root=lab.root,
            shell=lab.shell,
            engine=lab.engine,
            catalog=lab.catalog,
            clock=run.clock,
            why_stop=run.short_of,
            work=run.machine.work,
        ),
        planned,
        fault,
        plan.faults[planned.fault],
        settings,
        probing=plan.experiment.probing,
        journal=journal_of(run.path, planned, label=label),
    )
    if tried.ledger:
        store.write_ledger(run.path, cell_id=planned.id, text=tried.ledger.text)
    store.append_cell(run.path, tried.cell)
    if tried.interruption:
        raise tried.interruption
    return tried.cell


def journal_of(path: Path, planned: PlannedCell, *, label: str) -> Journal:
    """What writes down in the run's journal what is done to the cell's stack."""

    def write_down(what: Happening, detail: str) -> None:
        entry = JournalEntry(
            cell=planned.id,
            fault=planned.fault,
            target=planned.target,
            what=what,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            label=label,
            detail=detail,
        )
        store.append_journal(path, entry)

    return write_down


def _go_on(path: Path) -> str:
    return f"serverlab faults --resume {path.parent.name}/{path.name}"


def _named(planned: PlannedCell) -> str:
    return f"round {planned.repetition} · {planned.fault} · {planned.target}"


def outcome(cell: Cell) -> str:
    """What came out, in a line."""
    reason = f": {cell.judgement.reason}" if cell.judgement.reason else ""
    return f"{cell.judgement.verdict.value.upper()}{reason}"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
