"""What a search for capacity says once it is judged, not rounded."""

from __future__ import annotations

from serverlab.model.base import FORMAT, Record
from serverlab.model.capacity import Answer, Found
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


class CapacityRow(Record, frozen=True):
    """One target: what was found, how many trials tell it, and how many of them were VOID.

    ``lacks`` is the capability that it has not, where it was not tried at all. ``fit`` is None where ``curve`` has too
    few points to tell.
    """

    target: str
    lacks: str | None
    found: Found
    trials: int
    void: int
    latencies: tuple[AtShare, ...]
    curve: tuple[CurvePoint, ...]
    fit: Scalability | None
    remarks: tuple[str, ...]


class CapacitySection(Record, frozen=True):
    """All targets with one workload and one budget, those that carry most first."""

    workload: str
    cpus: int
    conditions: tuple[Fact, ...]
    rows: tuple[CapacityRow, ...]


class CapacityTable(Record, frozen=True):
    """What a search found, target by target, with the facts of the run."""

    run: str
    title: str
    question: str
    slo: tuple[str, ...]
    facts: tuple[Fact, ...]
    sections: tuple[CapacitySection, ...]
    problems: tuple[Problem, ...] = ()
    format: int = FORMAT
