"""From the trials of a search to what they tell, and from all of them to the table of capacities."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from serverlab import capacity, stats
from serverlab.analysis.conditions import run_facts
from serverlab.analysis.evidence import Sample
from serverlab.errors import UsageError
from serverlab.formatting import exact, milliseconds, one_line, percent, plural, significant
from serverlab.model.capacity import Answer, Asked, Found, Objective, Outcome, Probe, Purpose, Search
from serverlab.model.capacity_tables import (
    AtShare,
    CapacityRow,
    CapacitySection,
    CapacityTable,
    CurvePoint,
)
from serverlab.model.records import CoreSplit, Plan, PlannedTrial, State, Trial
from serverlab.model.runs import Run
from serverlab.model.tables import Fact
from serverlab.scalability import fitted

SPARE = 1.1
"""So many times the requests that a percentile needs are due in a window, because Poisson's numbers vary."""

LEAST_ERRORS = 0.001
"""That there are none at all no number of requests shows: an objective of 0 % needs those of this share."""

UNSTEADY = 1.25
"""So many times the CPU of another trial for the same request: the machine was another one, or the server was."""

FEW_FAILURES = 0.01
SEARCHED = (Purpose.CLOSED, Purpose.SEARCH, Purpose.CONFIRM)

NOT_TRIED = Found(outcome=Outcome.UNKNOWN, rate=None, missed_at=None, reason="not tried")
ORDER = (Outcome.FOUND, Outcome.AT_LEAST, Outcome.LESS_THAN, Outcome.UNKNOWN)


class Cell(NamedTuple):
    """What one search is about."""

    target: str
    workload: str
    cpus: int

    def __str__(self) -> str:
        """For people."""
        return f"{self.target} · {self.workload} · {self.cpus} CPU"


def search_of(plan: Plan) -> Search:
    """How the plan searches.

    Raises:
        UsageError: it is the plan of a plain run.
    """
    if plan.experiment.capacity is None:
        raise UsageError(f"{plan.name}: not a search for capacity", "`serverlab capacity` makes one.")
    return plan.experiment.capacity


def cells_of(plan: Plan) -> list[Cell]:
    """Every search of the plan, in order; what lacks a capability is left out."""
    asked = plan.experiment
    return [
        Cell(target, workload, cpus)
        for workload, cpus, target in product(asked.workloads, asked.cpus, asked.targets)
        if f"{target} {workload}" not in plan.skipped
    ]


def cell_of(planned: PlannedTrial) -> Cell:
    """The search that a trial belongs to."""
    variant = f":{planned.asked.variant}" if planned.asked else ""
    return Cell(planned.target, planned.workload.removesuffix(variant), planned.cpus)


def probes_of(run: Run) -> dict[Cell, list[Probe]]:
    """What the trials of each search have told, in the order in which they were made."""
    objectives = capacity.objectives_of(search_of(run.plan))
    probes: dict[Cell, list[Probe]] = defaultdict(list)
    for trial in run.trials:
        if trial.planned.asked is not None:
            probes[cell_of(trial.planned)].append(probe_of(trial, trial.planned.asked, objectives))
    return probes


def probe_of(trial: Trial, asked: Asked, objectives: Sequence[Objective]) -> Probe:
    """What the trial has told; on closed ones no objective is put."""
    answer, reason = judged(trial, objectives if asked.rate is not None else (), purpose=asked.purpose)
    load = trial.load
    return Probe(
        asked=asked,
        answer=answer,
        reason=reason,
        throughput=load.ok / load.window_s if load and load.window_s > 0 else None,
        wall_s=trial.wall_s,
    )


def judged(trial: Trial, objectives: Sequence[Objective], *, purpose: Purpose) -> tuple[Answer, str]:
    """Whether the trial met all objectives, and why if not; VOID, too, where one of them has too few requests."""
    if trial.state is State.VOID or trial.load is None:
        return Answer.VOID, _first_line(trial.void_reasons[0]) if trial.void_reasons else "it has no result"
    sample = Sample(trial, trial.load)
    missed = [words for each in objectives if (words := _missed(sample, each))]
    if missed:
        return Answer.MISSED, "; ".join(missed)
    unseen = [words for each in objectives if (words := _too_few(sample, each, objectives, purpose))]
    return (Answer.VOID, "; ".join(unseen)) if unseen else (Answer.MET, "")


def _first_line(reason: str) -> str:
    """Why a trial is VOID without what its containers wrote last, which stands with the trial."""
    return one_line(reason.partition("\n")[0])


