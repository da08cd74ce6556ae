"""Which differences a section has shown, and which not: over all of its rows at once."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from serverlab import stats
from serverlab.model.tables import Interval, Shown, Spread

Ratios = tuple[float, ...]
"""One ratio for each round that both sides have; at least one."""


@dataclass(frozen=True)
class Compared:
    """A row beside what it is compared with.

    ``shown`` is None where there are too few rounds. ``smallest`` is the smallest difference that could have been
    shown, as a share. ``below_floor`` says that a difference is not shown because the reference differs from itself by
    as much, or nobody knows by how much it does.
    """

    spread: Spread
    interval: Interval | None
    shown: Shown | None
    smallest: float | None
    below_floor: bool = False


def compare_all(
    ratios: Mapping[str, Ratios],
    floors: Mapping[str, Interval | None],
    *,
    untold: Collection[str] = (),
) -> dict[str, Compared]:
    """Each row's comparison, by row; ``floors`` holds what a row's reference is against itself, where that is known.

    Of the rows that are ``untold`` it was asked and is not known: of them no difference is shown. Each interval is of
    its row alone; a row whose interval includes 1 ties. A difference is shown where Holm's correction over all rows
    allows it, too, and where the ratio lies beyond the noise floor. Holm's last step gives the level at which the
    others were asked: the smallest difference is the half width at that level, or the floor where that is larger.
    """
    intervals = {name: found for name, each in ratios.items() if (found := stats.interval(each))}
    different = stats.holm({name: stats.chance_if_equal(ratios[name]) for name in intervals})
    level = 1 - (1 - stats.CONFIDENCE) / max(1, len(intervals) - len(different))
    return {
        name: _compared(
            each,
            intervals.get(name),
            different=name in different,
            floor=reach_of(floors.get(name)),
            untold=name in untold,
            level=level,
        )
        for name, each in ratios.items()
    }


def reach_of(interval: Interval | None) -> float:
    """How far the interval reaches from 1 on the log scale, to either side; 0 where there is none."""
    return max(abs(math.log(interval.low)), abs(math.log(interval.high))) if interval else 0.0


def as_share(log_reach: float) -> float:
    """A distance on the log scale as a share of the smaller of the two: 0.0953 is 0.1."""
    return math.expm1(log_reach)


def _compared(
    ratios: Ratios, interval: Interval | None, *, different: bool, floor: float, untold: bool, level: float
) -> Compared:
    spread = stats.spread(ratios)
    if spread is None:
        raise ValueError("a comparison needs at least one ratio")
    if interval is None:
        return Compared(spread, None, None, None)
    half = stats.half_width([math.log(each) for each in ratios], level=level)
    below_floor = different and (untold or abs(math.log(interval.middle)) <= floor)
    shown = _shown(interval, certain=different and not below_floor)
    return Compared(spread, interval, shown, as_share(max(half, floor)), below_floor=below_floor)


def _shown(interval: Interval, *, certain: bool) -> Shown:
    if interval.low <= 1 <= interval.high:
        return Shown.TIE
    if not certain:
        return Shown.UNCLEAR
    return Shown.FASTER if interval.middle > 1 else Shown.SLOWER
