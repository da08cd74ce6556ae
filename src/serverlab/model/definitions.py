"""What people write: servers, variants, edges, workloads and experiments."""

from __future__ import annotations

import enum
import re
from typing import Annotated, Literal, Self

import msgspec

from serverlab.model.base import Record
from serverlab.model.capacity import Search

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Rate = Annotated[float, msgspec.Meta(gt=0)]
LowAndHigh = Annotated[tuple[float, ...], msgspec.Meta(min_length=2, max_length=2)]
Format = Annotated[int, msgspec.Meta(ge=1, le=1)]


class Interface(enum.Enum):
    """How the server calls the app."""

    WSGI = "wsgi"
    ASGI = "asgi"


class Track(enum.Enum):
    """Whether a variant is as installed, or as its documentation recommends for the budget."""

    DEFAULT = "default"
    PRODUCTION = "production"


class Protocol(enum.Enum):
    """What the server speaks on its port."""

    HTTP = "http"
    UWSGI = "uwsgi"


class Arrival(enum.Enum):
    """The load model: users who each wait for their answer before they ask again, or requests due at a rate."""

    CLOSED = "closed"
    OPEN = "open"


class Spacing(enum.Enum):
    """How the arrivals of an open workload are spaced: evenly, or with exponential gaps, as independent people come."""

    CONSTANT = "constant"
    POISSON = "poisson"


class ReferenceScope(enum.Enum):
    """Whether ratios are taken against one target, or against its like behind the same edge."""

    RUN = "run"
    EDGE = "edge"


class Workers(Record, frozen=True):
    """Worker processes for a budget: ``per_cpu * cpus + extra``."""

    per_cpu: Count = 0
    extra: Count = 0

    def for_cpus(self, cpus: int) -> int:
        """The number of worker processes for a budget of ``cpus`` cores."""
        return self.per_cpu * cpus + self.extra


class Identity(Record, frozen=True):
    """What proves that this really is that server.

    ``server_header`` is a regular expression on the Server header of a direct answer ("" = no such header);
    ``process`` one on the command lines of the container; ``supervisors`` says how many of the matching
    processes are not workers. ``multithread`` is what the server tells the app about threads (WSGI's wsgi.multithread),
    where that is not what the number of threads makes plain.
    """

    server_header: str
    process: str
    supervisors: Count = 0
    multithread: bool | None = None


class Signals(Record, frozen=True):
    """Names of the signals that the server understands."""

    stop: str
    reload: str | None = None
    quick: str | None = None


class Setting(Record, frozen=True):
    """One setting that is not the server's default, and the vendor's page that recommends it."""

    setting: str
    why: str
    link: str
    variants: tuple[str, ...] = ()


class Unanswered(Record, frozen=True):
    """Requests that a variant ends by closing the connection, without an answer.

    ``head_bytes``: every one whose request line and headers are that large (None = it answers those too); servers
    count differently, so that a smaller one may be too large as well. ``unread_bodies``: whether a body that is refused
    unread can cost the answer; chance decides.
    """

    head_bytes: Positive | None = None
    unread_bodies: bool = False


class Variant(Record, frozen=True):
    """Named settings of a server.

    ``keeps_connections`` is false for one that closes connections without saying so while its clients take them for
    kept; an edge then keeps none to it. One that says ``Connection: close`` needs no word here.
    """

    title: str
    track: Track
    command: tuple[str, ...]
    workers: Workers
    threads: Count
    protocol: Protocol = Protocol.HTTP
    keeps_connections: bool = True
    unanswered: Unanswered = Unanswered()
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    identity: Identity | None = None
    replicas_per_cpu: Count = 0


