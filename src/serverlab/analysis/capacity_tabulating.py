"""From the trials of searches to the table of capacities, of one run or of several together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from serverlab import capacity, stats
from serverlab.analysis.capacity import Cell, cell_of, probe_of, search_of
from serverlab.analysis.capacity_doubting import doubts
from serverlab.analysis.capacity_joining import further, joined, place, refuse_other_searches
from serverlab.analysis.conditions import run_facts
from serverlab.analysis.costs import per_cpu_s
from serverlab.analysis.evidence import Sample, is_valid, middle_speed
from serverlab.formatting import exact, one_line, percent, plural
from serverlab.model.capacity import Answer, Found, Outcome, Probe, Purpose, Search
from serverlab.model.capacity_tables import (
    AtShare,
    CapacityRow,
    CapacitySection,
    CapacityTable,
    CurvePoint,
    SearchIn,
)
from serverlab.model.records import CoreSplit, Plan, Trial
from serverlab.model.runs import Run
from serverlab.model.tables import Fact
from serverlab.scalability import fitted

FEW_FAILURES = 0.01
SEARCHED = (Purpose.CLOSED, Purpose.SEARCH, Purpose.CONFIRM)

NOT_TRIED = Found(outcome=Outcome.UNKNOWN, rate=None, missed_at=None, reason="not tried")

Trials = Mapping[Cell, Sequence[Trial]]


def capacity_table(run: Run, *others: Run) -> CapacityTable:
    """What the searches of a run, or of several, came to: a section for each workload and budget.

    The runs stand in the order in which they began. Where the later ones are unlike the first, that is told; whether
    they are refused is the caller's.

    Raises:
        UsageError: one is a plain run, there twice, or searched for something else than the others.
    """
    runs = sorted((run, *others), key=lambda each: each.environment.started_at)
    first, *later = runs
    search, experiment = search_of(first.plan), first.plan.experiment
    refuse_other_searches(runs)
    facts, made = run_facts(first, None), [(each, _by_cell(each)) for each in runs]
    return CapacityTable(
        run=first.name,
        title=experiment.title,
        question=experiment.question,
        slo=tuple(str(each) for each in capacity.objectives_of(search)),
        facts=facts,
        sections=tuple(
            _section(made, workload, cpus)
            for workload, cpus in product(experiment.workloads, experiment.cpus)
        ),
        problems=tuple(problem for each in runs for problem in each.problems),
        further=tuple(further(first, each, facts=facts, own=run_facts(each, None)) for each in later),
    )


def _by_cell(run: Run) -> Trials:
    trials: dict[Cell, list[Trial]] = defaultdict(list)
    for trial in run.trials:
        trials[cell_of(trial.planned)].append(trial)
    return trials


def _section(made: Sequence[tuple[Run, Trials]], workload: str, cpus: int) -> CapacitySection:
    first = made[0][0]
    resolution = search_of(first.plan).resolution
    rows: dict[str, list[CapacityRow]] = defaultdict(list)
    for run, trials in made:
        for target in run.plan.experiment.targets:
            rows[target].append(_row(run, trials, Cell(target, workload, cpus)))
    shown = sorted((joined(each, resolution=resolution) for each in rows.values()), key=place)
    split = first.environment.core_splits.get(str(cpus))
    return CapacitySection(
        workload=workload,
        cpus=cpus,
        conditions=(
            *_conditions(first.plan, workload, cpus, split),
            *_of_searches([run.name for run, _ in made], shown),
        ),
        rows=tuple(shown),
    )


def _row(run: Run, made: Trials, cell: Cell) -> CapacityRow:
    search, trials = search_of(run.plan), made.get(cell, ())
    objectives = capacity.objectives_of(search)
    told = [(each, probe_of(each, each.planned.asked, objectives)) for each in trials if each.planned.asked]
    probes = [probe for _, probe in told]
    void = [probe for probe in probes if probe.answer is Answer.VOID]
    points = list(_curve(told))
    found = capacity.found(search, probes) if probes else NOT_TRIED
    confirmed, at_shares = _confirmed(told), _last_at_shares(told)
    samples = {share: sample for share, (sample, _) in at_shares.items() if sample}
    return CapacityRow(
        target=cell.target,
        lacks=run.plan.skipped.get(f"{cell.target} {cell.workload}"),
        found=found,
        searches=(SearchIn(run=run.name, found=found, cpu_ms=_cpu_ms(told)),),
        per_cpu_s=per_cpu_s(confirmed) if confirmed else None,
        trials=len(probes),
        void=len(void),
        latencies=tuple(_latency(sample, probe) for sample, probe in at_shares.values()),
        curve=tuple(points),
        fit=fitted([(point.users, rate) for point in points for rate in point.each]),
        remarks=(*_remarks(void), *doubts(confirmed, samples, core_speed=middle_speed(run.trials))),
    )


def _confirmed(told: Iterable[tuple[Trial, Probe]]) -> Sample | None:
    """The last trial that confirmed, on which the capacity stands; None where there is no capacity."""
    met = [
        Sample(trial, trial.load)
        for trial, probe in told
        if probe.asked.purpose is Purpose.CONFIRM and probe.answer is Answer.MET and trial.load
    ]
    return met[-1] if met else None


def _last_at_shares(told: Iterable[tuple[Trial, Probe]]) -> dict[float, tuple[Sample | None, Probe]]:
    """The last trial at each share, without a sample where it is VOID, the smallest share first."""
    last = {
        probe.asked.share: (Sample(trial, trial.load) if is_valid(trial) and trial.load else None, probe)
        for trial, probe in told
        if probe.asked.share is not None
    }
    return dict(sorted(last.items()))


def _latency(sample: Sample | None, probe: Probe) -> AtShare:
    return AtShare(
        share=probe.asked.share or 0.0,
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


def _cpu_ms(told: Iterable[tuple[Trial, Probe]]) -> tuple[float, float] | None:
    """The least and the most that an answer cost the app while it was searched; at a share cold caches cost more.

    Trials with many failures are left out, since these cost less than answers, or more.
    """
    valid = [
        Sample(trial, trial.load)
        for trial, probe in told
        if probe.asked.purpose in SEARCHED and probe.answer is not Answer.VOID and trial.load
    ]
    costs = [cost for each in valid if each.error_share < FEW_FAILURES and (cost := each.cpu_ms("app"))]
    return (min(costs), max(costs)) if costs else None


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


def _of_searches(names: Sequence[str], rows: Sequence[CapacityRow]) -> Iterator[Fact]:
    """What the column of the capacities holds, where that is not one capacity each that nobody doubts."""
    if len(names) > 1:
        yield Fact(
            label="Searches",
            value=f"each target's in the order of {', '.join(names)}; ranked by the geometric mean of those that found "
            "a rate and are not in brackets, and all else is of the newest of them",
        )
    if any(each.doubted for row in rows for each in row.searches):
        yield Fact(
            label="In brackets",
            value="what was found while an answer cost the app over a quarter more CPU than it did at the least in any "
            "search of the target; nothing is ranked by it",
        )
