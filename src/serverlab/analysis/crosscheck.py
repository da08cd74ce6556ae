"""From what every generator measured to whether they agree with the lab's own."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product

from serverlab import stats
from serverlab.analysis.conditions import environment_facts
from serverlab.formatting import estimate, exact, factor, one_line, plural
from serverlab.model.crosscheck import (
    Agreement,
    Crosscheck,
    CrossRow,
    CrossTable,
    Measurement,
    Pace,
    Reading,
    Tool,
)
from serverlab.model.tables import Fact

RPS_LIMIT = 0.05
"""By so much, as a share, throughput at saturation may differ from what the lab's generator sees."""

P99_LIMIT = 0.10
"""And the 99th percentile."""

HALF_RATE = 0.02
"""So far off the rate that was asked for a tool may be; farther off its latency is one at another load."""

NO_P99 = {Tool.WRK: "no p99: wrk adds samples of its own"}
"""Whose percentiles are not of what was measured alone, and why."""

Paired = dict[int, tuple[Measurement, Measurement]]


def crosscheck_table(check: Crosscheck) -> CrossTable:
    """A row for each tool at each pace on each target."""
    plan = check.plan
    workload = plan.workload
    facts = (
        Fact(
            label="Load",
            value=f"{workload.title}: one token for all; {workload.users} kept connections; window "
            f"{exact(workload.duration_s)} s after {exact(workload.warmup_s)} s of warm-up; "
            f"{plural(plan.rounds, 'round')}, a fresh stack for each target and round, tools in shuffled order "
            f"(seed {plan.seed})",
        ),
        Fact(
            label="Limits",
            value=f"{_share(RPS_LIMIT)} on req/s at saturation, {_share(P99_LIMIT)} on p99 at half of it",
        ),
        *environment_facts(check.environment),
    )
    rows = tuple(_rows(check))
    return CrossTable(run=check.name, facts=facts, rows=rows, problems=check.problems)


def _rows(check: Crosscheck) -> Iterator[CrossRow]:
    cells: dict[tuple[str, Pace, Tool], dict[int, Measurement]] = {}
    for each in check.measurements:
        cells.setdefault((each.target, each.pace, each.tool), {})[each.round] = each
    for target, pace, tool in product(check.plan.targets, Pace, Tool):
        if (target, pace, tool) in cells:
            yield _row(cells[target, pace, tool], cells.get((target, pace, Tool.OURS), {}))
        elif (pace, tool) == (Pace.HALF, Tool.WRK):
            yield _absent(target, tool, pace, "wrk cannot be given a rate")


def _row(own: Mapping[int, Measurement], ours: Mapping[int, Measurement]) -> CrossRow:
    any_one = next(iter(own.values()))
    target, tool, pace = any_one.target, any_one.tool, any_one.pace
    valid = {number: each for number, each in own.items() if _usable(each)}
    if not valid:
        return _absent(target, tool, pace, f"VOID: {one_line(any_one.void[0])}")
    paired = {number: (each, ours[number]) for number, each in valid.items() if _usable(ours.get(number))}
    rps, p99 = _ratios(paired, lambda each: each.rps), _ratios(paired, _p99_us)
    p99 = [] if tool in NO_P99 else p99
    agrees, reason = _judged(tool, pace, rps, p99)
    return CrossRow(
        target=target,
        tool=tool,
        pace=pace,
        rounds=len(valid),
        rps=_median(valid.values(), lambda each: each.rps),
        rps_ratio=None if tool is Tool.OURS else _middle(rps),
        rps_interval=None if tool is Tool.OURS else stats.interval(rps),
        p50_us=None if tool in NO_P99 else _median(valid.values(), lambda each: each.p50_us),
        p99_us=None if tool in NO_P99 else _median(valid.values(), _p99_us),
        p99_ratio=None if tool is Tool.OURS else _middle(p99),
        p99_interval=None if tool is Tool.OURS else stats.interval(p99),
        cpu_share=statistics.median(each.cpu_share for each in valid.values() if each.cpu_share is not None)
        if any(each.cpu_share is not None for each in valid.values())
        else None,
        agrees=agrees,
        reason="; ".join(
            part for part in (reason, NO_P99.get(tool, ""), *_circumstances(own, valid)) if part
        ),
    )