class Difference(Record, frozen=True):
    """What a server cannot hold by itself: the attack is expected to fail on it, and ``seen`` fits what is seen.

    ``seen`` is a regular expression. It applies to the variants that are named (none = all), direct and, unless
    ``behind_edge`` is false, behind an edge.
    """

    attack: str
    seen: str
    why: str
    variants: tuple[str, ...] = ()
    behind_edge: bool = True
    direct: bool = True

    def applies_to(self, attack: str, target: Target) -> bool:
        """Whether the attack on the target is expected to be found so."""
        placed = self.behind_edge if target.edge else self.direct
        return attack == self.attack and placed and (not self.variants or target.variant in self.variants)


class Server(Record, frozen=True):
    """A folder ``deploy/NAME`` with its ``server.toml``."""

    format: Format
    title: str
    interface: Interface
    distribution: str
    docs: str
    default_variant: str
    capabilities: tuple[str, ...]
    signals: Signals
    identity: Identity
    variants: dict[str, Variant]
    settings: tuple[Setting, ...] = ()
    differences: tuple[Difference, ...] = ()


class Edge(Record, frozen=True):
    """A folder ``deploy/NAME`` with its ``edge.toml``: what stands in front of a server."""

    format: Format
    title: str
    distribution: str
    docs: str
    protocols: tuple[Protocol, ...]
    capabilities: tuple[str, ...]
    signals: Signals
    identity: Identity
    settings: tuple[Setting, ...] = ()


class Thresholds(Record, frozen=True):
    """Bounds whose breach puts a doubt beside the numbers of a trial."""

    error_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.001
    p99_ms: Seconds = 1000.0


class Step(Record, frozen=True):
    """A part of the window with a rate of its own, or with a number of users where the arrival is closed.

    ``ramp_to`` is the rate at its end, where it is not that of its beginning.
    """

    duration_s: Seconds
    rate: Rate | None = None
    ramp_to: Rate | None = None
    users: Positive | None = None

    @property
    def level(self) -> float:
        """Arrivals per second, or users, at its beginning."""
        return float(self.rate or self.users or 0)


class WorkloadVariant(Record, frozen=True):
    """One of several forms of a workload: how the app is set meanwhile, and what the load is told.

    ``app`` holds the LAB_ variables of the app that are not at their defaults, ``parameters`` is handed to the
    locustfile as it stands, ``cache`` names what the app shares things in, None = whatever the run uses.
    """

    title: str
    description: str
    app: dict[str, str] = msgspec.field(default_factory=dict)
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    cache: Literal["redis"] | None = None


