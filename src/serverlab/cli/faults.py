"""The verb that breaks stacks."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter, validators

from serverlab import host, store
from serverlab.analysis.failures import failed_since
from serverlab.catalog import read_fault_experiment
from serverlab.catalog.breaking import ids_of
from serverlab.cli.context import Context, show, show_json
from serverlab.compose import Database
from serverlab.errors import Exit, Interrupted, UsageError
from serverlab.faults import FAULTS
from serverlab.formatting import ABSENT, did_you_mean, plural, seconds
from serverlab.model.fault_runs import FaultExperiment, FaultPlan, FaultRun
from serverlab.model.faults import Cell, Verdict
from serverlab.model.records import CoreSplit, Environment
from serverlab.runner import provenance
from serverlab.runner.breaking import Broken, plan_faults, resume_faults, seconds_left, start_faults
from serverlab.runner.run import Describe

Flag = Annotated[bool, Parameter(negative="")]
Repetitions = Annotated[int, Parameter(validator=validators.Number(gte=1))]

EXPERIMENT = "faults"
HEAD = ("verdict", "fault", "target", "lost", "failed", "longest gap", "recovery", "why")
UNDECIDED = (Verdict.VOID, Verdict.UNKNOWN)


class Faults:
    """The verb, bound to a context."""

    def __init__(self, context: Context) -> None:
        """Work with this checkout and engine."""
        self._context = context

    def faults(
        self,
        *,
        experiment: str | None = None,
        only: str | None = None,
        targets: str | None = None,
        repetitions: Repetitions | None = None,
        resume: str | None = None,
        dry_run: Flag = False,
        json: Flag = False,
    ) -> int:
        """Break every target of an experiment by every fault, save each cell, and print what it cost.

        Columns: writes that were acknowledged and are lost, requests that failed, the longest time in seconds without a
        success, seconds from the end of the fault to being well again. Exit code 1 when a verdict is FAIL, which is to
        be expected of some servers; else 5 when a cell is VOID or UNKNOWN; 4 when a stop condition ended the run.

        Parameters
        ----------
        experiment
            Path or name of an experiment that names faults: faults, the short set, if it is not said; faults-full has
            all of them.
        only
            These faults in the place of the experiment's: ids, or beginnings of ids, separated by commas: F-09,F-2.
        targets
            These targets in the place of the experiment's, separated by spaces: gunicorn:gthread+nginx.
        repetitions
            How often each fault is tried on each target.
        resume
            Go on with this run (EXPERIMENT/RUN or its path) as it began, instead of starting one.
        dry_run
            Print the plan, of a run that is resumed what is left of it, and the estimated time; break nothing.
        json
            For a machine to read.
        """
        if resume is not None:
            _refuse_beside_resume(experiment=experiment, only=only, targets=targets, repetitions=repetitions)
            path = store.find_fault_run(self._context.root / "results", resume)
            if dry_run:
                run = store.read_fault_run(path)
                left = msgspec.structs.replace(run.plan, cells=store.pending_cells(run))
                return _show_plan(left, json=json)
            return self._print(self._resume(path), json=json)
        plan = self._plan(experiment or EXPERIMENT, only=only, targets=targets, repetitions=repetitions)
        return _show_plan(plan, json=json) if dry_run else self._print(self._start(plan), json=json)

    def _plan(
        self, name: str, *, only: str | None, targets: str | None, repetitions: int | None
    ) -> FaultPlan:
        catalog = self._context.sound_catalog
        named = Path(name)
        path = named if named.suffix else self._context.root / "experiments" / f"{name}.toml"
        experiment = read_fault_experiment(path, catalog, FAULTS)
        if only is not None:
            experiment = msgspec.structs.replace(experiment, faults=tuple(chosen_faults(only)))
        if targets is not None:
            chosen = tuple(dict.fromkeys(str(catalog.target(each)) for each in targets.split()))
            experiment = msgspec.structs.replace(experiment, targets=chosen)
        if repetitions is not None:
            experiment = msgspec.structs.replace(experiment, repetitions=repetitions)
        wanted = {each: FAULTS[each] for each in ids_of(experiment.faults, FAULTS)}
        return plan_faults(catalog, experiment, wanted, name=path.stem, experiment_hash=_hash(experiment))

    def _start(self, plan: FaultPlan) -> Broken:
        describe = self._describer(plan)
        cores = host.cores_of(self._context.engine)
        return start_faults(
            self._context.lab,
            plan,
            FAULTS,
            cores=cores,
            describe=describe,
            clock=self._context.clock,
            machine=self._context.machine,
        )

    def _resume(self, path: Path) -> Broken:
        plan = store.read_fault_run(path).plan
        if gone := sorted(plan.faults.keys() - FAULTS.keys()):
            raise UsageError(f"{path}: this lab has no fault {', '.join(gone)}", "Start a new run.")
        return resume_faults(
            self._context.lab,
            path,
            FAULTS,
            describe=self._describer(plan),
            clock=self._context.clock,
            machine=self._context.machine,
        )

    def _describer(self, plan: FaultPlan) -> Describe:
        """A function that describes a run of the plan, with every image that its stacks may be made of."""
        catalog = self._context.sound_catalog
        chosen = [catalog.target(name) for name in plan.experiment.targets]
        named = {target.server for target in chosen} | {target.edge for target in chosen}
        others = (catalog.servers.keys() | catalog.edges.keys()) - named
        images = {name: facts for name, facts in self._context.images().items() if name not in others}
        plain = provenance.describer(self._context.lab, images=images, database=Database.SQLITE)

        def describe(run: str, splits: Mapping[str, CoreSplit]) -> Environment:
            return msgspec.structs.replace(
                plain(run, splits), seed=plan.experiment.seed, hashes=dict(plan.hashes)
            )

        return describe

    def _print(self, broken: Broken, *, json: bool) -> int:
        run = store.read_fault_run(broken.path)
        if json:
            show_json({"run": run.name, "cells": run.cells, "skipped": run.plan.skipped})
        else:
            show("\n".join(table_lines(run)))
        for problem in run.problems:
            self._context.say(f"{problem}")
        self._context.say(f"cells: {broken.path}")
        if broken.stopped:
            raise Interrupted(
                f"stopped: {broken.stopped}", f"Go on with: serverlab faults --resume {run.name}"
            )
        return int(_exit(run.cells))


def register(app: App, context: Context) -> None:
    """Add the verb to the app."""
    app.command(Faults(context).faults)


def chosen_faults(only: str) -> list[str]:
    """The ids that are, or begin with, one of the comma-separated texts.

    Raises:
        UsageError: a text is the beginning of none.
    """
    beginnings = [part.strip() for part in only.split(",")]
    for beginning in beginnings:
        if not ids_of([beginning], FAULTS):
            near = did_you_mean(beginning, FAULTS)
            raise UsageError(f"no fault {beginning!r}{near}", f"Known: {', '.join(FAULTS)}")
    return ids_of(beginnings, FAULTS)


def table_lines(run: FaultRun) -> list[str]:
    """The cells in the order of their faults and targets, what is n/a, and how many there are of each verdict."""
    order = list(run.plan.faults)
    cells = sorted(
        run.cells, key=lambda cell: (order.index(cell.planned.fault), cell.planned.target, cell.planned.id)
    )
    rows = [HEAD, *(_row(cell) for cell in cells)]
    for named, reason in run.plan.skipped.items():
        fault, target = named.split(" ", 1)
        rows.append((Verdict.NA.value, fault, target, *[ABSENT] * 4, reason))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
    lines = [
        "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]
    counts = Counter(cell.judgement.verdict for cell in run.cells)
    summary = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    return [*lines, f"{plural(len(run.cells), 'cell')}: {summary or 'none'}"]


def _row(cell: Cell) -> tuple[str, ...]:
    judgement, planned = cell.judgement, cell.planned
    toll = judgement.toll
    found = (
        (
            str(toll.lost),
            ABSENT if (failed := failed_since(toll)) is None else str(failed),
            seconds(toll.longest_gap_s),
            seconds(toll.to_recovery_s),
        )
        if toll
        else (ABSENT,) * 4
    )
    return (judgement.verdict.value, planned.fault, planned.target, *found, judgement.reason)


def _show_plan(plan: FaultPlan, *, json: bool) -> int:
    estimate_s = seconds_left(plan, plan.cells)
    if json:
        show_json({"plan": plan, "estimated_s": estimate_s})
        return int(Exit.OK)
    lines = [f"{each.repetition:>3}  {each.fault:6}  {each.target}" for each in plan.cells]
    lines += [f"n/a  {cell}: {reason}" for cell, reason in plan.skipped.items()]
    total = f"{plural(len(plan.cells), 'cell')}, about {estimate_s / 60:.0f} minutes"
    show("\n".join([plan.experiment.question, *lines, total]))
    return int(Exit.OK)


def _refuse_beside_resume(**options: object) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UsageError(
            f"--{given[0]} cannot be changed in a run that is resumed",
            "It goes on as it began; start a new run.",
        )


def _hash(experiment: FaultExperiment) -> str:
    return hashlib.sha256(msgspec.json.encode(experiment)).hexdigest()


def _exit(cells: Sequence[Cell]) -> Exit:
    verdicts = {cell.judgement.verdict for cell in cells}
    if Verdict.FAIL in verdicts:
        return Exit.VERDICT_FAILED
    return Exit.NOT_ENOUGH_EVIDENCE if verdicts & set(UNDECIDED) else Exit.OK
