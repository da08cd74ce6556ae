"""Popular sentences: what people write down about each before it is tested, and what the results make of it."""

from __future__ import annotations

import enum

import msgspec

from serverlab.model.base import Count, Format, Positive, Record
from serverlab.model.definitions import Server
from serverlab.model.fault_runs import FaultRun
from serverlab.model.faults import Verdict as FaultVerdict
from serverlab.model.framing import Differential
from serverlab.model.runs import Problem, Run
from serverlab.model.security import Assault
from serverlab.model.security import Verdict as AttackVerdict
from serverlab.model.tables import Interval


class Topic(enum.Enum):
    """What a sentence is about, in the order in which they are told."""

    RUNSERVER = "runserver"
    SERVERS = "Servers"
    EDGE = "nginx"
    TOKENS = "Tokens and sessions"
    QUERIES = "Queries"


class Metric(enum.Enum):
    """What can be asked of a measured cell.

    ``app_cores`` is CPU time of the app's containers per second of the window, ``busy_cores`` that of all of the stack
    and of the generator where it shares the stack's cores. ``cpu_ms`` is of the app, ``stack_cpu_ms`` of the whole
    stack without the generator, both per successful request. ``memory_growth`` is the app's memory at the end of the
    window over that at its beginning. ``workers`` is what the proof before the load counted, ``least_worker`` the CPU
    time of the least busy one as a share of their mean.
    """

    RPS = "rps"
    P50_MS = "p50_ms"
    P99_MS = "p99_ms"
    CPU_MS = "cpu_ms"
    STACK_CPU_MS = "stack_cpu_ms"
    MEMORY_MB = "memory_mb"
    MEMORY_GROWTH = "memory_growth"
    APP_CORES = "app_cores"
    BUSY_CORES = "busy_cores"
    QUERIES = "queries"
    REQUEST_BYTES = "request_bytes"
    RESPONSE_BYTES = "response_bytes"
    WORKERS = "workers"
    LEAST_WORKER = "least_worker"


COUNTED = frozenset({Metric.QUERIES, Metric.REQUEST_BYTES, Metric.RESPONSE_BYTES, Metric.WORKERS})
"""What is counted and not timed: it is the same each time or it is not, and needs no interval."""


class Bound(Record, frozen=True):
    """What a number is held against: exactly one of these is given. ``within`` is a lower and an upper end."""

    above: float | None = None
    below: float | None = None
    within: tuple[float, ...] | None = None

    def __str__(self) -> str:
        """For people: ``above 1``."""
        if self.within is not None:
            return "within " + " and ".join(f"{each:g}" for each in self.within)
        return f"above {self.above:g}" if self.above is not None else f"below {self.below or 0:g}"

    @property
    def ends(self) -> tuple[float, ...]:
        """The numbers in it."""
        return self.within or tuple(each for each in (self.above, self.below) if each is not None)

    def met(self, value: float) -> bool:
        """Whether the number is as the bound says."""
        if self.within is not None:
            return self.within[0] <= value <= self.within[1]
        return value > self.above if self.above is not None else value < (self.below or 0)


class Cell(Record, frozen=True):
    """One target under one workload on one budget."""

    target: str
    workload: str
    cpus: Positive = 1

    def __str__(self) -> str:
        """For people."""
        return f"{self.target} · {self.workload} · {self.cpus} CPU"


class Ratio(Record, frozen=True):
    """``of`` over ``to`` in the same round of one run of ``experiment``, with ``database``, held against a bound.

    ``says`` is the sentence that is true where the bound is met.
    """

    says: str
    experiment: str
    of: Cell
    to: Cell
    bound: Bound
    metric: Metric = Metric.RPS
    database: str = "sqlite"


class Value(Record, frozen=True):
    """A number of one cell held against a bound."""

    says: str
    experiment: str
    of: Cell
    bound: Bound
    metric: Metric
    database: str = "sqlite"


class Attack(Record, frozen=True):
    """What an attack came to on each of these targets: a verdict, or a number that it measured with its bound."""

    says: str
    attack: str
    targets: tuple[str, ...]
    verdict: AttackVerdict | None = None
    measured: str | None = None
    bound: Bound | None = None


