"""A container engine without containers: as much of docker-py's client as the lab uses; it records what it removes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import RLock
from types import SimpleNamespace
from typing import Any

import docker.errors

from serverlab import seeding

LABEL = "org.serverlab"
SERVICE = "com.docker.compose.service"
NUMBERS = count(1)


@dataclass(frozen=True)
class ExecResult:
    exit_code: int
    output: bytes


def refuse(status: int) -> None:
    """What the engine answers where a container does not run (409), is gone (404), or the engine itself fails (500)."""
    raise docker.errors.APIError(
        "refused",
        response=SimpleNamespace(status_code=status, url="", reason=""),
        explanation="the container is not running",
    )


@dataclass(eq=False)
class FakeThing:
    """A network or a volume."""

    client: FakeClient
    name: str
    labels: dict[str, str] = field(default_factory=lambda: {LABEL: "run"})
    refuses: list[Exception] = field(default_factory=list)
    on_removal: Callable[[], object] = lambda: None

    def remove(self, **options: bool) -> None:
        self.on_removal()
        if self.refuses:
            raise self.refuses.pop(0)
        self.client.forget(self)


@dataclass(eq=False)
class FakeContainer(FakeThing):
    """A container: `logged` are the lines of its log, `output` the chunks of its standard output as they come."""

    status: str = "running"
    exit_code: int = 0
    logged: Sequence[str] = ()
    output: Callable[[], Iterable[bytes]] = tuple
    processes: Sequence[str] = ()
    ports: Mapping[int, int] = field(default_factory=dict)
    image: str = "serverlab/gunicorn:dev"
    health: str = "healthy"
    state: dict[str, Any] = field(default_factory=dict)
    started_at: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%S.5Z", time.gmtime()))
    memory: int = 50_000_000
    id: str = field(default_factory=lambda: f"{next(NUMBERS):064x}")
    executes: ExecResult | Exception = ExecResult(exit_code=0, output=b"0.1\n")
    rows: str = seeding.SEEDED
    killed: bool = False
    signals: list[str] = field(default_factory=list)
    on_signal: Callable[[str], None] = lambda _signal: None
    mounts: Mapping[str, str] = field(default_factory=dict)
    waited: list[float | None] = field(default_factory=list)

    @property
    def attrs(self) -> dict[str, Any]:
        bound = {
            f"{inner}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(outer)}]
            for inner, outer in self.ports.items()
        }
        return {
            "Config": {"Image": self.image},
            "State": {
                "ExitCode": self.exit_code,
                "StartedAt": self.started_at,
                "Health": {"Status": self.health},
                **self.state,
            },
            "NetworkSettings": {"Ports": bound, "Networks": {"lab": {"IPAddress": "127.0.0.1"}}},
            "Mounts": [{"Name": name, "Destination": place} for name, place in self.mounts.items()],
        }

    def reload(self) -> None:
        return

    def logs(self, *, tail: int | None = None, stream: bool = False, **_options: bool) -> Any:
        return (
            (chunk for chunk in self.output())
            if stream
            else "".join(f"{line}\n" for line in self.logged[-(tail or 0) :]).encode()
        )

    def top(self, *, ps_args: str) -> dict[str, Any]:
        if self.status != "running":
            raise docker.errors.APIError(
                "409 Client Error", explanation=f"container {self.name} is not running"
            )
        rows = [
            [str(number), line]
            for number, line in enumerate(
                ["/sbin/docker-init --", *self.processes], start=int(self.id, 16) * 100
            )
        ]
        return {"Titles": ["PID", "COMMAND"], "Processes": rows}

    def exec_run(self, argv: Sequence[str], **_options: Any) -> ExecResult:
        """A command; unless told otherwise it prints the CPU seconds that the calibration loop took."""
        self.client.executed.append(list(argv))
        if seeding.SQLITE in argv or seeding.POSTGRES in argv:
            return ExecResult(exit_code=0, output=self.rows.encode())
        if isinstance(self.executes, Exception):
            raise self.executes
        return self.executes

    def kill(self, signal: str | None = None) -> None:
        if signal:
            self.signals.append(signal)
            self.on_signal(signal)
        else:
            self.killed = True

    def wait(self, timeout: float | None = None) -> dict[str, int]:
        self.waited.append(timeout)
        return {"StatusCode": self.exit_code}


@dataclass
class FakeCollection:
    """`client.containers` and its like; `prints` is what a container that is run for a moment prints."""

    things: list[Any] = field(default_factory=list)
    ran: list[dict[str, Any]] = field(default_factory=list)
    prints: bytes | Exception = b""

    def run(self, image: str, command: Sequence[str], **options: Any) -> bytes:
        self.ran.append({"image": image, "command": list(command), **options})
        if isinstance(self.prints, Exception):
            raise self.prints
        return self.prints

    def list(self, *, filters: dict[str, Any], **_options: bool) -> list[Any]:
        wanted = filters["label"]
        pairs = [wanted] if isinstance(wanted, str) else wanted
        return [thing for thing in self.things if all(_has(thing, pair) for pair in pairs)]


def _has(thing: FakeThing, pair: str) -> bool:
    key, equals, value = pair.partition("=")
    return key in thing.labels and (not equals or thing.labels[key] == value)


class FakeClient:
    """docker-py's client; `late` are things that are only there once everything else is gone."""

    def __init__(self) -> None:
        self.containers, self.networks, self.volumes = FakeCollection(), FakeCollection(), FakeCollection()
        self.removed: list[str] = []
        self.executed: list[list[str]] = []
        self.late: list[tuple[FakeCollection, FakeThing]] = []
        self._removing = RLock()
        self.api = self
        self.stats_of: Callable[[FakeContainer], dict[str, Any]] = plain_stats

    def info(self) -> dict[str, int]:
        return {"NCPU": 2}

    def add(self, service: str, *, run: str = "run", **changes: Any) -> FakeContainer:
        """One more container of the service."""
        alike = sum(each.labels.get(SERVICE) == service for each in self.containers.things)
        labels = {LABEL: run, SERVICE: service}
        container = FakeContainer(self, f"serverlab-{service}-{alike + 1}", labels, **changes)
        self.containers.things.append(container)
        return container

    def add_network(self, name: str = "serverlab_lab", **changes: Any) -> FakeThing:
        self.networks.things.append(FakeThing(self, name, **changes))
        return self.networks.things[-1]

    def add_volume(self, name: str = "serverlab_data", **changes: Any) -> FakeThing:
        self.volumes.things.append(FakeThing(self, name, **changes))
        return self.volumes.things[-1]

    def forget(self, thing: FakeThing) -> None:
        """Remove the thing, as its own `remove` asks; several threads may ask at once."""
        with self._removing:
            for collection in self.collections():
                if thing in collection.things:
                    collection.things.remove(thing)
                    self.removed.append(thing.name)
            if self.is_empty:
                self._bring_the_late_ones()

    def collections(self) -> Iterator[FakeCollection]:
        yield from (self.containers, self.networks, self.volumes)

    @property
    def is_empty(self) -> bool:
        return not any(each.things for each in self.collections())

    def _bring_the_late_ones(self) -> None:
        for collection, thing in self.late:
            collection.things.append(thing)
        self.late.clear()

    def stats(self, container_id: str, **_options: bool) -> dict[str, Any]:
        for container in self.containers.things:
            if container.id == container_id:
                return self.stats_of(container)
        raise docker.errors.NotFound("no such container")


def plain_stats(container: FakeContainer) -> dict[str, Any]:
    """Statistics of a container that has used two seconds of CPU."""
    return {
        "cpu_stats": {"cpu_usage": {"total_usage": 2_000_000_000}, "throttling_data": {"throttled_time": 0}},
        "memory_stats": {
            "usage": container.memory if container.status == "running" else 0,
            "stats": {"inactive_file": 0},
        },
    }
