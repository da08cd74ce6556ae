"""A search for capacity: each trial is planned from what the last ones told, and saved before the next is planned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from serverlab import capacity, host, store
from serverlab.analysis.capacity import Cell, cells_of, probe_of, probes_of, search_of, window_s
from serverlab.lock import only_lab
from serverlab.model.capacity import Answer, Asked, Probe, Search
from serverlab.model.definitions import Arrival, Spacing, Workload
from serverlab.model.records import Environment, Plan, PlannedTrial, Trial
from serverlab.model.runs import Run
from serverlab.runner.resuming import refuse_changed, refuse_unlike
from serverlab.runner.run import (
    Describe,
    Lab,
    bench_of,
    check_disk,
    clear_the_machine,
    hashes_now,
    keeping,
    make_and_save,
    outcome,
)

LONGEST_WARMUP_S = 10.0
"""At a low rate it takes long until each connection has been used once; so long it is waited for."""


def start_search(lab: Lab, plan: Plan, *, cores: Sequence[int], describe: Describe) -> Path:
    """Search for the capacity of every target of the plan, and return the folder of the run.

    Raises:
        Interrupted: the user stopped it; what was measured is kept.
        EnvironmentLacks: another lab or a stack is alive, or the disk is full.
    """
    with only_lab(lab.lock):
        clear_the_machine(lab)
        splits = {str(cpus): host.assign_cores(cpus, cores) for cpus in plan.experiment.cpus}
        environment = describe(time.strftime("%Y%m%d-%H%M%S", time.gmtime()), splits)
        path = store.create_run(lab.results, plan=unsearched(plan), environment=environment)
        _search_all(lab, path)
        return path


def resume_search(lab: Lab, path: Path, *, describe: Describe) -> Path:
    """Go on where the search in ``path`` stopped: what it had decided stays decided.

    Raises:
        UsageError: it is no search, or lab, servers or machine are not what it began with.
        Otherwise as start_search.
    """
    with only_lab(lab.lock):
        clear_the_machine(lab)
        run = store.read_run(path)
        search_of(run.plan)
        refuse_unlike(run.environment, describe(run.environment.run, run.environment.core_splits))
        refuse_changed(run.plan.name, run.plan.hashes, now=hashes_now(run.plan, lab.catalog))
        for problem in run.problems:
            lab.say(f"{problem}")
        _search_all(lab, path)
        return path


def unsearched(plan: Plan) -> Plan:
    """The plan without any trial yet: they are planned one by one."""
    return msgspec.structs.replace(plan, trials=())


def with_a_trial(plan: Plan, cell: Cell, asked: Asked) -> Plan:
    """The plan with one trial more; its round, which seeds its arrivals, is that of no other trial of the plan."""
    workload = f"{cell.workload}:{asked.variant}"
    number = len(plan.trials) + 1
    planned = PlannedTrial(
        id=f"{number:03}-{workload}-c{cell.cpus}-{cell.target}".replace(":", "."),
        round=number,
        workload=workload,
        cpus=cell.cpus,
        target=cell.target,
        asked=asked,
    )
    formed = formed_by(plan.workloads[cell.workload], search_of(plan), asked)
    return msgspec.structs.replace(
        plan, trials=(*plan.trials, planned), workloads={**plan.workloads, workload: formed}
    )


def formed_by(workload: Workload, search: Search, asked: Asked) -> Workload:
    """The workload as a trial of the search has it: open at a rate, or closed and without think time."""
    if asked.rate is None:
        lasts_s = search.closed_s if asked.users is None else search.curve_s
        return msgspec.structs.replace(
            workload,
            arrival=Arrival.CLOSED,
            users=asked.users or search.users,
            duration_s=lasts_s,
            think_time_ms=0.0,
            rate=None,
            spacing=None,
            steps=(),
        )
    return msgspec.structs.replace(
        workload,
        arrival=Arrival.OPEN,
        users=search.users,
        warmup_s=max(workload.warmup_s, min(search.users / asked.rate, LONGEST_WARMUP_S)),
        duration_s=window_s(search, asked),
        think_time_ms=0.0,
        rate=asked.rate,
        spacing=Spacing(search.spacing),
        steps=(),
    )


def _search_all(lab: Lab, path: Path) -> None:
    run, made = store.read_run(path), list[Trial]()
    with keeping(lab, path, made, verb="capacity", before=len(run.trials)):
        for planned in store.pending(run):
            lab.say(f"{planned.target} · {planned.workload} · {planned.asked}, which was planned before")
            _make(lab, path, run.plan, run.environment, planned, made=made)
        run = store.read_run(path)
        probes, cells = probes_of(run), cells_of(run.plan)
        for number, cell in enumerate(cells, start=1):
            lab.say(f"search {number}/{len(cells)} · {cell}")
            run = _searched(lab, path, run, cell, probes=probes[cell], made=made)


def _searched(lab: Lab, path: Path, run: Run, cell: Cell, *, probes: list[Probe], made: list[Trial]) -> Run:
    """The run, of which the plan holds every trial of the cell now."""
    search, plan = search_of(run.plan), run.plan
    objectives = capacity.objectives_of(search)
    while (asked := capacity.next_asked(search, probes)) is not None:
        plan = with_a_trial(plan, cell, asked)
        store.replace_plan(path, plan)
        lab.say(f"trial {len(probes) + 1} (at most {capacity.most_trials(search)}) · {asked}")
        _make(lab, path, plan, run.environment, plan.trials[-1], made=made)
        probes.append(probe_of(made[-1], asked, objectives))
        lab.say(f"    {outcome(made[-1])}{_told(probes[-1])}")
    result = capacity.found(search, probes)
    carried = "" if result.rate is None else f" {result.rate:g}/s"
    lab.say(f"{cell}: {result.outcome.value}{carried}{f': {result.reason}' if result.reason else ''}")
    return msgspec.structs.replace(run, plan=plan)


def _told(probe: Probe) -> str:
    if probe.asked.rate is None or probe.answer is Answer.VOID:
        return ""
    return f" · {probe.answer.value}{f': {probe.reason}' if probe.reason else ''}"


def _make(
    lab: Lab, path: Path, plan: Plan, environment: Environment, planned: PlannedTrial, *, made: list[Trial]
) -> None:
    check_disk(path)
    make_and_save(bench_of(lab), path, plan, environment, planned, made=made)
