"""Formulas on plain numbers; each names its source."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from serverlab.model.tables import Spread

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


def paired_ratios(of: Mapping[int, float], to: Mapping[int, float]) -> Spread | None:
    """The spread of ``of / to`` over the rounds (the keys) that both have, None where they share none.

    Pairing takes out what a whole round had in common; a round in which ``to`` is 0 has no ratio.
    Source: R. Jain, The Art of Computer Systems Performance Analysis (1991), 13.4.1 "Paired Observations";
    the median instead of the mean of ratios because the mean depends on which of the two is called the
    reference: P. J. Fleming and J. J. Wallace, "How not to lie with statistics", CACM 29 (1986), 218-221.
    """
    return spread([of[key] / to[key] for key in sorted(of.keys() & to.keys()) if to[key]])


def one_side_by_chance(rounds: int) -> float:
    """How often all rounds of two equal servers fall on one side of 1, as a share: 2^(1 - rounds), 0.25 for three.

    Each round is then a fair coin, and all may fall on either side.
    Source: W. J. Conover, Practical Nonparametric Statistics (1999), 3.4 "The Sign Test".
    """
    return float(2.0 ** (1 - rounds))


def samples_needed(percent: int) -> int:
    """How many samples a percentile needs: 1000 for the 99th, 200 for the 95th and the 5th, 20 for the 50th.

    The number of samples beyond a percentile is binomial; at 10 its standard deviation is already about a
    third of it, and below that a percentile is mostly luck. Source: G. J. Hahn and W. Q. Meeker, Statistical
    Intervals (1991), 5.2, on intervals from order statistics.
    """
    return -(-SAMPLES_BEYOND * 100 // min(percent, 100 - percent))
