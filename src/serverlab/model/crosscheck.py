"""The lab's generator beside others: what each of them measured on one stack, and whether they agree."""

from __future__ import annotations

import enum

import msgspec

from serverlab.model.base import FORMAT, Record
from serverlab.model.records import Environment
from serverlab.model.runs import Problem
from serverlab.model.tables import Fact, Interval
from serverlab.model.workloads import Workload


class Tool(enum.Enum):
    """Who measured; ``AGAIN`` is the lab's own generator a second time, which tells what equal things differ by."""

    OURS = "serverlab"
    AGAIN = "serverlab, again"
    WRK = "wrk"
    H2LOAD = "h2load"


class Pace(enum.Enum):
    """How a tool asks: as fast as its connections get answers, or at half of the rate that this gave."""

    SATURATED = "saturated"
    HALF = "half"


class Reading(Record, frozen=True):
    """What a tool saw: right answers in the window, how many failed, and percentiles over ``count`` latencies.

    ``ok`` counts what ended within the window, latencies are of what began in it. Percentiles are None where the tool
    has none of what it measured alone, as wrk; ``count`` is that of its requests then.
    """

    ok: int
    failed: int
    window_s: float
    count: int
    p50_us: int | None
    p99_us: int | None

    @property
    def failed_share(self) -> float:
        """Of all that ended, what failed."""
        return self.failed / (self.ok + self.failed) if self.failed else 0.0

    @property
    def rps(self) -> float:
        """Right answers per second."""
        return self.ok / self.window_s


class Measurement(Record, frozen=True):
    """One line of ``measurements.jsonl``: one tool at one pace on one target in one round.

    ``rate`` is what was asked for at half pace. ``void`` says why the reading may not be used; ``reading`` is None
    where there is none. ``cpu_share`` is what the tool used of one core, warm-up included.
    """

    round: int
    target: str
    tool: Tool
    pace: Pace
    rate: float | None
    void: tuple[str, ...]
    reading: Reading | None
    cpu_share: float | None
    format: int = FORMAT


class CrossPlan(Record, frozen=True):
    """``crosscheck.json``: every target, in every round, under one workload by every tool with equal connections."""

    name: str
    question: str
    targets: tuple[str, ...]
    workload: Workload
    rounds: int
    seed: int
    hashes: dict[str, str]
    format: int = FORMAT


class Crosscheck(Record, frozen=True):
    """All that one call of ``serverlab crosscheck`` left behind; ``name`` is ``EXPERIMENT/RUN``."""

    name: str
    plan: CrossPlan
    environment: Environment
    measurements: tuple[Measurement, ...]
    problems: tuple[Problem, ...]


class Agreement(enum.Enum):
    """Whether a tool agrees with the lab's generator within the limit.

    UNCLEAR: the interval lies neither within the limit nor beyond it, or there are too few rounds for one. NA: it was
    not asked, or is what is compared with.
    """

    YES = "yes"
    NO = "no"
    UNCLEAR = "unclear"
    NA = "–"


class CrossRow(Record, frozen=True):
    """One tool at one pace on one target: medians over ``rounds`` rounds, ratios to ours in the same round.

    ``rps_ratio`` and ``p99_ratio`` are the plain geometric means, the intervals are None with too few rounds.
    """

    target: str
    tool: Tool
    pace: Pace
    rounds: int
    rps: float | None
    rps_ratio: float | None
    rps_interval: Interval | None
    p50_us: float | None
    p99_us: float | None
    p99_ratio: float | None
    p99_interval: Interval | None
    cpu_share: float | None
    agrees: Agreement
    reason: str


class CrossTable(Record, frozen=True):
    """The rows of a cross-check, and what holds for all of them."""

    run: str
    facts: tuple[Fact, ...]
    rows: tuple[CrossRow, ...]
    problems: tuple[Problem, ...] = msgspec.field(default_factory=tuple)
