"""What workloads are: who asks what, and how it arrives."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

import msgspec

from serverlab.model.base import Format, Positive, Rate, Record, Seconds


class Arrival(enum.Enum):
    """The load model: users who each wait for their answer before they ask again, or requests due at a rate."""

    CLOSED = "closed"
    OPEN = "open"


class Spacing(enum.Enum):
    """How the arrivals of an open workload are spaced: evenly, or with exponential gaps, as independent people come."""

    CONSTANT = "constant"
    POISSON = "poisson"


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
    locustfile as it stands, ``cache`` names what the app shares things in, None = whatever the run uses. ``workers`` is
    how many worker processes each copy of the server has, None = as many as its variant's formula says.
    """

    title: str
    description: str
    app: dict[str, str] = msgspec.field(default_factory=dict)
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    cache: Literal["redis"] | None = None
    workers: Positive | None = None


class Workload(Record, frozen=True):
    """Who asks what, and how it arrives: a folder ``loadtests/NAME``, or one variant of it (``NAME:VARIANT``).

    Closed: ``users`` ask, each waits for its answer and then ``think_time_ms``. Open: requests are due at ``rate`` per
    second with this ``spacing``, whether or not earlier ones are answered; at most ``users`` are in flight at once,
    each on its own connection. ``steps`` give rate or users their course over the window, in the place of ``rate``.

    A workload with ``variants`` cannot be run itself, only one of them: ``of_variant`` has what the variant sets in
    ``app``, ``parameters``, ``cache`` and ``workers``, and no variants.
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
    workers: Positive | None = None

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
            workers=variant.workers or self.workers,
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
