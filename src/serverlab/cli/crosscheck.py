"""The verb that lets other generators measure what the lab's own measures: crosscheck."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter, validators

from serverlab import host, store
from serverlab.analysis.crosscheck import crosscheck_table
from serverlab.catalog import read_experiment
from serverlab.catalog.planning import overridden
from serverlab.cli.context import Context, show
from serverlab.compose import Database
from serverlab.errors import Exit, NotEnoughEvidence, UsageError
from serverlab.model.crosscheck import CrossPlan
from serverlab.reports.crosscheck import FORMATS
from serverlab.runner import provenance
from serverlab.runner.crosscheck import resume_crosscheck, start_crosscheck
from serverlab.runner.run import Describe
from serverlab.runner.witnessing import WORKLOAD
from serverlab.store.crosschecks import read_crosscheck

EXPERIMENT = "crosscheck"
LONGEST_S = 40.0
"""Of warm-up and window: the engine's connection waits no longer for a witness that says nothing meanwhile."""

Rounds = Annotated[int, Parameter(validator=validators.Number(gte=1))]


class Crosschecks:
    """The verb, bound to a context."""

    def __init__(self, context: Context) -> None:
        """Work with this checkout and engine."""
        self._context = context

    def crosscheck(
        self,
        *targets: str,
        experiment: str | None = None,
        rounds: Rounds | None = None,
        resume: str | None = None,
        show_run: Annotated[str | None, Parameter(name="--show")] = None,
        format: str = "text",  # noqa: A002 - the option's name
    ) -> int:
        """Let wrk and h2load measure what the lab's generator measures, and tell whether they agree.

        Exit code 0 also where a tool disagrees, since that is a result; 5 where every measurement was VOID.

        Parameters
        ----------
        targets
            SERVER[:VARIANT][+EDGE], for example gunicorn:gthread; those of the experiment if none is named.
        experiment
            Path or name of the experiment that names targets, rounds, seed and load, crosscheck if it is not said; its
            workload is profile.
        rounds
            Another number of rounds.
        resume
            Go on with this cross-check (crosscheck/RUN or its path) instead of starting one.
        show_run
            Print the table of this cross-check and measure nothing.
        format
            text, markdown or json.
        """
        if format not in FORMATS:
            raise UsageError(f"unknown format {format!r}", f"Known: {', '.join(FORMATS)}")
        earlier = resume or show_run
        if earlier and (experiment or targets or rounds or (resume and show_run)):
            raise UsageError(
                "--resume goes on as it began, --show prints what was measured: name nothing else"
            )
        path = self._folder(earlier) if earlier else self._start(experiment or EXPERIMENT, targets, rounds)
        if resume:
            self._resume(path)
        table = crosscheck_table(read_crosscheck(path))
        for name, suffix in (("json", "json"), ("markdown", "md")):
            store.write_table(path, text=FORMATS[name](table) + "\n", suffix=suffix)
        show(FORMATS[format](table))
        self._context.say(f"results: {path} (table.json, table.md)")
        if not any(row.rounds for row in table.rows):
            raise NotEnoughEvidence("every measurement was VOID", f"See {path}")
        return int(Exit.OK)

    def _start(self, experiment: str, targets: tuple[str, ...], rounds: int | None) -> Path:
        context, plan = self._context, self._plan(experiment, targets, rounds)
        return start_crosscheck(
            context.lab, plan, cores=host.cores_of(context.engine), describe=self._describer(plan)
        )

    def _resume(self, path: Path) -> None:
        resume_crosscheck(self._context.lab, path, describe=self._describer(read_crosscheck(path).plan))

    def _folder(self, name: str) -> Path:
        return Path(name) if Path(name).is_dir() else self._context.root / "results" / name

    def _describer(self, plan: CrossPlan) -> Describe:
        used = {"app", "load", "witness"}
        for name in plan.targets:
            server, _, edge = name.partition("+")
            used |= {server.partition(":")[0], *([edge] if edge else [])}
        facts = {name: image for name, image in self._context.images().items() if name in used}
        return provenance.describer(self._context.lab, images=facts, database=Database.SQLITE)

    def _plan(self, name: str, targets: tuple[str, ...], rounds: int | None) -> CrossPlan:
        catalog = self._context.sound_catalog
        path = Path(name) if Path(name).suffix else self._context.root / "experiments" / f"{name}.toml"
        read = read_experiment(path, catalog)
        if read.workloads != (WORKLOAD,):
            raise UsageError(f"{path}: a cross-check is of the workload {WORKLOAD} alone")
        chosen = list(dict.fromkeys(catalog.target(each) for each in targets or read.targets))
        workload = overridden(catalog.workload(WORKLOAD), read.load)
        if workload.is_open or workload.warmup_s + workload.duration_s > LONGEST_S:
            raise UsageError(
                f"{path}: a cross-check is closed, its warm-up and window take {LONGEST_S:g} s at most"
            )
        digest = hashlib.sha256(msgspec.json.encode(read)).hexdigest()
        return CrossPlan(
            name=path.stem,
            question=read.question,
            targets=tuple(str(target) for target in chosen),
            workload=workload,
            rounds=rounds or read.rounds,
            seed=read.seed,
            hashes={"experiment": digest, **catalog.hashes(targets=chosen, workloads=[WORKLOAD])},
        )


def register(app: App, context: Context) -> None:
    """Add the verb to the app."""
    app.command(Crosschecks(context).crosscheck)
