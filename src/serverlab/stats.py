"""Formulas on plain numbers; each names its source."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TypeVar

from serverlab.model.tables import Interval, Spread

K = TypeVar("K")

CONFIDENCE = 0.95
"""The level of every interval, and one less the share of sections with a false difference."""

FEWEST_ROUNDS = 3
"""With fewer there is no interval: how far the values lie apart is then not known."""

BCA_FROM = 200
"""From so many rounds on BCa keeps its promise for all noise that was simulated (docs/decisions/0012)."""

RESAMPLES = 9999

SAMPLES_BEYOND = 10
"""How many samples must lie beyond a percentile before it is stated."""


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two middle ones.

    Source: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.1 "Measures of Location".

    Raises:
        statistics.StatisticsError: there are no values.
    """
    return statistics.median(values)


def median_absolute_deviation(values: Sequence[float]) -> float:
    """The median distance from the median, in the unit of the values, not scaled to a standard deviation.

    With 3 to 5 rounds it is steadier than quartiles, which are then interpolated between neighbours.
    Source: F. R. Hampel, "The influence curve and its role in robust estimation", JASA 69 (1974), 383-393.
    """
    middle = median(values)
    return median([abs(value - middle) for value in values])


def nearest_rank(values: Sequence[float], percent: float) -> float:
    """The smallest of the values, of which there is at least one, that at least ``percent`` % of them do not exceed.

    Source: R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50 (1996),
    361-365, definition 1.
    """
    return sorted(values)[max(0, math.ceil(percent * len(values) / 100) - 1)]


def spread(values: Sequence[float]) -> Spread | None:
    """Median, smallest, largest value and median absolute deviation; None where there are no values.

    Source: NIST/SEMATECH e-Handbook, 1.3.5.1 (median) and 1.3.5.6 "Measures of Scale" (range, MAD).
    """
    if not values:
        return None
    return Spread(
        median=median(values),
        low=min(values),
        high=max(values),
        mad=median_absolute_deviation(values),
        count=len(values),
    )


def paired_ratios(of: Mapping[int, float], to: Mapping[int, float]) -> tuple[float, ...]:
    """``of / to`` for each round (key) that both have, in the order of the rounds.

    Pairing takes out what a whole round had in common; a round in which ``to`` is 0 has no ratio.
    Source: R. Jain, The Art of Computer Systems Performance Analysis (1991), 13.4.1 "Paired Observations".
    """
    return tuple(of[key] / to[key] for key in sorted(of.keys() & to.keys()) if to[key])


def interval(values: Sequence[float], *, level: float = CONFIDENCE) -> Interval | None:
    """The geometric mean of positive values and its interval; None for fewer than FEWEST_ROUNDS, or a value of 0.

    The geometric mean, because it does not depend on which of two is called the reference: P. J. Fleming and
    J. J. Wallace, "How not to lie with statistics", CACM 29 (1986), 218-221. Below BCA_FROM values the interval is
    Student's, because BCa covers too little there (docs/decisions/0012).
    """
    if len(values) < FEWEST_ROUNDS or min(values) <= 0:
        return None
    logs = [math.log(value) for value in values]
    method, ends = ("BCa", bca) if len(logs) >= BCA_FROM else ("Student's t", student)
    low, high = ends(logs, level=level)
    return Interval(
        middle=math.exp(statistics.fmean(logs)),
        low=math.exp(low),
        high=math.exp(high),
        level=level,
        method=method,
        count=len(logs),
    )


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of at least two values: as `statistics.stdev`, but without its slow fractions.

    Source: NIST/SEMATECH e-Handbook, 1.3.5.6 "Measures of Scale".
    """
    if min(values) == max(values):
        return 0.0
    middle = statistics.fmean(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1))


def student(values: Sequence[float], *, level: float = CONFIDENCE) -> tuple[float, float]:
    """Student's interval for the mean of at least two values.

    Source: NIST/SEMATECH e-Handbook, 1.3.5.2 "Confidence Limits for the Mean".
    """
    middle, half = statistics.fmean(values), half_width(values, level=level)
    return middle - half, middle + half


def half_width(values: Sequence[float], *, level: float) -> float:
    """Half of ``student``: how far the mean must lie from a value to be told from it. Source: the same."""
    from scipy.special import stdtrit  # noqa: PLC0415 - slow, and most verbs do without

    error = deviation(values) / math.sqrt(len(values))
    return float(stdtrit(len(values) - 1, (1 + level) / 2)) * error


def bca(values: Sequence[float], *, level: float = CONFIDENCE) -> tuple[float, float]:
    """The bias-corrected and accelerated bootstrap interval for the mean, the same for the same values.

    Source: B. Efron, "Better Bootstrap Confidence Intervals", JASA 82 (1987), 171-185.
    """
    import numpy as np  # noqa: PLC0415 - slow, and most verbs do without
    from scipy.stats import bootstrap  # noqa: PLC0415 - the same

    if min(values) == max(values):
        return values[0], values[0]
    found = bootstrap(
        (np.array(values),),
        np.mean,
        method="BCa",
        confidence_level=level,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(1),
    ).confidence_interval
    return float(found.low), float(found.high)


def chance_if_equal(values: Sequence[float]) -> float:
    """How often ratios of equals lie as far from 1 as these, or farther: the two-sided p of Student's test on logs.

    Source: NIST/SEMATECH e-Handbook, 1.3.5.2; on pairs: R. Jain (1991), 13.4.1.
    """
    from scipy.special import stdtr  # noqa: PLC0415 - slow, and most verbs do without

    logs = [math.log(value) for value in values]
    middle, error = statistics.fmean(logs), deviation(logs) / math.sqrt(len(logs))
    if error == 0:
        return 1.0 if middle == 0 else 0.0
    return float(2 * stdtr(len(logs) - 1, -abs(middle) / error))


def holm(chances: Mapping[K, float], *, alpha: float = 1 - CONFIDENCE) -> frozenset[K]:
    """The keys whose equality is rejected, so that a false one is among them in at most ``alpha`` of all families.

    Source: S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 6 (1979), 65-70.
    """
    rejected: set[K] = set()
    for key in sorted(chances, key=lambda each: chances[each]):
        if chances[key] > alpha / (len(chances) - len(rejected)):
            break
        rejected.add(key)
    return frozenset(rejected)


def trials_without_event(share: float) -> int:
    """How many trials without an event show, at 95 % one-sided, that its probability is at most ``share``, below 1.

    It is where the upper limit of Clopper and Pearson for 0 of n, 1 - 0.05^(1/n), is no more than the share: about
    3 / share, the rule of three. Sources: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934), 404-413; J. A. Hanley
    and A. Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249 (1983), 1743-1745.
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-share))


def samples_needed(percent: float) -> int:
    """How many samples a percentile needs: 10000 for the 99.9th, 1000 for the 99th, 200 for the 95th, 20 for the 50th.

    The number of samples beyond a percentile is binomial; at 10 its standard deviation is already about a
    third of it, and below that a percentile is mostly luck. Source: G. J. Hahn and W. Q. Meeker, Statistical
    Intervals (1991), 5.2, on intervals from order statistics.
    """
    beyond = round(min(percent, 100 - percent) * 1000)
    return -(-SAMPLES_BEYOND * 100_000 // beyond)
