"""What a run writes: its plan, its environment and one trial per line."""

from __future__ import annotations

import enum

import msgspec

from serverlab.model.base import FORMAT, Record
from serverlab.model.capacity import Asked
from serverlab.model.ceilings import Connections, LoadSetup
from serverlab.model.definitions import Arrival, Experiment, Workload
from serverlab.model.usage import NetworkCounts, Usage

SOCKET = "WS "
"""What the names of messages on WebSockets begin with."""


class PlannedTrial(Record, frozen=True):
    """One target in one round, for one workload and one budget of cores.

    A ``control`` measures a reference a second time in its round: the two tell what equal things differ by. ``asked``
    is what a trial of a search for capacity tries.
    """

    id: str
    round: int
    workload: str
    cpus: int
    target: str
    control: bool = False
    asked: Asked | None = None


class Until(Record, frozen=True):
    """When no more rounds are added: every interval of ``column`` is within this share of its middle, or time is spent.

    ``budget_s`` is of all trials of the run, those of its first rounds included.
    """

    column: str
    within: float
    budget_s: float

    def __str__(self) -> str:
        """As ``--until`` takes it."""
        return f"{self.column} ±{self.within * 100:g}%"


class Plan(Record, frozen=True):
    """``plan.json``: what a run is going to do, in order.

    ``hashes`` maps ``experiment``, ``workload/NAME`` and ``server/NAME`` to the SHA-256 of their files.
    ``skipped`` maps ``TARGET WORKLOAD`` to the capability that the target lacks: these cells are ``n/a``. A plan with
    ``until`` grows by a round at a time.
    """

    name: str
    experiment: Experiment
    workloads: dict[str, Workload]
    trials: tuple[PlannedTrial, ...]
    skipped: dict[str, str]
    hashes: dict[str, str]
    until: Until | None = None
    format: int = FORMAT


class CoreSplit(Record, frozen=True):
    """Which cores the stack (app, edge, database) and the generator run on, as cpuset lists ("0", "0-1")."""

    stack: str
    generator: str
    disjoint: bool


class ImageFacts(Record, frozen=True):
    """An image as the engine knows it."""

    id: str
    size_bytes: int


class Environment(Record, frozen=True):
    """``environment.json``: where and with what a run was made.

    ``core_splits`` is by budget ("1", "2"); ``equal`` says what every stack is given alike besides its cores, as it
    is to stand beside the table: ``{"memory": "1 GiB", "keep-alive": "75 s", "access log": "off"}``. ``cache`` is where
    the app shares things unless a workload says otherwise, None where a run was made before there was a choice. An
    image's id is the digest of all that is in it. ``seed`` decided the order of the trials (the arrivals of an open
    workload follow from the number of the round); ``hashes`` are the plan's, so that this file tells what was run.
    """

    run: str
    started_at: str
    lab_version: str
    commit: str | None
    dirty: bool | None
    kernel: str
    os: str
    cpu_model: str
    cores: int
    memory_bytes: int
    cgroup: str
    engine: str
    compose: str
    python: str
    database: str
    core_splits: dict[str, CoreSplit]
    images: dict[str, ImageFacts]
    equal: dict[str, str] = msgspec.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    cache: str | None = None
    seed: int | None = None
    hashes: dict[str, str] = msgspec.field(default_factory=dict)
    clock_source: str | None = None
    format: int = FORMAT


class Packages(Record, frozen=True):
    """``packages.json``: what is installed in the images of a run, written when a trial states it for the first time.

    ``lists`` maps a digest to versions by name; the ``packages`` of a proof's identity is such a digest. ``by_server``
    has that of each server's first measured trial; a later one with another is VOID. A run made before there was such
    a file has the list itself in each identity, as ``distributions``.
    """

    by_server: dict[str, str] = msgspec.field(default_factory=dict)
    lists: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    format: int = FORMAT

    def of(self, server: str) -> dict[str, str] | None:
        """The versions by name that the server's first measured trial stated, None where there is none yet."""
        return self.lists.get(self.by_server.get(server, ""))


class State(enum.Enum):
    """Whether a trial's numbers may be used."""

    MEASURED = "measured"
    VOID = "void"


class Check(Record, frozen=True):
    """One question put to a target before or after it was measured."""

    name: str
    ok: bool
    detail: str


class Proof(Record, frozen=True):
    """All checks of one moment, and the target's versions as it states them.

    ``passed`` maps each check that passed to what was seen, in the order they were made in; ``checks`` has the others,
    with all there is to say. In runs made before there was ``passed``, ``checks`` has them all. ``processes`` are the
    engine's ids of the server's processes, supervisors included. Only in a line of ``trials.jsonl`` is there a proof
    after that is ``as_before``: what its ``passed`` and ``identity`` leave out is as in the proof before.
    """

    checks: tuple[Check, ...]
    workers: int | None
    server_version: str | None
    identity: dict[str, str]
    processes: tuple[int, ...] = ()
    passed: dict[str, str] = msgspec.field(default_factory=dict)
    as_before: bool = False

    @property
    def asked(self) -> int:
        """How many checks were made."""
        return len(self.checks) + len(self.passed)

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)


class Failure(Record, frozen=True):
    """Failed requests of one kind."""

    name: str
    kind: str
    status: int | None
    count: int
    example: str


