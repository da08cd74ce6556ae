"""From an experiment to the list of its trials, in the order in which they will be made."""

from __future__ import annotations

import random
from itertools import product

import msgspec

from serverlab.catalog.catalog import Catalog
from serverlab.errors import UsageError
from serverlab.model.definitions import Experiment, LoadOverrides, Target, Workload
from serverlab.model.records import Plan, PlannedTrial


def make_plan(catalog: Catalog, experiment: Experiment, *, name: str, experiment_hash: str) -> Plan:
    """The plan of a run: rounds one after the other, each shuffled by the experiment's seed.

    Within a round the order of the blocks is shuffled, and the trials within each block. A block is one workload,
    budget and edge with all targets; where workloads are compared, one target and budget with a reference and those
    compared with it.

    Cells whose target lacks what the workload needs are left out and told in ``skipped``.

    Raises:
        UsageError: no trial is left.
    """
    targets = [catalog.target(each) for each in experiment.targets]
    experiment = msgspec.structs.replace(
        experiment,
        targets=tuple(str(target) for target in targets),
        reference=None if experiment.reference is None else str(catalog.target(experiment.reference)),
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


def overridden(workload: Workload, changes: LoadOverrides) -> Workload:
    """The workload with what the experiment changes in it."""
    given = {key: value for key, value in msgspec.structs.asdict(changes).items() if value is not None}
    return msgspec.structs.replace(workload, **given)


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
        PlannedTrial(
            id=f"r{number:02}-{workload}-c{cpus}-{target}".replace(":", "."),
            round=number,
            workload=workload,
            cpus=cpus,
            target=str(target),
        )
        for target, workload, cpus in product(targets, experiment.measured_workloads(), experiment.cpus)
        if f"{target} {workload}" not in skipped
    ]
    blocks: dict[tuple[object, ...], list[PlannedTrial]] = {}
    for trial in trials:
        blocks.setdefault(_block(trial, experiment), []).append(trial)
    order = random.Random(f"{experiment.seed}/{number}")  # noqa: S311 - not a secret
    return _shuffled(list(blocks.values()), order)


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