class Workload(Record, frozen=True):
    """Who asks what, and how it arrives: a folder ``loadtests/NAME``, or one variant of it (``NAME:VARIANT``).

    Closed: ``users`` ask, each waits for its answer and then ``think_time_ms``. Open: requests are due at ``rate`` per
    second with this ``spacing``, whether or not earlier ones are answered; at most ``users`` are in flight at once,
    each on its own connection. ``steps`` give rate or users their course over the window, in the place of ``rate``.

    A workload with ``variants`` cannot be run itself, only one of them: ``of_variant`` has what the variant sets in
    ``app``, ``parameters`` and ``cache``, and no variants.
    """

    format: Format
    title: str
    description: str
    arrival: Arrival
    users: Positive
    warmup_s: Seconds
    duration_s: Seconds
    timeout_s: Seconds
    needs: tuple[str, ...] = ()
    think_time_ms: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    rate: Rate | None = None
    spacing: Spacing | None = None
    steps: tuple[Step, ...] = ()
    thresholds: Thresholds = Thresholds()
    app: dict[str, str] = msgspec.field(default_factory=dict)
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    cache: Literal["redis"] | None = None
    variants: dict[str, WorkloadVariant] = msgspec.field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether requests are due at a rate."""
        return self.arrival is Arrival.OPEN

    def course(self) -> tuple[Step, ...]:
        """The steps of its load, one where it does not change; none where a closed workload has always all users."""
        if self.steps or not self.is_open:
            return self.steps
        return (Step(duration_s=self.duration_s, rate=self.rate),)

    def of_variant(self, name: str) -> Workload:
        """The workload that the variant called ``name`` makes of this one."""
        variant = self.variants[name]
        return msgspec.structs.replace(
            self,
            title=f"{self.title}, {variant.title}",
            description=variant.description,
            app={**self.app, **variant.app},
            parameters={**self.parameters, **variant.parameters},
            cache=variant.cache or self.cache,
            variants={},
        )


class LoadOverrides(Record, frozen=True):
    """What an experiment changes in its workloads; every workload of requests can be made open, or closed."""

    users: Positive | None = None
    warmup_s: Seconds | None = None
    duration_s: Seconds | None = None
    arrival: Arrival | None = None
    rate: Rate | None = None
    spacing: Spacing | None = None
    steps: tuple[Step, ...] | None = None

    def applied_to(self, workload: Workload) -> Workload:
        """The workload with these changes; what belongs to the other arrival alone is dropped with it."""
        given = {key: value for key, value in msgspec.structs.asdict(self).items() if value is not None}
        if self.arrival not in (None, workload.arrival):
            given = {"think_time_ms": 0.0, "rate": None, "spacing": None, "steps": ()} | given
        elif self.rate is not None:
            given = {"steps": ()} | given
        elif self.steps is not None:
            given = {"rate": None} | given
        return msgspec.structs.replace(workload, **given)


class Prediction(Record, frozen=True):
    """A ratio to the reference that is expected before the experiment runs, and where the expectation is from.

    It is of ``target`` where targets are compared and of ``workload`` where workloads are; the other, and ``cpus``,
    may narrow the sections that it is about.
    """

    ratio: LowAndHigh
    source: str
    target: str | None = None
    workload: str | None = None
    cpus: Positive | None = None


class Experiment(Record, frozen=True):
    """One question: targets, workloads, budgets, rounds and a reference.

    It compares either targets, each with every one of ``workloads``, with the target ``reference``; or, on each
    target, workloads: ``comparisons`` maps a reference workload to those that are compared with it. With ``control``
    each reference is measured twice in its block, which gives the noise floor.

    With ``capacity`` it compares nothing: the highest rate of each target is searched for, and there is no reference.
    """

    format: Format
    title: str
    question: str
    targets: tuple[str, ...]
    workloads: tuple[str, ...] = ()
    reference: str | None = None
    comparisons: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    reference_scope: ReferenceScope = ReferenceScope.RUN
    rounds: Positive = 3
    seed: int = 1
    cpus: tuple[Positive, ...] = (1,)
    load: LoadOverrides = LoadOverrides()
    control: bool = True
    predictions: tuple[Prediction, ...] = ()
    capacity: Search | None = None

    def measured_workloads(self) -> tuple[str, ...]:
        """All workloads, in the order in which the experiment names them."""
        compared = ((reference, *others) for reference, others in self.comparisons.items())
        return self.workloads + tuple(name for names in compared for name in names)

    def reference_workload(self, workload: str) -> str | None:
        """The workload that ``workload`` is compared with (itself for a reference), None where targets are compared."""
        found = (
            reference
            for reference, others in self.comparisons.items()
            if workload == reference or workload in others
        )
        return next(found, None)


TARGET_PATTERN = re.compile(r"(?P<server>[a-z0-9-]+)(?::(?P<variant>[a-z0-9-]+))?(?:\+(?P<edge>[a-z0-9-]+))?")


class Target(Record, frozen=True):
    """What is measured: ``SERVER:VARIANT[+EDGE]``."""

    server: str
    variant: str
    edge: str | None = None

    def __str__(self) -> str:
        """The full name, always with the variant."""
        return f"{self.server}:{self.variant}" + (f"+{self.edge}" if self.edge else "")

    @classmethod
    def parse(cls, name: str) -> Self:
        """The target with the full name ``name`` (as ``str(target)`` writes it).

        Raises:
            ValueError: the name is not of that form.
        """
        match = TARGET_PATTERN.fullmatch(name)
        if not match or not match["variant"]:
            raise ValueError(f"not a full target name: {name!r}")
        return cls(server=match["server"], variant=match["variant"], edge=match["edge"])
