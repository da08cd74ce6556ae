"""Sorting a run's trials into the sections whose rows may be compared."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from serverlab import stats
from serverlab.analysis.evidence import Evidence, Ground, collect, speeds
from serverlab.model.definitions import ReferenceScope, Target
from serverlab.model.records import Plan, PlannedTrial, Trial
from serverlab.model.runs import Run

DIRECT = "none"
"""How a section of targets without an edge is called."""

Cell = tuple[str, int, str]
"""Workload, cores, target."""


def grounds(run: Run) -> list[Ground]:
    """What each section of the run stands on, in the order of the experiment: workload, budget, edge."""
    cells = _cells(run)
    plan = run.plan
    smallest = min(plan.experiment.cpus)
    core_speeds = [speed for trial in run.trials for speed in speeds(trial)]
    core_speed = stats.median(core_speeds) if core_speeds else None
    return [
        Ground(
            plan=plan,
            environment=run.environment,
            name=workload,
            cpus=cpus,
            edge=edge,
            reference=_reference(plan, edge),
            evidence=tuple(cells[workload, cpus, target] for target in targets),
            smallest={target: cells[workload, smallest, target] for target in targets},
            core_speed=core_speed,
        )
        for workload in plan.experiment.workloads
        for cpus in plan.experiment.cpus
        for edge, targets in _by_edge(plan).items()
    ]


def edge_of(target: str) -> str:
    """The name of the target's edge, or ``none``."""
    return Target.parse(target).edge or DIRECT


def _by_edge(plan: Plan) -> dict[str | None, list[str]]:
    """The targets of each section: all together, or apart by edge where the reference is one per edge."""
    if plan.experiment.reference_scope is ReferenceScope.RUN:
        return {None: list(plan.experiment.targets)}
    found: dict[str | None, list[str]] = defaultdict(list)
    for target in plan.experiment.targets:
        found[edge_of(target)].append(target)
    return dict(found)


def _reference(plan: Plan, edge: str | None) -> str | None:
    """The full name of the section's reference, None where the section does not hold it."""
    reference = Target.parse(plan.experiment.reference)
    if edge is not None:
        reference = msgspec.structs.replace(reference, edge=None if edge == DIRECT else edge)
    return str(reference) if str(reference) in plan.experiment.targets else None


def _cells(run: Run) -> dict[Cell, Evidence]:
    planned: dict[Cell, list[PlannedTrial]] = defaultdict(list)
    trials: dict[Cell, list[Trial]] = defaultdict(list)
    for each in run.plan.trials:
        planned[_cell(each)].append(each)
    for trial in run.trials:
        trials[_cell(trial.planned)].append(trial)
    found = {
        (workload, cpus, target): collect(
            target, planned[workload, cpus, target], trials[workload, cpus, target]
        )
        for workload in run.plan.experiment.workloads
        for cpus in run.plan.experiment.cpus
        for target in run.plan.experiment.targets
    }
    for (workload, cpus, target), evidence in found.items():
        lacks = run.plan.skipped.get(f"{target} {workload}")
        if lacks is not None:
            found[workload, cpus, target] = Evidence(
                target=target, planned=(), samples=(), void=evidence.void, lacks=lacks
            )
    return found


def _cell(planned: PlannedTrial) -> Cell:
    return planned.workload, planned.cpus, planned.target