def window_s(search: Search, asked: Asked) -> float:
    """How long the window has to be, so that the objectives see enough requests at the rate asked; in whole seconds."""
    objectives = capacity.objectives_of(search)
    needed = max(
        (requests_needed(each, objectives, asked.purpose) for each in objectives),
        default=0,
    )
    searches = asked.purpose is Purpose.SEARCH and search.search_s is not None
    least_s = (search.search_s if searches else None) or search.duration_s
    return float(math.ceil(min(max(least_s, SPARE * needed / (asked.rate or math.inf)), search.longest_s)))


def requests_needed(objective: Objective, objectives: Sequence[Objective], purpose: Purpose) -> int:
    """How many requests a trial has to see before it can say that it met the objective, one of ``objectives``.

    For errors so many that none of them being one would be evidence. The trial that confirms needs these; another only
    where nothing but errors is bounded: with a percentile beside it, it decides no more than what is tried next.
    """
    if objective.metric.percent is not None:
        return stats.samples_needed(objective.metric.percent)
    if purpose is not Purpose.CONFIRM and any(each.metric.percent is not None for each in objectives):
        return 0
    bound = objective.at_most or LEAST_ERRORS
    return stats.trials_without_event(bound) if bound < 1 else 1


def capacity_table(run: Run) -> CapacityTable:
    """What the run's searches came to: a section for each workload and budget.

    Raises:
        UsageError: it is a plain run.
    """
    search, experiment = search_of(run.plan), run.plan.experiment
    trials: dict[Cell, list[Trial]] = defaultdict(list)
    for trial in run.trials:
        trials[cell_of(trial.planned)].append(trial)
    return CapacityTable(
        run=run.name,
        title=experiment.title,
        question=experiment.question,
        slo=tuple(str(each) for each in capacity.objectives_of(search)),
        facts=run_facts(run, None),
        sections=tuple(
            _section(run, workload, cpus, trials)
            for workload, cpus in product(experiment.workloads, experiment.cpus)
        ),
        problems=run.problems,
    )


def _section(run: Run, workload: str, cpus: int, trials: dict[Cell, list[Trial]]) -> CapacitySection:
    rows = [
        _row(
            run.plan,
            target,
            run.plan.skipped.get(f"{target} {workload}"),
            trials[Cell(target, workload, cpus)],
        )
        for target in run.plan.experiment.targets
    ]
    split = run.environment.core_splits.get(str(cpus))
    return CapacitySection(
        workload=workload,
        cpus=cpus,
        conditions=tuple(_conditions(run.plan, workload, cpus, split)),
        rows=tuple(
            sorted(rows, key=lambda row: (ORDER.index(row.found.outcome) > 1, -(row.found.rate or 0)))
        ),
    )


def _row(plan: Plan, target: str, lacks: str | None, trials: Sequence[Trial]) -> CapacityRow:
    search = search_of(plan)
    objectives = capacity.objectives_of(search)
    told = [(each, probe_of(each, each.planned.asked, objectives)) for each in trials if each.planned.asked]
    probes = [probe for _, probe in told]
    void = [probe for probe in probes if probe.answer is Answer.VOID]
    points = list(_curve(told))
    return CapacityRow(
        target=target,
        lacks=lacks,
        found=capacity.found(search, probes) if probes else NOT_TRIED,
        trials=len(probes),
        void=len(void),
        latencies=tuple(_at_shares(told)),
        curve=tuple(points),
        fit=fitted([(point.users, rate) for point in points for rate in point.each]),
        remarks=(*_remarks(void), *_unsteady(told)),
    )


def _at_shares(told: Iterable[tuple[Trial, Probe]]) -> Iterator[AtShare]:
    """The last trial at each share."""
    last = {probe.asked.share: (trial, probe) for trial, probe in told if probe.asked.share is not None}
    for share, (trial, probe) in sorted(last.items()):
        valid = probe.answer is not Answer.VOID or trial.state is State.MEASURED
        sample = Sample(trial, trial.load) if valid and trial.load is not None else None
        yield AtShare(
            share=share,
            rate=probe.asked.rate or 0.0,
            answer=probe.answer,
            reason=probe.reason,
            p50_us=sample.percentile_us(50) if sample else None,
            p99_us=sample.percentile_us(99) if sample else None,
            error_share=sample.error_share if sample else None,
        )