class Latency(Record, frozen=True):
    """Percentiles of one set of requests, in microseconds; None where nothing was recorded.

    ``p05_us`` shows a floor below which no answer comes. It, ``p90_us`` and ``p999_us`` (99.9 %) are None also where a
    run was made before they were read.
    """

    count: int
    p50_us: int | None
    p95_us: int | None
    p99_us: int | None
    max_us: int | None
    mean_us: float | None
    p05_us: int | None = None
    p90_us: int | None = None
    p999_us: int | None = None


class Second(Record, frozen=True):
    """One second of a window, the last maybe shorter: requests that ended in it, latencies of those that began in it.

    ``count`` is how many latencies p50 and p99 stand on.
    """

    ended: int
    ok: int
    failed: int
    count: int
    p50_us: int | None
    p99_us: int | None


class StepResult(Record, frozen=True):
    """What was seen in one step of a window: ``level`` is a rate per second, or users; ``ramp_to`` that at its end.

    ``ended`` and ``ok`` count requests that ended in it, ``latency`` is of those that began in it.
    """

    level: float
    ramp_to: float
    duration_s: float
    ended: int
    ok: int
    latency: Latency


class Inspection(Record, frozen=True):
    """One request of a workload as it was seen before the warm-up, alone on a connection.

    Bytes are those of line, headers and body as they were sent, without TLS; ``queries`` those that the app counted,
    None where it does not count.
    """

    request_bytes: int
    response_bytes: int
    queries: int | None


class LoadResult(Record, frozen=True):
    """What the generator saw within the window.

    ``ended`` and ``ok`` count requests that ended within it, ``late`` those that began within it and ended after.
    ``latency`` is of all requests that began within it and were answered rightly or timed out; ``latency_failed``
    of the other failures. ``by_name`` holds the former per request name. ``connections`` counts those
    ``opened`` within the window, and those ``replaced`` because the server had closed them while they were idle.
    ``inspections`` are by request name; None where a run was made before requests were inspected.

    Where the ``arrival`` is open, a request begins when it is due: latency counts from there, whenever it was sent. Of
    the ``scheduled`` arrivals, those due within the window, ``sent`` were sent, ``queued`` of them late because all
    users were waiting for answers, and ``unsent`` for the same reason not at all: these are in ``latency`` with the
    time that they had waited when the window ended, since leaving them out would flatter. ``lost`` were not sent though
    a user was free. ``lag`` is how late the generator sent what it could have sent, ``loop_lag`` how late it woke for a
    tick every 10 ms, of either arrival. ``rate`` is the mean of the scheduled rate.
    """

    users: int
    window_start: float
    window_end: float
    ended: int
    ok: int
    late: int
    body_bytes: int
    failures: tuple[Failure, ...]
    latency: Latency
    latency_failed: Latency
    by_name: dict[str, Latency]
    versions: dict[str, str]
    connections: dict[str, int] = msgspec.field(default_factory=dict)
    inspections: dict[str, Inspection] | None = None
    arrival: str = "closed"
    rate: float | None = None
    scheduled: int | None = None
    sent: int | None = None
    queued: int | None = None
    unsent: int | None = None
    lost: int | None = None
    lag: Latency | None = None
    loop_lag: Latency | None = None
    per_second: tuple[Second, ...] = ()
    steps: tuple[StepResult, ...] = ()

    @property
    def window_s(self) -> float:
        """Length of the measurement in seconds."""
        return self.window_end - self.window_start

    @property
    def on_sockets(self) -> bool:
        """Whether there were messages on WebSockets among the requests."""
        return any(name.startswith(SOCKET) for name in self.by_name)


class Trial(Record, frozen=True):
    """One line of ``trials.jsonl``.

    ``speed_before`` and ``speed_after`` tell how fast the stack's cores were just before and after the load, in million
    turns of a fixed loop per CPU second. ``network`` is by role. ``clock_jump_s`` is by how much at most the machine's
    wall clock went further than its steady clock between two samples of the trial, in older runs between the edges of
    the window; ``other_cpu_s`` is the CPU time within the window that none of the trial's containers used,
    ``log_lines`` how many lines each role logged in it; None, or a missing role, was not read.
    """

    planned: PlannedTrial
    state: State
    void_reasons: tuple[str, ...]
    started_at: str
    wall_s: float
    replicas: int
    ready_s: float | None
    image_bytes: int | None
    proof_before: Proof | None
    proof_after: Proof | None
    load: LoadResult | None
    usage: dict[str, Usage]
    load_average: float | None
    steal_share: float | None
    speed_before: float | None = None
    speed_after: float | None = None
    log_tail: tuple[str, ...] = ()
    network: dict[str, NetworkCounts] = msgspec.field(default_factory=dict)
    clock_jump_s: float | None = None
    other_cpu_s: float | None = None
    log_lines: dict[str, int] = msgspec.field(default_factory=dict)
    format: int = FORMAT

    @property
    def setup(self) -> LoadSetup | None:
        """How the generator was set up; None without a result, on WebSockets, and where connections were not counted.

        How connections were used is what was seen: a server that closes each makes its users open another.
        """
        load = self.load
        if load is None or not load.ended or "opened" not in load.connections or load.on_sockets:
            return None
        return LoadSetup(
            users=load.users,
            connections=Connections.seen(opened=load.connections["opened"], ended=load.ended),
            arrival=Arrival(load.arrival),
            cpus=self.planned.cpus,
        )