def _judged(tool: Tool, pace: Pace, rps: list[float], p99: list[float]) -> tuple[Agreement, str]:
    """Whether what is asked at this pace agrees; the lab's own generator is what the others are held against."""
    if tool is Tool.OURS:
        return Agreement.NA, ""
    verdicts = []
    if pace is Pace.SATURATED:
        verdicts.append(_within("req/s", rps, RPS_LIMIT))
    if pace is Pace.HALF:
        verdicts.append(_within("p99", p99, P99_LIMIT))
    worst = max((agrees for agrees, _ in verdicts), key=ORDER.index)
    if pace is Pace.HALF and (off := _off(rps)):
        return Agreement.NO, off
    return worst, "; ".join(reason for _, reason in verdicts if reason)


ORDER = (Agreement.YES, Agreement.UNCLEAR, Agreement.NO)


def _within(what: str, ratios: list[float], limit: float) -> tuple[Agreement, str]:
    """Whether the ratio's interval lies within the limit, and if not, what is so."""
    interval = stats.interval(ratios)
    if interval is None:
        return Agreement.UNCLEAR, f"{what}: too few rounds for an interval"
    low, high = 1 / (1 + limit), 1 + limit
    shown = f"{what} {estimate(interval)}"
    if low <= interval.low and interval.high <= high:
        return Agreement.YES, ""
    if interval.high < low or interval.low > high:
        return Agreement.NO, f"{shown} lies beyond {_share(limit)}"
    return Agreement.UNCLEAR, f"{shown} reaches beyond {_share(limit)}"


def _share(limit: float) -> str:
    return f"±{exact(limit * 100)} %"


def _off(rps: list[float]) -> str:
    """Whether the rates at half pace are not the same, so that latencies are those of different loads."""
    middle = _middle(rps)
    if middle is None or abs(middle - 1) <= HALF_RATE:
        return ""
    return f"it was given the same rate and carried {factor(middle)} of it, so that its latency is of another load"


def _circumstances(own: Mapping[int, Measurement], valid: Mapping[int, Measurement]) -> Iterator[str]:
    """What else is to be said: rounds that do not count, and requests that failed."""
    if void := [each for each in own.values() if not _usable(each)]:
        yield f"{len(void)} of {plural(len(own), 'round')} VOID: {one_line(void[0].void[0])}"
    failed = sum(each.reading.failed for each in valid.values() if each.reading is not None)
    if failed:
        yield f"{plural(failed, 'request')} failed"


def _absent(target: str, tool: Tool, pace: Pace, reason: str) -> CrossRow:
    return CrossRow(
        target=target,
        tool=tool,
        pace=pace,
        rounds=0,
        rps=None,
        rps_ratio=None,
        rps_interval=None,
        p50_us=None,
        p99_us=None,
        p99_ratio=None,
        p99_interval=None,
        cpu_share=None,
        agrees=Agreement.NA,
        reason=reason,
    )


def _usable(each: Measurement | None) -> bool:
    return each is not None and each.reading is not None and not each.void


def _p99_us(reading: Reading) -> float | None:
    return reading.p99_us


def _ratios(paired: Paired, value: Callable[[Reading], float | None]) -> list[float]:
    pairs = [
        (value(each.reading), value(ours.reading))
        for _, (each, ours) in sorted(paired.items())
        if each.reading is not None and ours.reading is not None
    ]
    return [own / other for own, other in pairs if own is not None and other]


def _middle(ratios: list[float]) -> float | None:
    """The geometric mean, as of the intervals."""
    if not ratios or min(ratios) <= 0:
        return None
    return math.exp(statistics.fmean(math.log(each) for each in ratios))


def _median(measurements: Iterable[Measurement], value: Callable[[Reading], float | None]) -> float | None:
    found = [value(each.reading) for each in measurements if each.reading is not None]
    told = [each for each in found if each is not None]
    return statistics.median(told) if told else None
