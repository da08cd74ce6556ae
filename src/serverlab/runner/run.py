"""A run: every trial of an experiment in its planned order, each saved before the next begins."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from serverlab import analysis, host, store
from serverlab.catalog import Catalog, with_a_round_more
from serverlab.compose import BY_HAND, ENGINE_ERRORS, Cache, Database, Engine
from serverlab.errors import EnvironmentLacks, Interrupted, NotEnoughEvidence
from serverlab.formatting import harmless, plural
from serverlab.lock import LOCK, only_lab
from serverlab.model.definitions import Target
from serverlab.model.records import (
    CoreSplit,
    Environment,
    ImageFacts,
    Plan,
    PlannedTrial,
    State,
    Trial,
    Until,
)
from serverlab.runner import ceiling
from serverlab.runner.ending import engine_lost, leaving_nothing, needing_the_engine
from serverlab.runner.leftovers import end_journals
from serverlab.runner.resuming import refuse_changed, refuse_unlike
from serverlab.runner.timing import seconds_left, seconds_of
from serverlab.runner.trial import Bench, run_trial, settings_of
from serverlab.shell import Shell

NEEDED_BYTES = 1 << 30
"""Free disk that a run asks for before it begins."""

Describe = Callable[[str, Mapping[str, CoreSplit]], Environment]
"""Makes the environment of the run with that name."""


@dataclass(frozen=True)
class Lab:
    """What every verb that touches containers works with; ``unbuilt`` are images that could not be built, and why."""

    root: Path
    shell: Shell
    engine: Engine
    catalog: Catalog
    say: Callable[[str], None]
    lock: Path = LOCK
    unbuilt: Mapping[str, str] = field(default_factory=dict)

    @property
    def results(self) -> Path:
        """Where the runs lie."""
        return self.root / "results"


def start_run(lab: Lab, plan: Plan, *, cores: Sequence[int], describe: Describe) -> Path:
    """Make a new run of the plan, measure all of its trials, and return its folder.

    Raises:
        Interrupted: the user stopped it; what was measured is kept.
        NotEnoughEvidence: no trial gave a number.
        EnvironmentLacks: another lab or a stack is alive, or the disk is full.
    """
    with only_lab(lab.lock):
        clear_the_machine(lab)
        splits = {str(cpus): host.assign_cores(cpus, cores) for cpus in plan.experiment.cpus}
        run = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        environment = describe(run, splits)
        path = store.create_run(lab.results, plan=plan, environment=environment)
        _measure_all(lab, path, plan, environment, plan.trials)
        _add_rounds(lab, path)
        return path


def resume_run(lab: Lab, path: Path, *, describe: Describe, until: Until | None = None) -> Path:
    """Measure the trials that the run in ``path`` still lacks; ``until`` takes the place of the run's own.

    Raises:
        UsageError: the lab, the servers or the machine are not what the run began with.
        Otherwise as start_run.
    """
    with only_lab(lab.lock):
        clear_the_machine(lab)
        run = store.read_run(path)
        now = describe(run.environment.run, run.environment.core_splits)
        refuse_unlike(run.environment, now)
        refuse_changed(run.plan.name, run.plan.hashes, now=hashes_now(run.plan, lab.catalog))
        for problem in run.problems:
            lab.say(f"{problem}")
        if until is not None:
            store.replace_plan(path, msgspec.structs.replace(run.plan, until=until))
        _measure_all(lab, path, run.plan, run.environment, store.pending(run))
        _add_rounds(lab, path)
        return path


def clear_the_machine(lab: Lab) -> None:
    """Remove what a killed run left behind.

    Raises:
        EnvironmentLacks: a stack that a person started is alive, or the engine does not answer.
    """
    with needing_the_engine(hint="Nothing was begun; try again when it runs (`serverlab doctor`)."):
        alive = lab.engine.labels()
        if BY_HAND in alive or "by-hand" in alive:
            raise EnvironmentLacks(
                "a stack is up; one stack at a time", "`make down` stops it, `make ps` shows it."
            )
        if removed := lab.engine.remove_all():
            lab.say(f"removed what an earlier run left behind: {', '.join(removed)}")
        end_journals(lab.results, lab.engine, lab.say)


def _add_rounds(lab: Lab, path: Path) -> None:
    """Add a round at a time until the plan's ``until`` is reached, or another round would exceed its budget."""
    run = store.read_run(path)
    while (wanted := analysis.precision(run.plan, analysis.tabulate(run).sections)) and not wanted.reached:
        plan = with_a_round_more(run.plan)
        if seconds_of(run, plan) > wanted.until.budget_s:
            break
        lab.say(f"round {plan.experiment.rounds} is added: {_widest(wanted)}")
        store.replace_plan(path, plan)
        _measure_all(lab, path, plan, run.environment, plan.trials[len(run.plan.trials) :])
        run = store.read_run(path)
    if wanted:
        lab.say(f"rounds {wanted}")


def _widest(wanted: analysis.Precision) -> str:
    return f"{plural(len(wanted.wide), 'row')} not yet within {wanted.until}"


