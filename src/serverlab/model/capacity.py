"""The highest rate that a target carries: what is asked for, what was tried, what was found."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

import msgspec

from serverlab.model.base import Record

PerSecond = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]


class Metric(enum.Enum):
    """What an objective bounds: a percentile of latency, or the share of errors."""

    P50 = "p50"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"
    P999 = "p99.9"
    ERRORS = "errors"

    @property
    def percent(self) -> float | None:
        """Which percentile it is, None for errors."""
        return None if self is Metric.ERRORS else float(self.value[1:])


class Objective(Record, frozen=True):
    """One bound of a service level objective: latency in microseconds, errors as a share of 1."""

    metric: Metric
    at_most: float

    def __str__(self) -> str:
        """As people write it."""
        if self.metric is Metric.ERRORS:
            return f"errors<={self.at_most * 100:g}%"
        return f"{self.metric.value}<={self.at_most / 1000:g}ms"


class Purpose(enum.Enum):
    """Why a trial of a search is made."""

    CLOSED = "closed"
    SEARCH = "search"
    CONFIRM = "confirm"
    LATENCY = "latency"
    CURVE = "curve"


class Asked(Record, frozen=True):
    """What a trial of a search tries: a rate per second, where it is open; ``users`` on the curve, which is closed.

    ``share`` is of the capacity, where latency at a share of it is measured.
    """

    purpose: Purpose
    rate: float | None = None
    share: float | None = None
    users: int | None = None

    @property
    def variant(self) -> str:
        """What this form of the workload is called, which depends on purpose and load, as its window does.

        ``search-at-87.5`` or the like where it is open, else ``users-8`` or ``closed``.
        """
        if self.rate is not None:
            return f"{self.purpose.value}-at-{self.rate:g}"
        return "closed" if self.users is None else f"users-{self.users}"

    def __str__(self) -> str:
        """The purpose and what is tried, in a few words."""
        if self.rate is not None:
            of = "" if self.share is None else f" ({self.share:.0%} of capacity)"
            return f"{self.purpose.value} {self.rate:g}/s{of}"
        if self.users is None:
            return self.purpose.value
        return f"{self.purpose.value} {self.users} {'user' if self.users == 1 else 'users'}"


class Answer(enum.Enum):
    """Whether a trial met the objectives; one that is VOID, or saw too little, tells neither."""

    MET = "met"
    MISSED = "missed"
    VOID = "void"


class Probe(Record, frozen=True):
    """What one trial of a search has told; ``throughput`` counts right answers per second, VOID or not."""

    asked: Asked
    answer: Answer
    reason: str
    throughput: float | None
    wall_s: float


class Outcome(enum.Enum):
    """What a search came to.

    FOUND: the rate was met and confirmed, and one not farther above it than the resolution was missed. AT_LEAST: the
    rate was met and confirmed, but nothing that counts was missed so near above it. LESS_THAN: not even the lowest rate
    tried was met. UNKNOWN: none of these.
    """

    FOUND = "found"
    AT_LEAST = "at least"
    LESS_THAN = "less than"
    UNKNOWN = "unknown"


class Found(Record, frozen=True):
    """The result of a search: ``rate`` per second, None where it is UNKNOWN; the lowest above it that was missed.

    ``reason`` says why it is not FOUND, and is empty where it is.
    """

    outcome: Outcome
    rate: float | None
    missed_at: float | None
    reason: str


class Search(Record, frozen=True):
    """How an experiment searches for capacity: its ``[capacity]`` table.

    A closed trial of ``closed_s`` gives a throughput; the first rate tried is the share ``start`` of it. Rates grow, or
    fall, by the factor ``growth``, each step twice as far as the last (its factor squared, at most fourfold), until one
    is met and one is not; then the gap is halved until it is no wider than ``resolution``. The windows of trials that
    search last ``search_s``, where that is None as long as the others: ``duration_s``. Where a rate is so low that the
    objectives would see too few requests, all are longer, up to ``longest_s``. At most ``users`` requests are in flight
    at once.

    The search ends after ``probes`` trials, or when those of a target have taken ``budget_s``; at most
    ``confirmations`` trials confirm. Latency is measured at ``shares`` of what was found. ``curve`` names numbers of
    users for closed trials of ``curve_s``, each made ``curve_rounds`` times; without ``slo`` there is nothing else.
    """

    slo: tuple[str, ...] = ()
    spacing: Literal["poisson", "constant"] = "poisson"
    users: AtLeastOne = 64
    closed_s: PerSecond = 4.0
    duration_s: PerSecond = 10.0
    search_s: PerSecond | None = None
    longest_s: PerSecond = 60.0
    start: Annotated[float, msgspec.Meta(gt=0, le=2)] = 0.85
    growth: Annotated[float, msgspec.Meta(gt=1, le=4)] = 1.1
    resolution: Annotated[float, msgspec.Meta(ge=0.01, le=0.5)] = 0.05
    lowest_rate: PerSecond = 1.0
    highest_rate: PerSecond = 20_000.0
    probes: AtLeastOne = 14
    confirmations: AtLeastOne = 6
    budget_s: PerSecond = 600.0
    shares: tuple[Share, ...] = (0.5, 0.7, 0.9)
    curve: tuple[AtLeastOne, ...] = ()
    curve_rounds: AtLeastOne = 3
    curve_s: PerSecond = 4.0
