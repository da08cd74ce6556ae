"""What people write: servers, variants, edges, experiments, and the workloads of ``model.workloads``."""

from __future__ import annotations

import enum
import re
from typing import Annotated, Self

import msgspec

from serverlab.model.base import Count, Format, Positive, Record
from serverlab.model.capacity import Search
from serverlab.model.workloads import (
    Arrival,
    LoadOverrides,
    Spacing,
    Step,
    Thresholds,
    Workload,
    WorkloadVariant,
)

__all__ = [
    "TARGET_PATTERN",
    "Arrival",
    "Difference",
    "Edge",
    "Experiment",
    "Identity",
    "Interface",
    "LoadOverrides",
    "Prediction",
    "Protocol",
    "ReferenceScope",
    "Server",
    "Setting",
    "Signals",
    "Spacing",
    "Step",
    "Target",
    "Thresholds",
    "Track",
    "Variant",
    "Workers",
    "Workload",
    "WorkloadVariant",
]

LowAndHigh = Annotated[tuple[float, ...], msgspec.Meta(min_length=2, max_length=2)]


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

    ``interface`` is how it calls the app where that is not what the server says, and ``capabilities`` are what it can
    do beside what the server can (``Server.interface_of``, ``Server.capabilities_of``).

    ``keeps_connections`` is false for one that closes connections without saying so while its clients take them for
    kept; an edge then keeps none to it. One that says ``Connection: close`` needs no word here.

    ``runs_coroutines`` is false for one that calls the app by WSGI and under which a coroutine of one request breaks
    others; Daphne cannot stand beside it, since a write tells Daphne of itself in one.
    """

    title: str
    track: Track
    command: tuple[str, ...]
    workers: Workers
    threads: Count
    interface: Interface | None = None
    capabilities: tuple[str, ...] = ()
    protocol: Protocol = Protocol.HTTP
    keeps_connections: bool = True
    runs_coroutines: bool = True
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
    """A folder ``deploy/NAME`` with its ``server.toml``.

    ``interface`` and ``capabilities`` are those of every variant that says nothing else.
    """

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

    def interface_of(self, variant: Variant) -> Interface:
        """How the server calls the app with the settings of its variant."""
        return variant.interface or self.interface

    def capabilities_of(self, variant: Variant) -> frozenset[str]:
        """What the server can do with the settings of its variant."""
        return frozenset((*self.capabilities, *variant.capabilities))


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
