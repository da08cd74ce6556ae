"""What a run says once it is judged: sections of rows with the doubts that belong to them, not rounded."""

from __future__ import annotations

import enum

import msgspec

from serverlab.model.base import FORMAT, Record
from serverlab.model.runs import Problem


class Spread(Record, frozen=True):
    """The middle of some values, one per round, and how far they lie apart.

    ``low`` and ``high`` are the smallest and the largest value, ``mad`` the median absolute deviation,
    ``count`` how many values there are (at least 1).
    """

    median: float
    low: float
    high: float
    mad: float
    count: int


class Interval(Record, frozen=True):
    """A geometric mean over the rounds and what it may be besides, at this level of confidence (0.95 is 95 %).

    ``method`` is how it was made, ``count`` how many rounds it stands on.
    """

    middle: float
    low: float
    high: float
    level: float
    method: str
    count: int


class Shown(enum.Enum):
    """What the run has shown of a row and its reference; of TIE and UNCLEAR rows no difference was shown.

    The interval of a TIE includes 1. That of an UNCLEAR row does not, but the difference does not stand among so many
    comparisons, or lies within the noise floor.
    """

    FASTER = "faster"
    SLOWER = "slower"
    TIE = "tie"
    UNCLEAR = "unclear"


class Score(enum.Enum):
    """What became of a prediction."""

    HELD = "held"
    MISSED = "missed"
    UNDECIDED = "undecided"


class RowState(enum.Enum):
    """Why a row has numbers, or has none."""

    MEASURED = "measured"
    VOID = "void"
    NOT_APPLICABLE = "n/a"
    NOT_RUN = "not run"


class DoubtKind(enum.Enum):
    """The warnings that may stand next to a number, in the order in which they are listed."""

    NO_REFERENCE = "no-reference"
    REFERENCE_BOUND = "reference-bound"
    FEW_ROUNDS = "few-rounds"
    SHARED_CORE = "shared-core"
    MACHINE_SPEED = "machine-speed"
    DIRTY = "dirty"
    SELF_DIFFERENCE = "self-difference"
    NO_DIFFERENCE = "no-difference"
    UNCLEAR = "unclear"
    NOISE_FLOOR = "noise-floor"
    UNSTABLE_ORDER = "unstable-order"
    RATIO_PAIRS = "ratio-pairs"
    NEW_CONNECTIONS = "new-connections"
    NO_GAIN = "no-gain"
    IMPOSSIBLE_GAIN = "impossible-gain"
    GAIN_BOUND = "gain-bound"
    WIDE_SPREAD = "wide-spread"
    THRESHOLD = "threshold"
    NEAR_GENERATOR = "near-generator"
    NEAR_CEILING = "near-ceiling"
    PLATEAU_40MS = "plateau-40ms"
    SLOTS = "slots"
    IDLE_CPU = "idle-cpu"
    LATE = "late"
    FEW_SAMPLES = "few-samples"
    QUEUED = "queued"
    STEPPED = "stepped"
    CHEAP_HASHER = "cheap-hasher"
    LISTEN_OVERFLOWS = "listen-overflows"
    RETRANSMITS = "retransmits"
    LITTLES_LAW = "littles-law"
    MEAN_AS_P99 = "mean-as-p99"
    EQUAL_PERCENTILES = "equal-percentiles"
    FAST_ERRORS = "fast-errors"
    UNEQUAL_WORKERS = "unequal-workers"
    ACCESS_LOG = "access-log"
    STOLEN_TIME = "stolen-time"
    LOAD_AVERAGE = "load-average"
    OTHER_WORK = "other-work"


class Detail(Record, frozen=True):
    """What a doubt says of some rows: the same sentence holds for all ``targets``."""

    targets: tuple[str, ...]
    text: str


class Doubt(Record, frozen=True):
    """A numbered footnote of a section: what is doubtful, about whom, and what to do about it.

    ``everywhere`` says that it holds alike for every measured row of the section; such a doubt does not mark
    rows.
    """

    number: int
    kind: DoubtKind
    message: str
    action: str
    details: tuple[Detail, ...]
    everywhere: bool


class FailureCount(Record, frozen=True):
    """Failed requests of one kind and status over all valid trials of a row."""

    kind: str
    status: int | None
    count: int


class Errors(Record, frozen=True):
    """All failed requests of a row's valid trials; ``share`` is of all requests, None if there was none."""

    count: int
    share: float | None
    kinds: tuple[FailureCount, ...]


class VoidTrials(Record, frozen=True):
    """The rounds of a row that are VOID for the same reason."""

    rounds: tuple[int, ...]
    reason: str


