"""From an experiment to the list of its trials, in the order in which they will be made."""

from __future__ import annotations

import random
from itertools import product

import msgspec

from serverlab.catalog.catalog import Catalog
from serverlab.errors import UsageError
from serverlab.model.definitions import Experiment, LoadOverrides, ReferenceScope, Target, Workload
from serverlab.model.records import Plan, PlannedTrial


def make_plan(catalog: Catalog, experiment: Experiment, *, name: str, experiment_hash: str) -> Plan:
    """The plan of a run: rounds one after the other, each shuffled by the experiment's seed.

    Within a round the order of the blocks is shuffled, and the trials within each block. A block is one workload,
    budget and edge with all targets; where workloads are compared, one target and budget with a reference and those
    compared with it. Unless the experiment says otherwise each block holds its reference a second time, as a control.

    Cells whose target lacks what the workload needs are left out and told in ``skipped``.

    Raises:
        UsageError: no trial is left.
    """
    targets = [catalog.target(each) for each in experiment.targets]
    experiment = msgspec.structs.replace(
        experiment,
        targets=tuple(str(target) for target in targets),
        reference=None if experiment.reference is None else str(catalog.target(experiment.reference)),
        predictions=tuple(
            msgspec.structs.replace(each, target=each.target and str(catalog.target(each.target)))
            for each in experiment.predictions
        ),
    )
    workloads = experiment.measured_workloads()
    skipped = _skipped(catalog, targets, workloads)
    trials = tuple(
        trial
        for number in range(1, experiment.rounds + 1)
        for trial in _round(number, targets, experiment, skipped)
    )
    if not trials:
        raise UsageError(f"experiment {name}: no target can do any of its workloads")
    return Plan(
        name=name,
        experiment=experiment,
        workloads={each: overridden(catalog.workload(each), experiment.load) for each in workloads},
        trials=trials,
        skipped=skipped,
        hashes={
            "experiment": experiment_hash,
            **catalog.hashes(targets=targets, workloads=list(workloads)),
        },
    )


def with_a_round_more(plan: Plan) -> Plan:
    """The plan with one round more, ordered as a plan of that many rounds has it."""
    targets = [Target.parse(name) for name in plan.experiment.targets]
    number = plan.experiment.rounds + 1
    return msgspec.structs.replace(
        plan,
        experiment=msgspec.structs.replace(plan.experiment, rounds=number),
        trials=(*plan.trials, *_round(number, targets, plan.experiment, plan.skipped)),
    )


def overridden(workload: Workload, changes: LoadOverrides) -> Workload:
    """The workload with what the experiment changes in it."""
    return changes.applied_to(workload)


def _skipped(catalog: Catalog, targets: list[Target], workloads: tuple[str, ...]) -> dict[str, str]:
    lacks = {
        f"{target} {workload}": catalog.lacking(target, workload)
        for target, workload in product(targets, workloads)
    }
    return {cell: need for cell, need in lacks.items() if need is not None}


def _round(
    number: int, targets: list[Target], experiment: Experiment, skipped: dict[str, str]
) -> list[PlannedTrial]:
    trials = [
        _planned(number, str(target), workload, cpus, control=control)
        for target, workload, cpus in product(targets, experiment.measured_workloads(), experiment.cpus)
        if f"{target} {workload}" not in skipped
        for control in _times(experiment, target, workload)
    ]
    blocks: dict[tuple[object, ...], list[PlannedTrial]] = {}
    for trial in trials:
        blocks.setdefault(_block(trial, experiment), []).append(trial)
    order = random.Random(f"{experiment.seed}/{number}")  # noqa: S311 - not a secret
    return _shuffled(list(blocks.values()), order)


def _planned(number: int, target: str, workload: str, cpus: int, *, control: bool) -> PlannedTrial:
    name = f"r{number:02}-{workload}-c{cpus}-{target}".replace(":", ".")
    return PlannedTrial(
        id=f"{name}-control" if control else name,
        round=number,
        workload=workload,
        cpus=cpus,
        target=target,
        control=control,
    )


def _times(experiment: Experiment, target: Target, workload: str) -> tuple[bool, ...]:
    """Whether each trial of the cell in a round is a control: a reference has one beside its own."""
    return (False, True) if experiment.control and _is_reference(experiment, target, workload) else (False,)


def _is_reference(experiment: Experiment, target: Target, workload: str) -> bool:
    if experiment.comparisons:
        return workload in experiment.comparisons
    if experiment.reference is None:
        return False
    reference = Target.parse(experiment.reference)
    if experiment.reference_scope is ReferenceScope.EDGE:
        reference = msgspec.structs.replace(reference, edge=target.edge)
    return target == reference


def _block(trial: PlannedTrial, experiment: Experiment) -> tuple[object, ...]:
    """Trials whose ratio is taken stay close in time: a machine's speed drifts, and pairs far apart are no pairs."""
    if experiment.comparisons:
        return experiment.reference_workload(trial.workload), trial.cpus, trial.target
    return trial.workload, trial.cpus, Target.parse(trial.target).edge


def _shuffled(blocks: list[list[PlannedTrial]], order: random.Random) -> list[PlannedTrial]:
    shuffled = list(blocks)
    order.shuffle(shuffled)
    for block in shuffled:
        order.shuffle(block)
    return [trial for block in shuffled for trial in block]
