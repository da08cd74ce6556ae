"""The search for the highest rate that meets the objectives: pure decisions on what earlier trials have told."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from serverlab.model.capacity import Answer, Asked, Found, Metric, Objective, Outcome, Probe, Purpose, Search

TRIES = 2
"""How often a trial that is VOID is made before the search goes on without it."""

FARTHEST = 4.0
"""No step of the search is a larger factor."""

DIGITS = 4
"""Significant digits of the rates that are tried."""

ROUNDING = 0.002
"""By how much two rates that are the resolution apart may differ more, because both are rounded."""

OBJECTIVE = re.compile(
    r"(?P<metric>p50|p90|p95|p99(?:\.9)?|errors)\s*<=\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|%)"
)
MICROSECONDS = {"ms": 1000.0, "s": 1_000_000.0}


def read_objective(text: str) -> Objective | None:
    """The objective that people wrote: ``p99<=250ms``, ``errors<=0.1%``; None where it is none."""
    match = OBJECTIVE.fullmatch(text.strip())
    if not match or (match["metric"] == Metric.ERRORS.value) != (match["unit"] == "%"):
        return None
    number, metric = float(match["number"]), Metric(match["metric"])
    if metric is Metric.ERRORS:
        return Objective(metric=metric, at_most=number / 100) if number <= 100 else None
    return Objective(metric=metric, at_most=number * MICROSECONDS[match["unit"]]) if number else None


def objectives_of(search: Search) -> tuple[Objective, ...]:
    """The objectives of a search that has no ``mistakes``."""
    return tuple(each for each in map(read_objective, search.slo) if each is not None)


def mistakes(search: Search) -> Iterator[str]:
    """What is wrong between the keys of a ``[capacity]`` table."""
    yield from _objective_mistakes(search)
    if search.growth <= 1 + search.resolution:
        yield f"growth: {search.growth:g} is no more than a step of the resolution, {1 + search.resolution:g}"
    if search.lowest_rate >= search.highest_rate:
        yield f"lowest_rate: {search.lowest_rate:g} is not below highest_rate, {search.highest_rate:g}"
    if search.longest_s < search.duration_s:
        yield f"longest_s: {search.longest_s:g} is less than duration_s, {search.duration_s:g}"
    if search.search_s is not None and search.search_s > search.duration_s:
        yield f"search_s: {search.search_s:g} is more than duration_s, {search.duration_s:g}"
    for key in ("shares", "curve"):
        values = getattr(search, key)
        if any(later <= earlier for earlier, later in pairwise(values)):
            yield f"{key}: the values do not rise"


def _objective_mistakes(search: Search) -> Iterator[str]:
    if not search.slo and not search.curve:
        yield "slo: without a curve at least one objective is needed, for example p99<=250ms"
    for index, text in enumerate(search.slo):
        if read_objective(text) is None:
            yield f"slo[{index}]: {text!r} is no objective such as p99<=250ms or errors<=0.1%"
    metrics = [each.metric for each in objectives_of(search)]
    if len(set(metrics)) < len(metrics):
        yield "slo: the same metric is bounded twice"


def next_asked(search: Search, probes: Sequence[Probe]) -> Asked | None:
    """What to try next, given all that was tried, in order; None where nothing is left to try.

    A closed trial, then the search, its confirmation, latency at shares of what was confirmed, and the curve; without
    objectives only the curve. What is given up because trials are VOID does not end what does not depend on it.
    """
    if not search.slo:
        return _next_users(search, probes)
    closed = _of(probes, Purpose.CLOSED)
    if _throughput(closed) is None:
        return Asked(purpose=Purpose.CLOSED) if len(closed) < TRIES else None
    searched = _searched(search, probes)
    if searched.next_rate is not None:
        return Asked(purpose=Purpose.SEARCH, rate=searched.next_rate)
    confirmation = _confirmation(search, searched, _of(probes, Purpose.CONFIRM))
    if confirmation.next_rate is not None:
        return Asked(purpose=Purpose.CONFIRM, rate=confirmation.next_rate)
    return _next_share(search, confirmation.rate, probes) or _next_users(search, probes)


def most_trials(search: Search) -> int:
    """So many trials, at most, are made for one target with one workload and one budget."""
    curve = len(search.curve) * search.curve_rounds
    searching = TRIES + search.probes + search.confirmations + TRIES * len(search.shares)
    return curve + (searching if search.slo else 0)


def usual_trials(search: Search, *, throughput: float, carried: float) -> list[Asked]:
    """What is tried where no trial is VOID and chance plays no part: a server that carries so much of ``throughput``.

    ``throughput`` is what it answers per second of the closed trial, ``carried`` the share within the objectives.
    """
    probes: list[Probe] = []
    while (asked := next_asked(search, probes)) is not None:
        met = asked.rate is None or asked.rate <= carried * throughput
        answer = Answer.MET if met else Answer.MISSED
        probes.append(Probe(asked=asked, answer=answer, reason="", throughput=throughput, wall_s=0.0))
    return [each.asked for each in probes]


def found(search: Search, probes: Sequence[Probe]) -> Found:
    """What the trials came to; UNKNOWN, too, while the search has not come to its end."""
    if not search.slo:
        return _unknown("not searched for")
    closed = _of(probes, Purpose.CLOSED)
    if _throughput(closed) is None:
        reason = (
            f"nothing was answered: {closed[-1].reason}" if len(closed) >= TRIES else "not tried to the end"
        )
        return _unknown(reason)
    searched, confirms = _searched(search, probes), _of(probes, Purpose.CONFIRM)
    confirmation = _confirmation(search, searched, confirms)
    if searched.next_rate is not None or confirmation.next_rate is not None:
        return _unknown("not tried to the end")
    if searched.met is None:
        return _none_met(searched)
    if confirmation.rate is None:
        return _unknown(
            f"{_rate(searched.met)} was met once, but neither it nor a lower rate twice: {confirms[-1].reason}"
        )
    return _confirmed(search, confirmation.rate, [*_of(probes, Purpose.SEARCH), *confirms], searched)


@dataclass(frozen=True)
class _Searched:
    """Where the search stands: the highest rate met, the lowest missed, the lowest that told nothing; what is next.

    ``spent`` says why nothing is next though the gap is not yet narrow.
    """

    met: float | None
    missed: float | None
    void: float | None
    void_reason: str
    next_rate: float | None
    spent: str


@dataclass(frozen=True)
class _Confirmation:
    """The rate that was confirmed, or the one that is to be tried next; neither where it was given up."""

    rate: float | None
    next_rate: float | None


def _searched(search: Search, probes: Sequence[Probe]) -> _Searched:
    tried = _of(probes, Purpose.SEARCH)
    met = max(_rates(tried, Answer.MET), default=None)
    missed = min(_rates(tried, Answer.MISSED), default=None)
    voids = _voids(tried)
    void = min(voids, default=None)
    reason = next(
        (each.reason for each in tried if each.answer is Answer.VOID and each.asked.rate == void), ""
    )
    spent, rate = _spent(search, probes, tried), None
    if not spent:
        again = [each for each, times in voids.items() if times < TRIES]
        rate = again[0] if again else _next_rate(search, probes, met=met, ceiling=_least(missed, void))
    return _Searched(met=met, missed=missed, void=void, void_reason=reason, next_rate=rate, spent=spent)


def _spent(search: Search, probes: Sequence[Probe], tried: Sequence[Probe]) -> str:
    if len(tried) >= search.probes:
        return f"the search ended with its {search.probes} trials"
    if sum(each.wall_s for each in probes) >= search.budget_s:
        return f"the search ended with its time of {search.budget_s:g} s"
    return ""


def _next_rate(
    search: Search, probes: Sequence[Probe], *, met: float | None, ceiling: float | None
) -> float | None:
    """The next rate of the search, None where the gap is narrow enough or a bound is reached."""
    if met is None and ceiling is None:
        start = search.start * (_throughput(_of(probes, Purpose.CLOSED)) or search.lowest_rate)
        return _rounded(min(max(start, search.lowest_rate), search.highest_rate))
    tried = _of(probes, Purpose.SEARCH)
    if ceiling is None:
        steps = len(set(_rates(tried, Answer.MET)))
        grown = _rounded(min((met or 0) * _factor(search, steps), search.highest_rate))
        return grown if grown > (met or 0) else None
    if met is None:
        steps = len({each.asked.rate for each in tried})
        lower = _rounded(max(ceiling / _factor(search, steps), search.lowest_rate))
        return lower if lower < ceiling else None
    return None if _narrow(search, met, ceiling) else _rounded(math.sqrt(met * ceiling))


def _factor(search: Search, steps: int) -> float:
    """The factor of the next step after so many in the same direction: the square of the last one's, at most FARTHEST.

    Exponential search (J. L. Bentley and A. C. Yao, An almost optimal algorithm for unbounded searching, 1976), on the
    logarithms of the rates: a start that is nearly right costs a step or two, one that is far off only a few more.
    """
    return float(min(search.growth**2.0 ** min(steps - 1, 10), max(FARTHEST, search.growth)))


def _confirmation(search: Search, searched: _Searched, confirms: Sequence[Probe]) -> _Confirmation:
    """A rate is confirmed when a second trial meets the objectives; one step down wherever it does not."""
    if searched.met is None or searched.next_rate is not None:
        return _Confirmation(None, None)
    rate, voids = searched.met, 0
    for probe in confirms:
        if probe.asked.rate != rate:
            continue  # it was of what the search had found before one of its trials was made again
        if probe.answer is Answer.MET:
            return _Confirmation(rate, None)
        voids = voids + 1 if probe.answer is Answer.VOID else TRIES
        if voids >= TRIES:
            rate, voids = _rounded(rate / (1 + search.resolution)), 0
    given_up = len(confirms) >= search.confirmations or rate < search.lowest_rate
    return _Confirmation(None, None if given_up else rate)


def _confirmed(search: Search, rate: float, tried: Sequence[Probe], searched: _Searched) -> Found:
    missed = min((each for each in _rates(tried, Answer.MISSED) if each > rate), default=None)
    if missed is not None and _narrow(search, rate, missed):
        return Found(outcome=Outcome.FOUND, rate=rate, missed_at=missed, reason="")
    untold = {**_voids(tried), **_voids(_of(tried, Purpose.CONFIRM))}
    void = min((each for each in untold if each > rate), default=None)
    if void is not None and (missed is None or void < missed):
        reason = _why_void(void, tried)
    elif rate >= search.highest_rate:
        reason = f"{_rate(search.highest_rate)} is the highest rate that is tried"
    else:
        reason = searched.spent
    return Found(outcome=Outcome.AT_LEAST, rate=rate, missed_at=missed, reason=reason)


def _why_void(rate: float, tried: Sequence[Probe]) -> str:
    """The reason, and whether the rate had been met before: then it was its confirmation that told nothing."""
    why = [each.reason for each in tried if each.asked.rate == rate and each.answer is Answer.VOID][-1]
    met = rate in _rates(tried, Answer.MET)
    return f"{_rate(rate)} was {'met once, and then ' if met else ''}VOID: {why}"


def _none_met(searched: _Searched) -> Found:
    if searched.missed is None and searched.void is None:
        return _unknown(searched.spent)
    if searched.missed is None:
        return _unknown(
            f"no trial told whether a rate is met: {_rate(searched.void)} was VOID: {searched.void_reason}"
        )
    reason = searched.spent or "it is the lowest rate that is tried"
    if searched.void is not None and searched.void < searched.missed:
        reason = f"{_rate(searched.void)} was VOID: {searched.void_reason}"
    return Found(outcome=Outcome.LESS_THAN, rate=searched.missed, missed_at=searched.missed, reason=reason)


def _next_share(search: Search, capacity: float | None, probes: Sequence[Probe]) -> Asked | None:
    """Latency at a share is measured once, and again where that was VOID."""
    if capacity is None:
        return None
    for share in search.shares:
        made = [each for each in _of(probes, Purpose.LATENCY) if each.asked.share == share]
        if len(made) < TRIES and all(each.answer is Answer.VOID for each in made):
            return Asked(purpose=Purpose.LATENCY, rate=_rounded(share * capacity), share=share)
    return None


def _next_users(search: Search, probes: Sequence[Probe]) -> Asked | None:
    """The curve goes up and down in turns, so that a machine that grows slower bends no curve."""
    made = [each.asked.users for each in _of(probes, Purpose.CURVE)]
    for number in range(1, search.curve_rounds + 1):
        for users in search.curve if number % 2 else reversed(search.curve):
            if made.count(users) < number:
                return Asked(purpose=Purpose.CURVE, users=users)
    return None


def _of(probes: Iterable[Probe], purpose: Purpose) -> list[Probe]:
    return [each for each in probes if each.asked.purpose is purpose]


def _rates(probes: Iterable[Probe], answer: Answer) -> list[float]:
    return [each.asked.rate for each in probes if each.answer is answer and each.asked.rate is not None]


def _voids(probes: Sequence[Probe]) -> dict[float, int]:
    """The rates of which no trial told anything, and how many were made."""
    told = {each.asked.rate for each in probes if each.answer is not Answer.VOID}
    voids = [rate for rate in _rates(probes, Answer.VOID) if rate not in told]
    return {rate: voids.count(rate) for rate in voids}


def _throughput(closed: Iterable[Probe]) -> float | None:
    """Right answers per second; VOID or not, for it decides nothing but where the search begins."""
    return next((each.throughput for each in reversed(list(closed)) if each.throughput), None)


def _narrow(search: Search, low: float, high: float) -> bool:
    return high / low <= 1 + search.resolution + ROUNDING


def _least(*values: float | None) -> float | None:
    return min((each for each in values if each is not None), default=None)


def _rounded(rate: float) -> float:
    return float(f"{rate:.{DIGITS}g}")


def _rate(rate: float | None) -> str:
    return f"{rate:g}/s"


def _unknown(reason: str) -> Found:
    return Found(outcome=Outcome.UNKNOWN, rate=None, missed_at=None, reason=reason)
