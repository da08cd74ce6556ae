"""Whether two runs of the same say the same: the intervals of their ratios side by side."""

from __future__ import annotations

from dataclasses import dataclass

from serverlab.analysis.likeness import differing, unlike
from serverlab.model.regressions import Differing
from serverlab.model.runs import Run
from serverlab.model.tables import Interval, RowState, Section, Table


@dataclass(frozen=True)
class Pair:
    """A row of two runs; an interval is None where its run has none."""

    section: Section
    name: str
    first: Interval | None
    second: Interval | None

    @property
    def overlap(self) -> bool | None:
        """Whether the two intervals have a value in common, None where there are no two."""
        if self.first is None or self.second is None:
            return None
        return self.first.low <= self.second.high and self.second.low <= self.first.high


@dataclass(frozen=True)
class Likeness:
    """What two runs do not have in common: what should be the same, and what may differ."""

    unlike: tuple[Differing, ...]
    differing: tuple[Differing, ...]


def likeness(first: Run, second: Run) -> Likeness:
    """As two runs that are compared."""
    return Likeness(unlike(first, second), differing(first, second))


def agreement(first: Table, second: Table) -> tuple[Pair, ...]:
    """Every row that either of the tables measured and that is no reference, in the order of the first table."""
    others = {_key(section): _ratios(section) for section in second.sections}
    return tuple(
        Pair(section, name, own.get(name), other.get(name))
        for section in first.sections
        for own, other in [(_ratios(section), others.get(_key(section), {}))]
        for name in dict.fromkeys([*own, *other])
    )


def _key(section: Section) -> tuple[object, ...]:
    return section.workload, section.target, section.cpus, section.edge


def _ratios(section: Section) -> dict[str, Interval | None]:
    return {
        row.name: row.ratio_interval
        for row in section.rows
        if row.state is RowState.MEASURED and not row.reference
    }
