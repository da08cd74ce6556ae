"""The verb that searches: capacity."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from serverlab import capacity, host, store
from serverlab.analysis.capacity import capacity_table, cells_of, search_of
from serverlab.catalog import make_plan, read_experiment
from serverlab.catalog.checks import experiment_mistakes
from serverlab.cli.context import Context, show
from serverlab.compose import Cache, Database
from serverlab.errors import Exit, UsageError
from serverlab.formatting import plural
from serverlab.model.capacity import Outcome, Search
from serverlab.model.records import Plan
from serverlab.reports.capacity import FORMATS
from serverlab.runner import provenance
from serverlab.runner.capacity import resume_search, start_search, unsearched
from serverlab.runner.run import SETUP_S, images_of

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
        db: Database = Database.SQLITE,
        cache: Cache = Cache.DATABASE,
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
            Where the app keeps its rows.
        cache
            Where the app keeps what its processes share, unless a workload asks for Redis.
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
            path = self._resume(resume)
        else:
            plan = self._plan(experiment, targets, workload, slo)
            if dry_run:
                show(_planned(plan))
                return int(Exit.OK)
            path = self._start(plan, db, cache)
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
    rows = [row for section in table.sections for row in section.rows if row.lacks is None]
    unknown = bool(table.slo) and any(row.found.outcome is Outcome.UNKNOWN for row in rows)
    return int(Exit.NOT_ENOUGH_EVIDENCE if unknown else Exit.OK)


def _planned(plan: Plan) -> str:
    search, cells = search_of(plan), cells_of(plan)
    bound = (
        f"{plural(len(cells), 'search', 'searches')} of at most {capacity.most_trials(search)} trials each, "
        f"about {len(cells) * _most_s(plan, search) / 60:.0f} minutes at most"
    )
    lines = [
        plan.experiment.question,
        *(f"{cell.target}  {cell.workload}  {cell.cpus} CPU" for cell in cells),
        *(f"n/a  {cell}: lacks {need}" for cell, need in plan.skipped.items()),
        f"objectives: {', '.join(search.slo) or 'none, only the curve'}",
        bound,
    ]
    return "\n".join(lines)


def _most_s(plan: Plan, search: Search) -> float:
    """How long one search takes at most where every window has its usual length."""
    warmup_s = max(plan.workloads[name].warmup_s for name in plan.experiment.workloads)
    closed = len(search.curve) * search.curve_rounds
    each_s = SETUP_S + warmup_s
    opened = capacity.most_trials(search) - closed
    return opened * (each_s + search.duration_s) + closed * (each_s + search.curve_s)