def _measure_all(
    lab: Lab, path: Path, plan: Plan, environment: Environment, pending: Sequence[PlannedTrial]
) -> None:
    made: list[Trial] = []
    bench = bench_of(lab)
    with keeping(lab, path, made, verb="run", before=len(plan.trials) - len(pending)):
        for index, planned in enumerate(pending):
            check_disk(path)
            left = seconds_left(pending[index:], plan, made, store.read_ceilings(path))
            lab.say(f"trial {index + 1}/{len(pending)} · {_named(planned)} · {_clock(left)} left")
            make_and_save(bench, path, plan, environment, planned, made=made)
            lab.say(f"    {outcome(made[-1])}")
    if made and all(trial.state is State.VOID for trial in store.read_run(path).trials):
        raise NotEnoughEvidence(
            f"every trial was VOID, the last one: {made[-1].void_reasons[0]}", f"See {path}"
        )


@contextmanager
def keeping(lab: Lab, path: Path, made: Sequence[object], *, verb: str, before: int = 0) -> Iterator[None]:
    """Whatever ends the trials that are ``made`` within: no container is left, and it is said how to go on.

    It is also said how many trials the run has, with those that it had ``before``.
    """
    go_on = f"serverlab {verb} --resume {path.parent.name}/{path.name}"
    try:
        with leaving_nothing(lab.engine, say=lab.say):
            yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; {before + len(made)} trials of this run are saved in {path}", f"Go on with: {go_on}"
        ) from None
    except ENGINE_ERRORS as broke:
        hint = f"{before + len(made)} trials are saved. When it runs again: {go_on}"
        raise engine_lost(broke, hint=hint) from None


def bench_of(lab: Lab) -> Bench:
    """What the lab makes its trials with."""
    return Bench(
        root=lab.root,
        shell=lab.shell,
        engine=lab.engine,
        catalog=lab.catalog,
        steal_s=host.steal_s,
        unbuilt=lab.unbuilt,
    )


def make_and_save(
    bench: Bench,
    path: Path,
    plan: Plan,
    environment: Environment,
    planned: PlannedTrial,
    *,
    made: list[Trial],
) -> None:
    """Make the planned trial, add it with all that explains it to the run, and then to those that are ``made``.

    The generator's ceiling comes after that: whatever becomes of it, the trial is kept.
    """
    label, workload = f"{plan.name}-{environment.run}", plan.workloads[planned.workload]
    settings = settings_of(bench.catalog, planned, workload, environment=environment, label=label)
    server = settings.target.server
    image = environment.images.get(server)
    done = run_trial(
        bench,
        planned,
        workload,
        settings,
        image_bytes=image.size_bytes if image else None,
        packages=store.read_packages(path).of(server),
    )
    measured = done.trial.state is State.MEASURED
    store.keep_packages(path, done.packages, server=server if measured else None)
    for kind, text in done.raw.items():
        store.write_raw(path, trial_id=planned.id, kind=kind, text=text)
    store.append_trial(path, done.trial)  # then it has all that explains it, too
    made.append(done.trial)
    if measured:
        ceiling.keep_ceiling(bench, path, done.trial.setup, split=settings.split, label=label)


def check_disk(path: Path) -> None:
    """Raise EnvironmentLacks where the disk has too little room for another trial."""
    free = shutil.disk_usage(path).free
    if free < NEEDED_BYTES:
        raise EnvironmentLacks(
            f"{path}: only {free >> 20} MiB are free, a run needs {NEEDED_BYTES >> 20}",
            "What was measured is saved. Make room (`docker system df` shows what the engine holds), then resume.",
        )


def hashes_now(plan: Plan, catalog: Catalog) -> dict[str, str]:
    """What the files that the plan is about are now, as in its ``hashes``."""
    targets = [Target.parse(name) for name in plan.experiment.targets]
    return catalog.hashes(targets=targets, workloads=list(plan.workloads))


def _named(planned: PlannedTrial) -> str:
    control = " · control" if planned.control else ""
    return f"round {planned.round} · {planned.target} · {planned.workload} · {planned.cpus} CPU{control}"


def outcome(trial: Trial) -> str:
    """What came out, in a line."""
    if trial.state is State.VOID or trial.load is None:
        return f"VOID: {harmless(trial.void_reasons[0])}"
    errors = sum(failure.count for failure in trial.load.failures)
    return f"{trial.load.ok / trial.load.window_s:.0f} requests/s, {errors} errors"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def images_of(
    images: Mapping[str, ImageFacts], plan: Plan, database: Database, cache: Cache = Cache.DATABASE
) -> dict[str, ImageFacts]:
    """The images that the plan's trials use."""
    caches = {cache.value, *(workload.cache for workload in plan.workloads.values())}
    used = {"app", "load", ceiling.IMAGE, *(["postgres"] if database is Database.POSTGRES else [])}
    used |= {"redis"} & caches
    for name in plan.experiment.targets:
        server, _, edge = name.partition("+")
        used |= {server.split(":")[0], *([edge] if edge else [])}
    return {name: facts for name, facts in images.items() if name in used}
