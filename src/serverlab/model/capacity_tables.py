"""What a search for capacity says once it is judged, not rounded."""

from __future__ import annotations

from serverlab.model.base import FORMAT, Record
from serverlab.model.capacity import Answer, Found, Outcome
from serverlab.model.regressions import Differing
from serverlab.model.runs import Problem
from serverlab.model.tables import Fact, Interval


class Scalability(Record, frozen=True):
    """The Universal Scalability Law fitted to throughput over users: X(N) = rate_of_one N / (1 + s (N-1) + k N (N-1)).

    ``contention`` is s, ``coherency`` k, ``most_users`` the largest N that was measured, ``peak_users`` the N with the
    largest X, None where that is nowhere, beyond twice the measured range, or not shown because coherency may be 0.
    ``error`` is the standard deviation of the logarithms of the measured throughputs about the fit: about 0.05 where
    they lie 5 % off.
    """

    rate_of_one: Interval
    contention: Interval
    coherency: Interval
    most_users: int
    peak_users: float | None
    error: float


class AtShare(Record, frozen=True):
    """Latency at a share of the capacity; percentiles that too few requests stand behind are None."""

    share: float
    rate: float
    answer: Answer
    reason: str
    p50_us: int | None
    p99_us: int | None
    error_share: float | None


class CurvePoint(Record, frozen=True):
    """Right answers per second with so many users: the median of the valid trials, and each of them."""

    users: int
    throughput: float
    each: tuple[float, ...]


class SearchIn(Record, frozen=True):
    """What a run's search of a target came to.

    ``cpu_ms`` is the CPU time of the app per answer in the trial where that was least and in the one where it was most,
    None where no trial tells. ``doubted`` says that it was not the same throughout, or more than in another search.
    """

    run: str
    found: Found
    cpu_ms: tuple[float, float] | None
    doubted: bool = False

    @property
    def counts(self) -> bool:
        """Whether the target may be ranked by it: it found a rate that is carried, and is not doubted."""
        return not self.doubted and self.found.outcome in {Outcome.FOUND, Outcome.AT_LEAST}


class CapacityRow(Record, frozen=True):
    """One target: what was found, how many trials tell it, and how many of them were VOID.

    ``searches`` are those of all runs, the oldest first; all else is of the newest that counts, or where none does of
    the newest. ``lacks`` is the capability that the target has not, where it was not tried at all. ``per_cpu_s`` is of
    the trial that confirmed the capacity: right answers per CPU second of the whole stack, None where there is no
    capacity or the CPU was not read. ``fit`` is None where ``curve`` has too few points to tell.
    """

    target: str
    lacks: str | None
    found: Found
    searches: tuple[SearchIn, ...]
    per_cpu_s: float | None
    trials: int
    void: int
    latencies: tuple[AtShare, ...]
    curve: tuple[CurvePoint, ...]
    fit: Scalability | None
    remarks: tuple[str, ...]


class CapacitySection(Record, frozen=True):
    """All targets with one workload and one budget, those that carry most first and those not ranked last."""

    workload: str
    cpus: int
    conditions: tuple[Fact, ...]
    rows: tuple[CapacityRow, ...]


class FurtherRun(Record, frozen=True):
    """A later run in the table of an earlier one: the facts that are not those of the first.

    ``unlike`` is what should have been the same in both, ``differing`` what may differ.
    """

    run: str
    facts: tuple[Fact, ...]
    unlike: tuple[Differing, ...]
    differing: tuple[Differing, ...]


class CapacityTable(Record, frozen=True):
    """What searches found, target by target, with the facts of the run, or of the first one and of ``further`` ones."""

    run: str
    title: str
    question: str
    slo: tuple[str, ...]
    facts: tuple[Fact, ...]
    sections: tuple[CapacitySection, ...]
    problems: tuple[Problem, ...] = ()
    further: tuple[FurtherRun, ...] = ()
    format: int = FORMAT
