"""The verb that measures: run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from serverlab import analysis, host, store
from serverlab.analysis.precision import SETTLED
from serverlab.catalog import make_plan, read_experiment
from serverlab.cli.context import Context, show, show_json
from serverlab.cli.judging import print_table
from serverlab.cli.until import read_until, refuse_beside_resume
from serverlab.compose import Cache, Database
from serverlab.errors import CommandFailed, EnvironmentLacks, NotEnoughEvidence, UsageError
from serverlab.formatting import exact
from serverlab.model.ceilings import Ceilings
from serverlab.model.definitions import Experiment
from serverlab.model.records import ImageFacts, Plan, Trial, Until
from serverlab.model.runs import Run
from serverlab.runner import provenance, resume_run, start_run
from serverlab.runner.run import images_of
from serverlab.runner.timing import seconds_left

Flag = Annotated[bool, Parameter(negative="")]


class Runs:
    """The verb, bound to a context."""

    def __init__(self, context: Context) -> None:
        """Work with this checkout and engine."""
        self._context = context

    def run(
        self,
        experiment: str | None = None,
        *,
        targets: str | None = None,
        rounds: int | None = None,
        db: Database | None = None,
        cache: Cache | None = None,
        until: str | None = None,
        budget: str | None = None,
        resume: str | None = None,
        dry_run: Flag = False,
        fail_fast: Flag = False,
        json: Flag = False,
    ) -> None:
        """Measure every target of an experiment in shuffled rounds, save each trial, and print the table.

        Parameters
        ----------
        experiment
            Path or name of an experiment, for example experiments/quick.toml.
        targets
            Only these targets, separated by spaces (the first is the reference if the experiment's is not among them).
        rounds
            Another number of rounds.
        db
            Where the app keeps its rows: sqlite if it is not said.
        cache
            Where the app keeps what its processes share, unless a workload asks for Redis: database if it is not said.
        until
            Add rounds until every row is this precise: 'ratio ±5%', or 'rps ±5%'; the exit code is 5 if it is not.
        budget
            Add no round that would make the run take longer than this, with the generator's ceilings: 60min (the
            default), 2h, 90s.
        resume
            Go on with this run (EXPERIMENT/RUN or its path) as it began, instead of starting one.
        dry_run
            Print the plan, of a run that is resumed what is left of it, and the estimated time; measure nothing.
        fail_fast
            Measure nothing where an image cannot be built; else the trials of that server are VOID, with the build's
            last lines, the others are measured, and the exit code is 3.
        json
            For a machine to read.
        """
        if (experiment is None) == (resume is None):
            raise UsageError("name either an experiment or, with --resume, a run")
        rule = read_until(until, budget)
        if resume is not None:
            refuse_beside_resume(targets=targets, rounds=rounds, db=db, cache=cache)
            if dry_run:
                _show_left(self._context, resume, rule, json=json)
                return
            path = _resume(self._context, resume, until=rule, fail_fast=fail_fast)
        else:
            plan = _plan(self._context, Path(experiment or ""), targets=targets, rounds=rounds)
            _refuse_schedules(plan, rule)
            plan = msgspec.structs.replace(plan, until=rule)
            if dry_run:
                _show_plan(plan, json=json)
                return
            for warning in _beyond_the_budget(plan):
                self._context.say(warning)
            database, shared = db or Database.SQLITE, cache or Cache.DATABASE
            path = _start(self._context, plan, database=database, cache=shared, fail_fast=fail_fast)
        print_table(self._context, path, "json" if json else "text")
        _check_built(self._context, store.read_run(path).plan)
        _check_precision(path)


def register(app: App, context: Context) -> None:
    """Add the verb to the app."""
    app.command(Runs(context).run)


def _plan(context: Context, experiment: Path, *, targets: str | None, rounds: int | None) -> Plan:
    catalog = context.sound_catalog
    path = experiment if experiment.suffix else context.root / "experiments" / f"{experiment}.toml"
    read = read_experiment(path, catalog)
    if read.capacity:
        raise UsageError(f"{path}: it searches for capacity", f"Say: serverlab capacity --experiment {path}")
    changed = _narrowed(context, read, targets.split()) if targets else read
    if rounds is not None:
        if rounds < 1:
            raise UsageError(f"--rounds {rounds}: at least one round is needed")
        changed = msgspec.structs.replace(changed, rounds=rounds)
    digest = hashlib.sha256(msgspec.json.encode(changed)).hexdigest()
    return make_plan(catalog, changed, name=path.stem, experiment_hash=digest)


def _refuse_schedules(plan: Plan, rule: Until | None) -> None:
    scheduled = [name for name, workload in plan.workloads.items() if workload.is_open]
    if rule is not None and scheduled:
        raise UsageError(
            f"--until {rule}: the requests/s of {', '.join(scheduled)} are those of its schedule, not of the server",
            "Name an experiment whose users wait for their answers, or say --rounds.",
        )


def _narrowed(context: Context, experiment: Experiment, names: list[str]) -> Experiment:
    chosen = list(dict.fromkeys(str(context.sound_catalog.target(name)) for name in names))
    if not chosen:
        raise UsageError(
            "--targets names none", "Leave it out, or say for example --targets 'gunicorn uwsgi'."
        )
    changed = msgspec.structs.replace(experiment, targets=tuple(chosen))
    if experiment.reference is None:
        return changed
    reference = str(context.sound_catalog.target(experiment.reference))
    return msgspec.structs.replace(changed, reference=reference if reference in chosen else chosen[0])


def _show_left(context: Context, name: str, until: Until | None, *, json: bool) -> None:
    _, run = _resumed(context, name, until)
    left = msgspec.structs.replace(run.plan, trials=store.pending(run), until=until or run.plan.until)
    _show_plan(left, json=json, made=run.trials, ceilings=run.ceilings)


def _show_plan(
    plan: Plan, *, json: bool, made: Sequence[Trial] = (), ceilings: Ceilings | None = None
) -> None:
    estimate_s = seconds_left(plan.trials, plan, made, ceilings or Ceilings())
    if json:
        show_json({"plan": plan, "estimated_s": estimate_s})
        return
    lines = [
        f"{each.round:>3}  {each.target}  {each.workload}  {each.cpus} CPU{'  control' if each.control else ''}"
        for each in plan.trials
    ]
    lines += [f"n/a  {cell}: lacks {need}" for cell, need in plan.skipped.items()]
    show(
        "\n".join(
            [
                plan.experiment.question,
                *lines,
                f"{len(plan.trials)} trials, about {estimate_s / 60:.0f} minutes",
                *([f"rounds are added until {plan.until}"] if plan.until else []),
                *([] if made else _beyond_the_budget(plan)),
            ]
        )
    )


def _beyond_the_budget(plan: Plan) -> Iterator[str]:
    """What to say of a plan whose budget ends before an interval can count as narrow."""
    if plan.until is None:
        return
    round_s = seconds_left(plan.trials, plan, (), Ceilings()) / plan.experiment.rounds
    if round_s * SETTLED > plan.until.budget_s:
        yield (
            f"the budget of {exact(plan.until.budget_s / 60)} min will be spent before: an interval counts as narrow "
            f"from {SETTLED} rounds on, which take about {round_s * SETTLED / 60:.0f} min"
        )


def _start(context: Context, plan: Plan, *, database: Database, cache: Cache, fail_fast: bool) -> Path:
    facts = images_of(_images(context, fail_fast=fail_fast), plan, database, cache)
    describe = provenance.describer(context.lab, images=facts, database=database, cache=cache, plan=plan)
    with _naming_images(context, plan):
        return start_run(context.lab, plan, cores=host.cores_of(context.engine), describe=describe)


def _images(context: Context, *, fail_fast: bool) -> dict[str, ImageFacts]:
    """The images; servers whose could not be built are noted in the context, or raised where it is to ``fail_fast``."""

    def note(name: str, failed: CommandFailed) -> None:
        if name not in {*context.sound_catalog.servers, *context.sound_catalog.edges}:
            raise failed
        context.unbuilt[name] = failed.what

    return context.images(on_failure=None if fail_fast else note)


@contextmanager
def _naming_images(context: Context, plan: Plan) -> Iterator[None]:
    """Raise EnvironmentLacks where no trial gave a number and images of the plan could not be built."""
    try:
        yield
    except NotEnoughEvidence:
        _check_built(context, plan)
        raise


def _check_built(context: Context, plan: Plan) -> None:
    used = {part for name in plan.experiment.targets for part in re.split("[:+]", name)}
    if missing := sorted(used & context.unbuilt.keys()):
        raise EnvironmentLacks(
            f"VOID, because their images could not be built: {', '.join(missing)}",
            "The logs are in results/logs; mend what they tell, then start a new run.",
        )


def _check_precision(path: Path) -> None:
    run = store.read_run(path)
    found = analysis.precision(run.plan, analysis.tabulate(run).sections)
    if found and found.reached and found.without:
        raise NotEnoughEvidence(f"without a valid trial: {', '.join(found.without)}", f"See {path}")
    if found and not found.reached:
        raise NotEnoughEvidence(
            f"the budget is spent and not every row is within {found.until}",
            f"Go on with: serverlab run --resume {path.parent.name}/{path.name} --until '{found.until}' --budget TIME",
        )


def _resumed(context: Context, name: str, until: Until | None) -> tuple[Path, Run]:
    """The run that is gone on with, and its folder."""
    path = store.find_run(context.root / "results", name)
    run = store.read_run(path)
    if run.plan.experiment.capacity:
        raise UsageError(f"{path}: a search for capacity", f"Say: serverlab capacity --resume {name}")
    _refuse_schedules(run.plan, until)
    return path, run


def _resume(context: Context, name: str, *, until: Until | None, fail_fast: bool) -> Path:
    path, run = _resumed(context, name, until)
    database = Database(run.environment.database)
    cache = Cache(run.environment.cache or Cache.DATABASE)
    facts = images_of(_images(context, fail_fast=fail_fast), run.plan, database, cache)
    describe = provenance.describer(context.lab, images=facts, database=database, cache=cache, plan=run.plan)
    with _naming_images(context, run.plan):
        return resume_run(context.lab, path, until=until, describe=describe)