class Row(Record, frozen=True):
    """One target, or one workload, within a section: ``name`` is the one of them that differs between the rows.

    Requests per second count successes only. ``ratio`` is of requests per second to the row ``compared_with`` and
    ``scaling`` to the same target with the smallest budget of the run, both paired within rounds; with enough rounds
    each has an interval. ``shown`` is None where there is no interval. Rows with the same ``group`` tie: no difference
    between the row and its reference was shown; ``smallest`` is the smallest that could have been, as a share.

    Latencies are each trial's own percentiles in microseconds; ``max_us`` is the largest of all valid trials.
    ``cpu_ms`` (CPU time per successful request) and ``memory_bytes`` (peaks) are by role: app, edge, db, cache,
    realtime, load. ``queries`` and bytes are means per request, by what was seen of each kind of request before the
    window. None, or a missing role, is absent. ``doubts`` holds the numbers of the footnotes.

    ``per_cpu_s`` is successful requests per CPU second of the whole stack, without the generator. By role, too:
    ``cpu_user_ms`` and ``cpu_system_ms`` (the parts of ``cpu_ms``), ``pss_bytes`` (peaks; shared pages count once) and
    context ``switches`` per successful request. ``connections`` is how many the database had open at most.

    ``p999_us`` is of 99.9 %. ``samples`` is how many latencies a round's percentiles stand on. Where arrival is open,
    ``unsent_share`` is of all arrivals that were due, and ``lag_us`` the 99th percentile of how late the generator
    itself was. ``ceiling_rps`` is what the generator got out of a server that does nothing, set up as in these trials,
    ``ceiling_share`` requests per second as a share of it.
    """

    name: str
    target: str
    workload: str
    state: RowState
    reference: bool
    compared_with: str | None
    reason: str | None
    planned: int
    valid: int
    void: tuple[VoidTrials, ...]
    doubts: tuple[int, ...]
    rps: Spread | None
    ratio: Spread | None
    scaling: Spread | None
    p50_us: Spread | None
    p95_us: Spread | None
    p99_us: Spread | None
    max_us: int | None
    errors: Errors | None
    cpu_ms: dict[str, Spread]
    memory_bytes: dict[str, Spread]
    ready_s: Spread | None
    image_bytes: int | None
    replicas: int | None
    queries: Spread | None
    request_bytes: Spread | None
    response_bytes: Spread | None
    rps_interval: Interval | None = None
    ratio_interval: Interval | None = None
    scaling_interval: Interval | None = None
    shown: Shown | None = None
    group: int | None = None
    smallest: float | None = None
    per_cpu_s: Spread | None = None
    cpu_user_ms: dict[str, Spread] = msgspec.field(default_factory=dict)
    cpu_system_ms: dict[str, Spread] = msgspec.field(default_factory=dict)
    pss_bytes: dict[str, Spread] = msgspec.field(default_factory=dict)
    switches: dict[str, Spread] = msgspec.field(default_factory=dict)
    connections: Spread | None = None
    p90_us: Spread | None = None
    p999_us: Spread | None = None
    unsent_share: float | None = None
    lag_us: Spread | None = None
    ceiling_rps: Spread | None = None
    ceiling_share: Spread | None = None
    samples: Spread | None = None
    memory_growth: Spread | None = None


class NoiseFloor(Record, frozen=True):
    """A reference against itself, measured twice in each round: what equal things differ by in this run.

    ``reach`` is how far the interval reaches from 1, as a share; smaller differences are not shown.
    """

    name: str
    ratio: Spread
    interval: Interval | None
    reach: float | None


class ScoredPrediction(Record, frozen=True):
    """A ratio that was expected before the run, where the expectation is from, and what came of it."""

    name: str
    low: float
    high: float
    source: str
    score: Score
    interval: Interval | None


class Fact(Record, frozen=True):
    """One line of what stands beside a table: what is stated, and the statement."""

    label: str
    value: str


class Section(Record, frozen=True):
    """The rows that may be compared with each other.

    Either ``workload`` is that of all rows, each of which is a target; or ``target`` is that of all rows, each of which
    is a workload. The other is None. ``edge`` is None where the section holds targets with and without an edge, "none"
    where it holds the direct ones. ``reference`` is the row that all ratios are taken against, None where there is none
    or are several.
    """

    workload: str | None
    target: str | None
    cpus: int
    edge: str | None
    reference: str | None
    conditions: tuple[Fact, ...]
    rows: tuple[Row, ...]
    doubts: tuple[Doubt, ...]
    noise_floors: tuple[NoiseFloor, ...] = ()
    predictions: tuple[ScoredPrediction, ...] = ()


class Table(Record, frozen=True):
    """A judged run: what it asked, under which conditions, and one section for each comparison."""

    run: str
    title: str
    question: str
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    problems: tuple[Problem, ...]
    format: int = FORMAT
