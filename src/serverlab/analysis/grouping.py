"""Sorting a run's trials into the sections whose rows may be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from serverlab.analysis.differences import compare_all
from serverlab.analysis.evidence import Evidence, Ground, collect, middle_speed
from serverlab.model.definitions import ReferenceScope, Target
from serverlab.model.records import Plan, PlannedTrial, Trial
from serverlab.model.runs import Run

DIRECT = "none"
"""How a section of targets without an edge is called."""

Cell = tuple[str, int, str]
"""Workload, cores, target."""

Cells = dict[Cell, Evidence]


def grounds(run: Run) -> list[Ground]:
    """What each section of the run stands on, in the order of the experiment.

    Where targets are compared that is a section for each workload, budget and (with references per edge) edge; where
    workloads are compared, one for each target and budget.
    """
    cells, controls = _cells(run, control=False), _cells(run, control=True)
    compare = _of_workloads if run.plan.experiment.comparisons else _of_targets
    found = compare(run, cells, controls)
    core_speed = middle_speed(run.trials)
    return [
        _with_comparisons(replace(ground, core_speed=core_speed, ceilings=run.ceilings)) for ground in found
    ]


def _with_comparisons(ground: Ground) -> Ground:
    """The ground with what follows from its ratios; each of the three is a family of comparisons of its own.

    There are none where the arrival is open: then the schedule makes the requests per second, not the server.
    """
    if ground.load.is_open:
        return ground
    floors = compare_all(ground.ratios_of_controls(), {})
    beside = {
        row: floors[reference].interval for row, reference in ground.references.items() if reference in floors
    }
    untold = [
        row
        for row, reference in ground.references.items()
        if reference in ground.controls and beside.get(row) is None
    ]
    ratios = compare_all(ground.ratios_by_row(), beside, untold=untold)
    gains = compare_all(ground.gains_by_row(), {})
    return replace(ground, floors=floors, ratios=ratios, gains=gains)


def _of_targets(run: Run, cells: Cells, controls: Cells) -> Iterator[Ground]:
    plan, smallest = run.plan, min(run.plan.experiment.cpus)
    for workload in plan.experiment.workloads:
        for cpus in plan.experiment.cpus:
            for edge, targets in _by_edge(plan).items():
                reference = _reference(plan, edge)
                yield Ground(
                    plan=plan,
                    environment=run.environment,
                    workload=workload,
                    target=None,
                    cpus=cpus,
                    edge=edge,
                    references=dict.fromkeys(targets, reference) if reference else {},
                    evidence=tuple(cells[workload, cpus, target] for target in targets),
                    smallest={target: cells[workload, smallest, target] for target in targets},
                    controls=_measured(
                        {
                            target: controls[workload, cpus, target]
                            for target in targets
                            if target == reference
                        }
                    ),
                )


def _of_workloads(run: Run, cells: Cells, controls: Cells) -> Iterator[Ground]:
    experiment = run.plan.experiment
    smallest, workloads = min(experiment.cpus), experiment.measured_workloads()
    for target in experiment.targets:
        for cpus in experiment.cpus:
            rows = {workload: replace(cells[workload, cpus, target], name=workload) for workload in workloads}
            yield Ground(
                plan=run.plan,
                environment=run.environment,
                workload=None,
                target=target,
                cpus=cpus,
                edge=None,
                references={each: experiment.reference_workload(each) or each for each in workloads},
                evidence=tuple(rows.values()),
                smallest={each: cells[each, smallest, target] for each in workloads},
                controls=_measured({each: controls[each, cpus, target] for each in experiment.comparisons}),
            )


def _measured(controls: dict[str, Evidence]) -> dict[str, Evidence]:
    """Those that the run has planned."""
    return {name: evidence for name, evidence in controls.items() if evidence.planned}


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
    if plan.experiment.reference is None:
        return None
    reference = Target.parse(plan.experiment.reference)
    if edge is not None:
        reference = msgspec.structs.replace(reference, edge=None if edge == DIRECT else edge)
    return str(reference) if str(reference) in plan.experiment.targets else None


def _cells(run: Run, *, control: bool) -> Cells:
    """The evidence of every cell of the experiment, named after its target: of its trials or of its controls."""
    planned: dict[Cell, list[PlannedTrial]] = defaultdict(list)
    trials: dict[Cell, list[Trial]] = defaultdict(list)
    for each in run.plan.trials:
        if each.control is control:
            planned[_cell(each)].append(each)
    for trial in run.trials:
        if trial.planned.control is control:
            trials[_cell(trial.planned)].append(trial)
    found = {}
    for workload in run.plan.experiment.measured_workloads():
        for cpus in run.plan.experiment.cpus:
            for target in run.plan.experiment.targets:
                cell = workload, cpus, target
                evidence = Evidence(
                    name=target,
                    target=target,
                    workload=workload,
                    load=run.plan.workloads[workload],
                    planned=tuple(planned[cell]),
                    lacks=run.plan.skipped.get(f"{target} {workload}"),
                )
                found[cell] = _judged(collect(evidence, trials[cell]))
    return found


def _judged(evidence: Evidence) -> Evidence:
    """The evidence; what the target cannot do was not planned, and no number of it counts."""
    return evidence if evidence.lacks is None else replace(evidence, planned=(), samples=())


def _cell(planned: PlannedTrial) -> Cell:
    return planned.workload, planned.cpus, planned.target
