"""What faults did to targets, judged and merged over repetitions: what reports are made of."""

from __future__ import annotations

import msgspec

from serverlab.model.base import Count, Record
from serverlab.model.fault_runs import FaultFacts
from serverlab.model.faults import Cell, Verdict
from serverlab.model.runs import Problem
from serverlab.model.tables import Fact, Spread


class FailureCell(Record, frozen=True):
    """One fault on one target, all repetitions together.

    ``verdict`` is the worst (FAIL, then UNKNOWN, which VOID counts as); ``counted`` says how often there was which.
    ``wrong`` are rows and reads that no fault excuses, over all repetitions: ``{"lost": 2}``; ``repeated`` are writes
    that are there more than once where they may be, because the experiment does not guard them. The spreads are those
    of the repetitions that are not VOID: ``failed`` attempts from the fault to the end, ``unacknowledged`` writes that
    were done although nobody was told, seconds and shares as in Toll. ``not_recovered`` counts repetitions in which it
    was not well again within the observation. ``cells`` are what it was merged from; none where it is n/a.
    """

    fault: str
    target: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    counted: dict[str, int] = msgspec.field(default_factory=dict)
    wrong: dict[str, int] = msgspec.field(default_factory=dict)
    repeated: Count = 0
    failed: Spread | None = None
    unacknowledged: Spread | None = None
    longest_gap_s: Spread | None = None
    to_detect_s: Spread | None = None
    to_success_s: Spread | None = None
    to_recovery_s: Spread | None = None
    not_recovered: Count = 0
    goodput_kept: Spread | None = None
    measured: dict[str, Spread] = msgspec.field(default_factory=dict)
    cells: tuple[Cell, ...] = ()


class FailureTable(Record, frozen=True):
    """Faults against targets; ``cells`` holds one for each pair that was planned, in the order of both."""

    run: str
    title: str
    question: str
    facts: tuple[Fact, ...]
    faults: dict[str, FaultFacts]
    targets: tuple[str, ...]
    cells: tuple[FailureCell, ...]
    problems: tuple[Problem, ...]

    def cell(self, fault: str, target: str) -> FailureCell | None:
        """What the fault did to the target, None where that was not planned."""
        return next((each for each in self.cells if (each.fault, each.target) == (fault, target)), None)


class FailureOverview(Record, frozen=True):
    """Faults against targets over many runs; ``cells`` by fault and target, none for a pair that nobody has tried.

    ``runs`` says of how many pairs each run is the one that is shown, n/a aside.
    """

    faults: dict[str, FaultFacts]
    targets: tuple[str, ...]
    cells: dict[tuple[str, str], FailureCell]
    runs: dict[str, Count]
