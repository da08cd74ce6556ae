"""Two runs side by side: what changed between them, and whether that is a regression."""

from __future__ import annotations

import enum

from serverlab.model.base import FORMAT, Record
from serverlab.model.runs import Problem
from serverlab.model.security import Verdict
from serverlab.model.tables import Interval, Spread


class Metric(enum.Enum):
    """What may be compared, by the name that a rule calls it.

    ``cpu_ms`` is CPU time per successful request and ``memory`` the peak, both the app's; ``per_cpu_s`` is successful
    requests per CPU second of the whole stack; ``errors`` is the share of requests that failed.
    """

    RPS = "rps"
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"
    ERRORS = "errors"
    CPU_MS = "cpu_ms"
    PER_CPU_S = "per_cpu_s"
    MEMORY = "memory"

    @property
    def higher_is_better(self) -> bool:
        """Whether it gets worse as it falls; all others do as they grow."""
        return self in (Metric.RPS, Metric.PER_CPU_S)


class Rule(Record, frozen=True):
    """From which change on a metric counts as regressed; ``text`` is the rule as it was given (``p99:+10%``).

    ``bound`` is the ratio new/base (1.1), for errors the difference of the shares (0.001): values as bad as it or
    worse fail.
    """

    metric: Metric
    bound: float
    text: str


class Change(Record, frozen=True):
    """A metric of one cell in both runs.

    ``value`` is the ratio new/base of the geometric means over the trials, for errors the difference of the mean
    shares, None where a run has no such number. ``interval`` has it as its middle; it is None also where a run has a
    single valid trial.
    """

    metric: Metric
    base: Spread | None
    new: Spread | None
    value: float | None
    interval: Interval | None


class Judgement(Record, frozen=True):
    """What a rule says of a cell, and why where that is not a pass."""

    rule: str
    verdict: Verdict
    reason: str


class Count(Record, frozen=True):
    """How many of a cell's planned trials are valid."""

    valid: int
    planned: int


class ComparedCell(Record, frozen=True):
    """One target with one workload and one budget, in both runs."""

    target: str
    workload: str
    cpus: int
    base: Count
    new: Count
    changes: tuple[Change, ...]
    judgements: tuple[Judgement, ...]


class Missing(Record, frozen=True):
    """A cell that only the plan of ``only_in`` holds."""

    target: str
    workload: str
    cpus: int
    only_in: str


class Differing(Record, frozen=True):
    """Something that is not the same in both runs, as each of them states it."""

    what: str
    base: str
    new: str

    def __str__(self) -> str:
        """For people."""
        return f"{self.what}: {self.base} → {self.new}"


class Comparison(Record, frozen=True):
    """Two runs, cell by cell. ``base`` and ``new`` are their names.

    ``unlike`` is what should have been the same, ``differing`` what may differ between runs that are worth comparing.
    ``verdict`` is the worst of all judgements, None where no rule was given.
    """

    base: str
    new: str
    unlike: tuple[Differing, ...]
    differing: tuple[Differing, ...]
    rules: tuple[Rule, ...]
    cells: tuple[ComparedCell, ...]
    missing: tuple[Missing, ...]
    problems: tuple[Problem, ...]
    verdict: Verdict | None
    format: int = FORMAT
