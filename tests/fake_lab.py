"""A whole lab without a container: Compose commands start stand-ins, a tiny web server answers for every stack."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram

from serverlab import held
from serverlab.catalog import load_catalog
from serverlab.compose import Engine
from serverlab.model.definitions import Target
from serverlab.model.switches import SWITCHES, to_be_stated
from serverlab.runner import Lab
from tests.fake_app import FakeApp, identity_of
from tests.fake_engine import FakeClient, FakeContainer
from tests.fakes import Answer, FakeShell

COMPOSE = "docker compose --progress quiet"
HEADERS = {"gunicorn": "gunicorn", "runserver": "WSGIServer/0.2", "uwsgi": None, "daphne": "daphne"}
PROCESSES = {
    "gunicorn": "gunicorn",
    "runserver": "python manage.py runserver",
    "uwsgi": "uwsgi",
    "daphne": "daphne",
}


class FakeLab:
    """What the runner works with.

    `trouble` maps a moment ("up 2": the second stack starts, "load 1": the generator is let go, "window 1": the first
    measurement runs, "measured 1": it has ended, "ceiling": the generator's own measurement runs) to what happens then.
    `ceilings` are the environments of the latter, `signals` what the generators were told, in order.
    """

    def __init__(self, root: Path, app: FakeApp) -> None:
        self.root = root
        self.app = app
        self.client = FakeClient()
        self.shell = FakeShell({COMPOSE: Answer(does=self._compose)})
        self.said: list[str] = []
        self.measured: list[str] = []
        self.trouble: dict[str, Callable[[], None]] = {}
        self.stacks = 0
        self.signals: list[str] = []
        self.rps = 100
        self.ceilings: list[Mapping[str, str]] = []
        self.result = lambda _given, start, end: a_result(start, end, ok=self.rps)
        self.ceiling = lambda start, end: a_result(start, end, ok=2 * self.rps)

    @property
    def lab(self) -> Lab:
        """As the runner takes it."""
        return Lab(
            root=self.root,
            shell=self.shell,
            engine=Engine(self.client, secrets=self.root / "secrets"),
            catalog=load_catalog(self.root),
            say=self.said.append,
            lock=self.root / "lab.lock",
        )

    def _happens(self, moment: str) -> None:
        self.trouble.get(moment, lambda: None)()

    def _compose(self, argv: Sequence[str]) -> None:
        given = self.shell.environments[-1]
        files = {word.rpartition("/")[2] for word in argv}
        if "null.yml" in files:
            self._run_null(given)
        elif argv[-1] == "load":
            self._happens(f"load {self.stacks}")
            self.client.add("load", run=given["LAB_RUN"], output=lambda: self._generate(given))
        else:
            self.stacks += 1
            self._start(Target(server=given["LAB_SERVER"], variant=given["LAB_VARIANT"]), given, argv)
            if "held.yml" in files:
                self._hold(given, asks=lambda: self._generate(given), moment=f"load {self.stacks}")
            self._happens(f"up {self.stacks}")

    def _hold(self, given: Mapping[str, str], *, asks: Callable[[], Iterator[bytes]], moment: str) -> None:
        """A generator that loads its code and asks when it is told to; its output is read from the start each time."""

        def output() -> Iterator[bytes]:
            yield _line(event="asleep")
            yield from [_line(event="loaded")] if held.WAKE in generator.signals else []
            yield from asks() if held.GO in generator.signals else []

        def told(signal: str) -> None:
            self.signals.append(signal)
            if signal == held.GO:
                self._happens(moment)

        generator = self.client.add("load", run=given["LAB_RUN"], output=output, on_signal=told)

    def _run_null(self, given: Mapping[str, str]) -> None:
        """The server that does nothing, and the generator's own measurement: no stack, and no window of a trial."""
        self.client.add("app", run=given["LAB_RUN"], ports={8000: self.app.port})
        self.client.add_network(labels={"org.serverlab": given["LAB_RUN"]})
        self._hold(given, asks=lambda: self._reach_ceiling(given), moment="load of a ceiling")

    def _reach_ceiling(self, given: Mapping[str, str]) -> Iterator[bytes]:
        start = time.time()
        yield _line(event="measuring", t=start)
        self._happens("ceiling")
        self.ceilings.append(given)
        yield _line(event="measured", t=time.time())
        yield _line(**self.ceiling(start, time.time()))

    def _start(self, target: Target, given: Mapping[str, str], argv: Sequence[str]) -> None:
        overlays = {word.rpartition("/")[2] for word in argv}
        has_edge = "edge.yml" in overlays
        catalog = load_catalog(self.root)
        cpus, replicas, run = int(given["LAB_CPUS"]), int(given["LAB_REPLICAS"]), given["LAB_RUN"]
        workers = catalog.variant(target).workers.for_cpus(cpus)
        ours = workers + catalog.identity(target).supervisors
        for _ in range(replicas):
            self.client.add(
                "app", run=run, processes=[PROCESSES[target.server]] * ours, ports={8000: self.app.port}
            )
        if has_edge:
            self.client.add("edge", run=run, ports={8080: self.app.port, 8443: self.app.port})
        self.client.add_network(labels={"org.serverlab": run})
        self.client.add_volume(labels={"org.serverlab": run})
        server = catalog.servers[target.server]
        interface = server.interface_of(catalog.variant(target)).value
        multithread = catalog.variant(target).threads != 1 if interface == "wsgi" else None
        self.app.identity = identity_of(
            interface=interface,
            variant=target.variant,
            cpus=cpus,
            workers=workers,
            multithread=multithread,
            cache="redis" if overlays & {"redis.yml"} else "database",
            realtime=bool(overlays & {"realtime.yml"})
            or "websocket" in server.capabilities_of(catalog.variant(target)),
            **to_be_stated({name: given[name] for name in SWITCHES if name in given}),
        )
        self.app.server_header = "nginx" if has_edge else HEADERS[target.server]
        self.app.hostnames = [f"replica-{number}" for number in range(replicas)]
        self.app.forget_turn()
        self.app.jwt_key = (Path(given["LAB_SECRETS"]) / "jwt_key").read_text(encoding="utf-8")

    def _generate(self, given: Mapping[str, str]) -> Iterator[bytes]:
        start = time.time()
        yield _line(event="measuring", t=start)
        self._happens(f"window {self.stacks}")
        if any(each.killed for each in self.client.containers.things):
            return
        end = time.time()
        yield _line(event="measured", t=end)
        self._happens(f"measured {self.stacks}")
        self.measured.append(f"{given['LAB_SERVER']}:{given['LAB_VARIANT']}")
        yield _line(**self.result(given, start, end))

    @property
    def app_container(self) -> FakeContainer:
        """The first app container of the running stack."""
        return next(each for each in self.client.containers.things if "app" in each.name)


def a_result(start: float, end: float, *, ok: int) -> dict[str, Any]:
    """The generator's result: `ok` requests of 50 microseconds each."""
    histogram = HdrHistogram(1, 120_000_000, 3)
    histogram.record_value(50, ok)
    encoded = histogram.encode().decode("ascii")
    return {
        "event": "result",
        "format": 2,
        "users": 16,
        "arrival": "closed",
        "arrivals": None,
        "steps": [],
        "loop_lag": encoded,
        "window_start": start,
        "window_end": end,
        "requests_ended": ok,
        "ok_ended": ok,
        "bytes": 100 * ok,
        "late": 0,
        "errors": [],
        "seconds": [{"ended": ok, "ok": ok}],
        "histograms": [
            {"second": 0, "name": "GET /api/auth/jwt/me/", "outcome": "ok", "count": ok, "encoded": encoded}
        ],
        "versions": {"locust": "2.47.0"},
        "connections": {"opened": 16, "replaced": 0},
        "inspections": {
            "GET /api/auth/jwt/me/": {"request_bytes": 500, "response_bytes": 300, "queries": 1},
        },
    }


def _line(**event: Any) -> bytes:
    return json.dumps(event).encode() + b"\n"


def interrupt() -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt
