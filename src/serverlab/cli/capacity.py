"""The verb that searches: capacity."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from serverlab import capacity, host, store
from serverlab.analysis.capacity import Cell, cells_of, search_of
from serverlab.analysis.capacity_joining import refuse_unlike
from serverlab.analysis.capacity_tabulating import capacity_table
from serverlab.catalog import make_plan, read_experiment
from serverlab.catalog.checks import experiment_mistakes
from serverlab.cli.context import Context, show
from serverlab.cli.until import refuse_beside_resume
from serverlab.compose import Cache, Database
from serverlab.errors import Exit, UsageError
from serverlab.formatting import plural
from serverlab.model.capacity import Asked, Outcome, Purpose, Search
from serverlab.model.capacity_tables import CapacityTable
from serverlab.model.ceilings import MOST_TRIES, Connections
from serverlab.model.definitions import Workload
from serverlab.model.records import Plan
from serverlab.model.runs import Run
from serverlab.reports.capacity import FORMATS
from serverlab.runner import provenance
from serverlab.runner.capacity import formed_by, resume_search, start_search, unsearched
from serverlab.runner.run import images_of
from serverlab.runner.timing import SETUP_S, ceilings_left_s

USUAL_RATE, USUAL_SHARE = 400.0, 0.9
"""What a plan is timed with: what a server answers per second, and how much of that within the objectives."""

Flag = Annotated[bool, Parameter(negative="")]


class Capacities:
    """The verb, bound to a context."""

    def __init__(self, context: Context) -> None:
        """Work with this checkout and engine."""
        self._context = context

    def capacity(
        self,
        *targets: str,
        experiment: str = "capacity",
        workload: str | None = None,
        slo: Annotated[tuple[str, ...], Parameter(negative="")] = (),
        db: Database | None = None,
        cache: Cache | None = None,
        resume: str | None = None,
        dry_run: Flag = False,
        format: str = "text",  # noqa: A002 - the option's name
    ) -> int:
        """Search for the highest rate that each target carries within the objectives, and measure latency below it.

        Exit code 5 when the trials do not tell the capacity of a target. Ctrl-C keeps what was measured.

        Parameters
        ----------
        targets
            SERVER[:VARIANT][+EDGE], for example gunicorn:gthread+nginx; those of the experiment if none is named.
        experiment
            Path or name of the experiment with a [capacity] table that says how to search.
        workload
            Another workload than the experiment's.
        slo
            An objective in the place of the experiment's: p99<=250ms, errors<=0.1%. May be repeated.
        db
            Where the app keeps its rows: sqlite if it is not said.
        cache
            Where the app keeps what its processes share, unless a workload asks for Redis: database if it is not said.
        resume
            Go on with this search (capacity/RUN or its path) instead of starting one.
        dry_run
            Print what would be searched and how long it takes at most, and measure nothing.
        format
            text, markdown or json.
        """
        if format not in FORMATS:
            raise UsageError(f"unknown format {format!r}", f"Known: {', '.join(FORMATS)}")
        if resume is not None:
            if targets or workload or slo:
                raise UsageError("--resume goes on with a search as it began: name nothing else")
            if dry_run:
                raise UsageError("--dry-run: what is left of a search follows from what its trials will tell")
            refuse_beside_resume(db=db, cache=cache)
            path = self._resume(resume)
        else:
            plan = self._plan(experiment, targets, workload, slo)
            if dry_run:
                show(_planned(plan))
                return int(Exit.OK)
            path = self._start(plan, db or Database.SQLITE, cache or Cache.DATABASE)
        return print_capacities(self._context, path, format)

    def _plan(self, name: str, targets: tuple[str, ...], workload: str | None, slo: tuple[str, ...]) -> Plan:
        catalog = self._context.sound_catalog
        path = Path(name) if Path(name).suffix else self._context.root / "experiments" / f"{name}.toml"
        read = read_experiment(path, catalog)
        if read.capacity is None:
            raise UsageError(f"{path}: it has no [capacity] table", f"Say: serverlab run {name}")
        changed = msgspec.structs.replace(
            read,
            targets=targets or read.targets,
            workloads=(workload,) if workload else read.workloads,
            rounds=1,
            capacity=msgspec.structs.replace(read.capacity, slo=slo or read.capacity.slo),
        )
        if wrong := list(experiment_mistakes(changed, catalog)):
            raise UsageError("\n".join(wrong), "`serverlab list` names targets and workloads.")
        digest = hashlib.sha256(msgspec.json.encode(changed)).hexdigest()
        return unsearched(make_plan(catalog, changed, name=path.stem, experiment_hash=digest))

    def _start(self, plan: Plan, database: Database, cache: Cache) -> Path:
        lab, context = self._context.lab, self._context
        facts = images_of(context.images(), plan, database, cache)
        describe = provenance.describer(lab, images=facts, database=database, cache=cache, plan=plan)
        return start_search(lab, plan, cores=host.cores_of(context.engine), describe=describe)

    def _resume(self, name: str) -> Path:
        context = self._context
        path = store.find_run(context.root / "results", name)
        run = store.read_run(path)
        database = Database(run.environment.database)
        cache = Cache(run.environment.cache or Cache.DATABASE)
        facts = images_of(context.images(), run.plan, database, cache)
        describe = provenance.describer(
            context.lab, images=facts, database=database, cache=cache, plan=run.plan
        )
        return resume_search(context.lab, path, describe=describe)


def register(app: App, context: Context) -> None:
    """Add the verb to the app."""
    app.command(Capacities(context).capacity)


def print_capacities(context: Context, path: Path, format_name: str) -> int:
    """Print what the search in ``path`` found, and write it beside the run; 5 where a capacity is not known."""
    if format_name not in FORMATS:
        raise UsageError(f"format {format_name!r}: not of a search", f"Known: {', '.join(FORMATS)}")
    table = capacity_table(store.read_run(path))
    for name, suffix in (("json", "json"), ("markdown", "md")):
        store.write_table(path, text=FORMATS[name](table), suffix=suffix)
    show(FORMATS[format_name](table))
    context.say(f"results: {path} (table.json, table.md)")
    return _exit_code(table)


def print_together(runs: Sequence[Run], format_name: str, *, unlike: bool) -> int:
    """Print what these searches found in one table; 5 where a capacity is not known.

    Raises:
        UsageError: they did not search for the same, or they are ``unlike`` though that was not asked for.
    """
    table = capacity_table(*runs)
    if not unlike:
        refuse_unlike(table)
    show(FORMATS[format_name](table))
    return _exit_code(table)


def _exit_code(table: CapacityTable) -> int:
    rows = [row for section in table.sections for row in section.rows if row.lacks is None]
    unknown = bool(table.slo) and any(row.found.outcome is Outcome.UNKNOWN for row in rows)
    return int(Exit.NOT_ENOUGH_EVIDENCE if unknown else Exit.OK)


def _planned(plan: Plan) -> str:
    search, cells = search_of(plan), cells_of(plan)
    usual = capacity.usual_trials(search, throughput=USUAL_RATE, carried=USUAL_SHARE)
    bound = (
        f"{plural(len(cells), 'search', 'searches')} of about {plural(len(usual), 'trial')} each, "
        f"{capacity.most_trials(search)} at most\n"
        f"about {_minutes(_usual_s(plan, cells, usual))} "
        f"at some {USUAL_RATE:g} requests/s and with no trial VOID, {_minutes(_most_s(plan, cells, usual))} at most"
    )
    lines = [
        plan.experiment.question,
        *(f"{cell.target}  {cell.workload}  {cell.cpus} CPU" for cell in cells),
        *(f"n/a  {cell}: lacks {need}" for cell, need in plan.skipped.items()),
        f"objectives: {', '.join(search.slo) or 'none, only the curve'}",
        bound,
    ]
    return "\n".join(lines)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes"


def _usual_s(plan: Plan, cells: Sequence[Cell], trials: Sequence[Asked]) -> float:
    """How long the searches take where each makes these trials, with the ceilings of the generator."""
    asking = _asking(plan, cells, trials)
    return sum(SETUP_S + each.warmup_s + each.duration_s for each, _ in asking) + ceilings_left_s(asking)


def _most_s(plan: Plan, cells: Sequence[Cell], trials: Sequence[Asked]) -> float:
    """How long the searches take at most: every rate is the lowest, no answer comes, and all that may be VOID is.

    Each ceiling is then measured in vain as often as it is tried, with connections that are kept and with new ones.
    """
    searches_s = sum(_most_of_one_s(search_of(plan), plan.workloads[cell.workload]) for cell in cells)
    return searches_s + MOST_TRIES * len(Connections) * ceilings_left_s(_asking(plan, cells, trials))


def _asking(plan: Plan, cells: Sequence[Cell], trials: Sequence[Asked]) -> list[tuple[Workload, int]]:
    """The workload of each trial with the budget of its stack."""
    search = search_of(plan)
    return [
        (formed_by(plan.workloads[cell.workload], search, asked), cell.cpus)
        for cell in cells
        for asked in trials
    ]


def _most_of_one_s(search: Search, workload: Workload) -> float:
    around_s = SETUP_S + workload.timeout_s
    curve_s = len(search.curve) * search.curve_rounds * (around_s + workload.warmup_s + search.curve_s)
    if not search.slo:
        return curve_s
    slowest = formed_by(workload, search, Asked(purpose=Purpose.CONFIRM, rate=search.lowest_rate))
    each_s = around_s + slowest.warmup_s + slowest.duration_s
    closed_s = capacity.TRIES * (around_s + workload.warmup_s + search.closed_s)
    searching_s = min(search.probes * each_s, search.budget_s + each_s)
    others = search.confirmations + capacity.TRIES * len(search.shares)
    return closed_s + searching_s + others * each_s + curve_s
