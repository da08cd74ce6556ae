"""What changed in one cell between two runs, metric by metric.

The trials of two runs are no pairs, so their means are compared by Welch's t: on logarithms, as what is asked for is a
ratio, and for errors on the shares themselves, as there is no ratio to none.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from serverlab import stats
from serverlab.analysis import costs
from serverlab.analysis.evidence import Evidence, Sample
from serverlab.analysis.welch import Shift, shift_of_means, unseen_share
from serverlab.model.regressions import Change, Metric
from serverlab.model.tables import Interval

LEVEL = 0.95
"""Of all intervals."""


@dataclass(frozen=True)
class Measured:
    """A metric of one cell in both runs; ``shift`` is that of its logarithm (for errors, of itself).

    Where there is none, ``lacks`` says why.
    """

    change: Change
    shift: Shift | None
    lacks: str


def measure(base: Evidence, new: Evidence) -> dict[Metric, Measured]:
    """Every metric of the cell in both runs."""
    found = {metric: _ratio(metric, base, new) for metric in VALUES}
    return found | {Metric.ERRORS: _errors(base, new)}


def _ratio(metric: Metric, base: Evidence, new: Evidence) -> Measured:
    before, after = (_all_of(VALUES[metric], each) for each in (base, new))
    logarithms = [[math.log(value) for value in values] for values in (before, after)]
    shift = shift_of_means(*logarithms)
    difference = _difference(*logarithms)
    change = Change(
        metric=metric,
        base=stats.spread(before),
        new=stats.spread(after),
        value=None if difference is None else math.exp(difference),
        interval=_interval(shift, before, after, scale=math.exp, method="Welch's t of logarithms"),
    )
    return Measured(change=change, shift=shift, lacks="" if shift else _lacks(metric, before, after))


def _errors(base: Evidence, new: Evidence) -> Measured:
    """The difference of the shares; where a run has no error at all, it may be that so many requests show none.

    What was never sent is an error, as it is to the objectives of `capacity`: whoever would have asked got no answer.
    """
    before, after = ([sample.unserved_share for sample in each.samples] for each in (base, new))
    shift = shift_of_means(before, after)
    if shift is not None:
        shift = replace(shift, unseen_below=_unseen(base), unseen_above=_unseen(new))
    change = Change(
        metric=Metric.ERRORS,
        base=stats.spread(before),
        new=stats.spread(after),
        value=_difference(before, after),
        interval=_interval(shift, before, after, scale=float, method="Welch's t and the rule of three"),
    )
    return Measured(change=change, shift=shift, lacks="" if shift else _lacks(Metric.ERRORS, before, after))


def _interval(
    shift: Shift | None,
    base: Sequence[float],
    new: Sequence[float],
    *,
    scale: Callable[[float], float],
    method: str,
) -> Interval | None:
    if shift is None:
        return None
    low, high = shift.interval(LEVEL)
    return Interval(
        middle=scale(shift.value),
        low=scale(low),
        high=scale(high),
        level=LEVEL,
        method=method,
        count=min(len(base), len(new)),
    )


def _difference(base: Sequence[float], new: Sequence[float]) -> float | None:
    return statistics.fmean(new) - statistics.fmean(base) if base and new else None


def _unseen(evidence: Evidence) -> float:
    if any(sample.unserved for sample in evidence.samples):
        return 0.0
    return unseen_share(sum(sample.due for sample in evidence.samples))


def _all_of(value: Callable[[Sample], float | None], evidence: Evidence) -> list[float]:
    """The value of every sample; empty as soon as one has none above 0: leaving out the slow ones would flatter."""
    values = [value(sample) for sample in evidence.samples]
    present = [each for each in values if each]
    return present if len(present) == len(values) else []


def _memory_bytes(sample: Sample) -> float | None:
    usage = sample.trial.usage.get("app")
    return usage.memory_peak_bytes if usage else None


VALUES: dict[Metric, Callable[[Sample], float | None]] = {
    Metric.RPS: lambda sample: sample.rps,
    Metric.P50: lambda sample: sample.percentile_us(50),
    Metric.P95: lambda sample: sample.percentile_us(95),
    Metric.P99: lambda sample: sample.percentile_us(99),
    Metric.CPU_MS: lambda sample: sample.cpu_ms("app"),
    Metric.PER_CPU_S: costs.per_cpu_s,
    Metric.MEMORY: _memory_bytes,
}
"""How each metric of which there are ratios is read from a trial."""


def _lacks(metric: Metric, base: Sequence[float], new: Sequence[float]) -> str:
    for name, values in (("base", base), ("new", new)):
        if not values:
            return f"the {name} run has no {metric.value}, or not in every valid trial"
    return f"too few valid trials, {len(base)} in the base run and {len(new)} in the new one: 2 of each are needed"