class Fault(Record, frozen=True):
    """What a fault did to each of these targets: a verdict, or a number with its bound, in every repetition.

    ``measured`` is a number of the toll (``lost``, ``longest_gap_s``, ``goodput_kept``, ...), ``failed`` (attempts from
    the fault to the end), ``well_again`` (1 where it recovered within the observation, else 0), or what the fault
    itself measured.
    """

    says: str
    fault: str
    targets: tuple[str, ...]
    verdict: FaultVerdict | None = None
    measured: str | None = None
    bound: Bound | None = None


class Reading(enum.Enum):
    """What is counted of odd requests: forms that were smuggled, or answered otherwise than the RFC wants."""

    SMUGGLED = "smuggled"
    OTHERWISE = "otherwise"


class Framing(Record, frozen=True):
    """How many forms of the cases whose ids begin so each of these targets took wrongly, held against a bound."""

    says: str
    cases: tuple[str, ...]
    targets: tuple[str, ...]
    counted: Reading
    bound: Bound


class Missing(Record, frozen=True):
    """What would have to be known, and nothing in the lab can tell yet: it is never decided."""

    says: str
    needs: str


Condition = Ratio | Value | Attack | Fault | Framing | Missing


class Answer(enum.Enum):
    """Whether the results show a condition, show its opposite, or show neither."""

    YES = "yes"
    NO = "no"
    OPEN = "open"


class Decided(enum.Enum):
    """The answers that may decide anything: what was not shown is no evidence."""

    YES = "yes"
    NO = "no"


class Meaning(enum.Enum):
    """What a combination of answers can mean; that a claim is open cannot be written down."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    DEPENDS = "depends on"


class Verdict(enum.Enum):
    """What became of a claim."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    DEPENDS = "depends on"
    OPEN = "open"


class Outcome(Record, frozen=True):
    """What it means if these conditions were answered so; ``because`` says it in a sentence, or on what it depends."""

    when: dict[str, Decided]
    verdict: Meaning
    because: str


class Claim(Record, frozen=True):
    """A file in ``claims/``: a popular sentence and how it is put to the test.

    ``test`` are the commands that make the evidence; ``critic`` is what may be said against test and sentence.
    Conditions are by kind and name; ``outcomes`` say what their answers mean. Where none fits, the claim is open.
    """

    format: Format
    topic: Topic
    sentence: str
    said_by: str
    why: str
    how: str
    critic: str
    test: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    links: tuple[str, ...] = ()
    ratio: dict[str, Ratio] = msgspec.field(default_factory=dict)
    value: dict[str, Value] = msgspec.field(default_factory=dict)
    attack: dict[str, Attack] = msgspec.field(default_factory=dict)
    fault: dict[str, Fault] = msgspec.field(default_factory=dict)
    framing: dict[str, Framing] = msgspec.field(default_factory=dict)
    missing: dict[str, Missing] = msgspec.field(default_factory=dict)

    def conditions(self) -> dict[str, Condition]:
        """All of them by name; the names of all kinds together are distinct."""
        return {
            **self.ratio,
            **self.value,
            **self.attack,
            **self.fault,
            **self.framing,
            **self.missing,
        }


class Holdings(Record, frozen=True):
    """All results that claims may be judged by, and the definitions that judging needs.

    ``workloads`` has the description of every workload as it is defined today: a run that measured another one under
    the same name is no evidence. ``problems`` tells of folders that could not be read.
    """

    runs: tuple[Run, ...] = ()
    assaults: tuple[Assault, ...] = ()
    fault_runs: tuple[FaultRun, ...] = ()
    differentials: tuple[Differential, ...] = ()
    servers: dict[str, Server] = msgspec.field(default_factory=dict)
    workloads: dict[str, str] = msgspec.field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


class JudgedCondition(Record, frozen=True):
    """A condition and its answer.

    ``found`` says what the results say, in numbers; ``reason`` why that decides nothing, "" where it does. ``interval``
    is that of a number that was timed. ``evidence`` names the runs that it was read from, as folders of results.
    """

    name: str
    kind: str
    says: str
    asked: str
    answer: Answer
    found: str
    reason: str = ""
    interval: Interval | None = None
    rounds: Count = 0
    evidence: tuple[str, ...] = ()


class JudgedClaim(Record, frozen=True):
    """A claim with its verdict; ``because`` is the outcome's sentence, "" where the claim is open."""

    name: str
    claim: Claim
    verdict: Verdict
    because: str
    conditions: tuple[JudgedCondition, ...]