def _curve(told: Iterable[tuple[Trial, Probe]]) -> Iterator[CurvePoint]:
    rates: dict[int, list[float]] = defaultdict(list)
    for _, probe in told:
        if probe.asked.users is not None and probe.answer is not Answer.VOID and probe.throughput:
            rates[probe.asked.users].append(probe.throughput)
    for users, found in sorted(rates.items()):
        yield CurvePoint(users=users, throughput=stats.median(found), each=tuple(found))


def _remarks(void: Iterable[Probe]) -> Iterator[str]:
    """Why trials were VOID, those of one purpose and reason together."""
    for (purpose, reason), count in Counter((each.asked.purpose, each.reason) for each in void).items():
        yield f"VOID, {purpose.value}, {plural(count, 'trial')}: {reason}"


def _unsteady(told: Iterable[tuple[Trial, Probe]]) -> Iterator[str]:
    """That answers did not cost the same while it was searched; at a share they may cost more, with cold caches.

    Trials with many failures are left out, since these cost less than answers, or more.
    """
    valid = [
        Sample(trial, trial.load)
        for trial, probe in told
        if probe.asked.purpose in SEARCHED and probe.answer is not Answer.VOID and trial.load
    ]
    costs = [cost for each in valid if each.error_share < FEW_FAILURES and (cost := each.cpu_ms("app"))]
    if costs and max(costs) > UNSTEADY * min(costs):
        words = f"an answer cost the app {significant(min(costs))} to {significant(max(costs))} ms of CPU"
        yield (
            f"while it was searched {words}: the machine did not keep its speed, or the server has more than one; "
            "do not rank it, search again"
        )


def _conditions(plan: Plan, workload: str, cpus: int, split: CoreSplit | None) -> Iterator[Fact]:
    search, closed = search_of(plan), plan.workloads[workload]
    yield Fact(label="Workload", value=one_line(f"{closed.title}: {closed.description}"))
    if search.slo:
        yield from _of_objectives(search)
    if search.curve:
        rounds = plural(search.curve_rounds, "time")
        words = f"closed users without think time, windows of {exact(search.curve_s)} s, each number {rounds}; medians"
        yield Fact(label="Curve", value=words)
    if split is not None:
        apart = "" if split.disjoint else "; THEY SHARE CORES, so the generator takes from the server"
        budget = f"{plural(cpus, 'core')}: stack on {split.stack}, generator on {split.generator}{apart}"
        yield Fact(label="Budget", value=budget)


def _of_objectives(search: Search) -> Iterator[Fact]:
    searching = f", {exact(search.search_s)} s while it is searched" if search.search_s else ""
    yield Fact(
        label="Load",
        value=f"open, {search.spacing} arrivals, at most {plural(search.users, 'request')} in flight, each on its own "
        f"connection; latency from the moment a request is due; windows of {exact(search.duration_s)} s"
        f"{searching}, longer where a rate is low",
    )
    yield Fact(label="Objectives", value=", ".join(map(str, capacity.objectives_of(search))))
    yield Fact(
        label="Capacity",
        value="two fresh trials met the objectives at it or above it, the last of them at it, and within "
        f"{percent(search.resolution)} above it a trial missed them",
    )


def _value(sample: Sample, objective: Objective) -> float | None:
    """The number that the objective bounds, None where too few requests tell it; what was never sent is an error."""
    percentile = objective.metric.percent
    if percentile is not None:
        return sample.percentile_us(percentile)
    bad = sample.failed + (sample.load.unsent or 0)
    return bad / max(1, bad, sample.began)


def _missed(sample: Sample, objective: Objective) -> str:
    """How the objective was missed, "" where it was not or where that cannot be told."""
    value = _value(sample, objective)
    if value is None or value <= objective.at_most:
        return ""
    if objective.metric.percent is None:
        never = ", what was never sent among them" if sample.load.unsent else ""
        return f"errors are {percent(value)}{never}, not {percent(objective.at_most)} at most"
    return (
        f"{objective.metric.value} is {milliseconds(value)} ms, not {exact(objective.at_most / 1000)} at most"
    )


def _too_few(sample: Sample, objective: Objective, objectives: Sequence[Objective], purpose: Purpose) -> str:
    """Which requests are missing for the objective to be met, "" where there are enough."""
    needed, percentile = requests_needed(objective, objectives, purpose), objective.metric.percent
    seen = sample.began if percentile is None else sample.load.latency.count
    if seen >= needed:
        return ""
    instead = "allow more errors" if percentile is None else "bound a lower percentile"
    return f"{objective} needs {needed} requests, there were {seen}; raise longest_s, or {instead}"
