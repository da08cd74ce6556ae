"""Experiments that break things: their files, their mistakes, and the order of their cells."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from serverlab.catalog.catalog import Catalog, breaks_things
from serverlab.catalog.reading import read_toml
from serverlab.errors import UsageError
from serverlab.formatting import did_you_mean
from serverlab.model.definitions import Target
from serverlab.model.fault_runs import FaultExperiment, FaultFacts, FaultPlan
from serverlab.model.faults import PlannedCell, Timeline

RECOVERY_S = 10.0
"""For how long a stack has to be well again before it counts as recovered; no observation may be shorter."""


def read_fault_experiment(path: Path, catalog: Catalog, faults: Collection[str]) -> FaultExperiment:
    """The experiment in the file, its names checked against the catalog and the ids of the faults that there are.

    Raises:
        UsageError: the file or a definition it stands on is wrong; every mistake is listed.
    """
    if not path.exists():
        known = [each.stem for each in fault_files(catalog.root)]
        raise UsageError(
            f"experiment {path}: no such file{did_you_mean(path.stem, known)}",
            f"Those that break things: {', '.join(known) or 'none'}",
        )
    experiment, wrong = read_toml(path, FaultExperiment)
    if experiment is not None:
        wrong += [f"{path}: {mistake}" for mistake in fault_mistakes(experiment, catalog, faults)]
    if experiment is None or wrong or catalog.mistakes:
        raise UsageError("\n".join([*wrong, *catalog.mistakes]), "`serverlab check` reads all files again.")
    return experiment


def fault_files(root: Path) -> list[Path]:
    """The shipped experiments that break things."""
    return [path for path in sorted((root / "experiments").glob("*.toml")) if breaks_things(path)]


def fault_mistakes(experiment: FaultExperiment, catalog: Catalog, faults: Collection[str]) -> Iterator[str]:
    """What is wrong in an experiment that breaks things, given the names that exist."""
    yield from _name_mistakes(experiment, catalog, faults)
    if not experiment.faults or not experiment.targets:
        yield "faults and targets each need at least one entry"
    if experiment.timeline.observe_s <= RECOVERY_S:
        yield f"timeline.observe_s: recovery is {RECOVERY_S:g} seconds of being well; observe for longer"
    for key in ("reads_per_s", "writes_per_s"):
        if not getattr(experiment.probing, key) > 0:
            yield f"probing.{key}: has to be above 0"


def _name_mistakes(experiment: FaultExperiment, catalog: Catalog, faults: Collection[str]) -> Iterator[str]:
    targets = []
    for index, name in enumerate(experiment.targets):
        try:
            targets.append(catalog.target(name))
        except UsageError as unknown:
            yield f"targets[{index}]: {unknown.what}"
    if len(set(targets)) < len(targets):
        yield "targets: the same target is named twice"
    for index, beginning in enumerate(experiment.faults):
        if not ids_of([beginning], faults):
            yield f"faults[{index}]: no fault {beginning!r}{did_you_mean(beginning, faults)}"
    for name, number in experiment.replicas.items():
        yield from _replica_mistakes(catalog, name, number)


def _replica_mistakes(catalog: Catalog, name: str, number: int) -> Iterator[str]:
    try:
        target = catalog.target(name)
    except UsageError as unknown:
        yield f"replicas: {unknown.what}"
        return
    if number > 1 and target.edge is None:
        yield f"replicas: {target}: several replicas need an edge"


def ids_of(beginnings: Sequence[str], faults: Collection[str]) -> list[str]:
    """The ids that are, or else begin with, one of the texts, in the order in which the faults are told."""

    def is_meant(name: str, text: str) -> bool:
        return name == text if text in faults else bool(text) and name.startswith(text)

    return [name for name in faults if any(is_meant(name, each) for each in beginnings)]


def make_fault_plan(
    catalog: Catalog,
    experiment: FaultExperiment,
    *,
    name: str,
    facts: Mapping[str, FaultFacts],
    skipped: Mapping[str, str],
    experiment_hash: str,
) -> FaultPlan:
    """The plan of a run: each repetition has every fault on every target once, shuffled by the experiment's seed.

    ``skipped`` maps ``FAULT TARGET`` to why the fault has no meaning there.

    Raises:
        UsageError: no cell is left.
    """
    targets = [catalog.target(each) for each in experiment.targets]
    ids = ids_of(experiment.faults, facts)
    pairs = [
        (fault, str(target)) for fault in ids for target in targets if f"{fault} {target}" not in skipped
    ]
    if not pairs:
        reasons = "; ".join(f"{cell}: {reason}" for cell, reason in skipped.items())
        raise UsageError(f"experiment {name}: no fault has a meaning on any of its targets ({reasons})")
    return FaultPlan(
        name=name,
        experiment=msgspec.structs.replace(
            experiment,
            faults=tuple(ids),
            targets=tuple(str(target) for target in targets),
            replicas=_replicas_of(catalog, experiment, targets),
        ),
        faults={each: facts[each] for each in ids},
        cells=tuple(
            cell
            for repetition in range(1, experiment.repetitions + 1)
            for cell in _repetition(repetition, pairs, experiment.seed)
        ),
        skipped=dict(skipped),
        hashes=fault_hashes(catalog, targets, experiment_hash=experiment_hash),
    )


def fault_hashes(catalog: Catalog, targets: list[Target], *, experiment_hash: str) -> dict[str, str]:
    """SHA-256 of all that decides what comes of a cell."""
    return {"experiment": experiment_hash, **catalog.hashes(targets=targets, workloads=[])}


def seconds_of(timeline: Timeline) -> float:
    """How long a stack with the timeline is probed."""
    return timeline.settle_s + timeline.baseline_s + timeline.hold_s + timeline.observe_s


def _replicas_of(catalog: Catalog, experiment: FaultExperiment, targets: Sequence[Target]) -> dict[str, int]:
    """What the experiment says of these targets, by their full names."""
    named = {str(catalog.target(name)): number for name, number in experiment.replicas.items()}
    return {str(target): named[str(target)] for target in targets if str(target) in named}


def _repetition(number: int, pairs: Sequence[tuple[str, str]], seed: int) -> list[PlannedCell]:
    cells = [
        PlannedCell(
            id=f"r{number:02}-{fault}-{target}".replace(":", "."),
            fault=fault,
            target=target,
            repetition=number,
        )
        for fault, target in pairs
    ]
    random.Random(f"{seed}/{number}").shuffle(cells)  # noqa: S311 - not a secret
    return cells
