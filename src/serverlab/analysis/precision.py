"""How precise a run's rows are, and whether that is what was asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from serverlab.formatting import exact, percent, plural
from serverlab.model.records import Plan, Until
from serverlab.model.tables import Interval, Row, RowState, Section

SETTLED = 8
"""An interval counts as narrow only from so many rounds on.

A narrow interval of few rounds is often one that happens to be, so that stopping there covers too little. Simulated
in docs/decisions/0012.
"""

NAMED = 3
"""So many of the rows that are too wide are named in the line about all of them; each row shows its own interval."""

COLUMNS = ("ratio", "rps")
"""What may be asked to be precise."""


@dataclass(frozen=True)
class Precision:
    """What a run with ``--until`` has reached.

    ``wide`` says of each row that is not as precise as asked why, the least precise first. ``without`` are rows that
    have no valid trial: no round is added for them, and nothing is claimed of them.
    """

    until: Until
    rounds: int
    wide: dict[str, str]
    without: tuple[str, ...] = ()

    @property
    def reached(self) -> bool:
        """Whether every row that has numbers is as precise as asked."""
        return not self.wide

    def __str__(self) -> str:
        """One line: what was asked for, and what came of it."""
        asked = f"added until {self.until} or {exact(self.until.budget_s / 60)} min of trials"
        lacking = f"; without a valid trial: {', '.join(self.without)}" if self.without else ""
        if self.reached:
            return f"{asked}: reached after {plural(self.rounds, 'round')}{lacking}"
        named = [f"{name}: {why}" for name, why in islice(self.wide.items(), NAMED)]
        more = len(self.wide) - len(named)
        wide = "; ".join([*named, *([f"and {plural(more, 'more row')}"] if more else [])])
        return f"{asked}: not reached in {plural(self.rounds, 'round')}: {wide}{lacking}"


def precision(plan: Plan, sections: Iterable[Section]) -> Precision | None:
    """What was reached of the plan's ``until``, None where it has none."""
    if plan.until is None:
        return None
    judged = list(sections)
    asked = [
        (_name(section, row), interval)
        for section in judged
        for row, interval in _asked(section, plan.until.column)
    ]
    asked.sort(key=lambda each: half_width(each[1]) if each[1] else math.inf, reverse=True)
    wide = {
        name: why for name, interval in asked if (why := _lacking(interval, plan.until.within)) is not None
    }
    without = [
        _name(section, row) for section in judged for row in section.rows if row.state is RowState.VOID
    ]
    return Precision(until=plan.until, rounds=plan.experiment.rounds, wide=wide, without=tuple(without))


def _name(section: Section, row: Row) -> str:
    return f"{row.target}, {row.workload}, {plural(section.cpus, 'core')}"


def half_width(interval: Interval) -> float:
    """How far the interval reaches from its geometric middle, as a share: 0.95 to 1.05 is 0.05."""
    return math.sqrt(interval.high / interval.low) - 1


def _asked(section: Section, column: str) -> Iterator[tuple[Row, Interval | None]]:
    for row in section.rows:
        intervals: Mapping[str, Interval | None] = {"ratio": row.ratio_interval, "rps": row.rps_interval}
        if row.state is RowState.MEASURED and not (column == "ratio" and row.reference):
            yield row, intervals[column]


def _lacking(interval: Interval | None, within: float) -> str | None:
    if interval is None:
        return "no interval"
    width = half_width(interval)
    if width > within:
        return f"±{percent(width)}"
    return f"only {plural(interval.count, 'round')}" if interval.count < SETTLED else None
