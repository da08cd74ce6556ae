"""The race of a request against the end of the idle connection that it is sent on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serverlab.faults import nginx
from serverlab.faults.fault import NotEffective, Scene
from serverlab.faults.processes import run
from serverlab.faults.proxy import Toxic, proxy_of
from serverlab.faults.toxics import OnTheWay
from serverlab.model.stacks import Proxied
from serverlab.probe import Expectation, answered

AT_ONCE = 8
"""Requests of a burst: each needs a connection of the edge to the app, which is idle until the next burst."""

LATENCY_MS = 300
BAD_GATEWAY = 502
PATIENCE_S = 6.0

IDLE = """
import socket, sys, time
connection = socket.create_connection(("app", 8000), timeout=float(sys.argv[1]))
connection.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
answered = time.monotonic()
try:
    while connection.recv(65536):
        answered = time.monotonic()
except TimeoutError:
    print("kept")
else:
    print(round(time.monotonic() - answered, 3))
"""
"""For how long the app keeps a connection that it has answered on."""


@dataclass(frozen=True, kw_only=True)
class KeepAliveRace(OnTheWay):
    """The app ends idle connections sooner than the edge, which hears of it late, as over a network of some length.

    It is held for as long as one such end takes wherever it can be had (PATIENCE_S), and a burst after it.
    """

    way: Proxied = Proxied.UPSTREAM
    idle_s: int = 2
    hold_s: float = 10.0
    needs: tuple[str, ...] = ("idle_timeout",)

    def stack(self) -> Mapping[str, Any]:
        """A server that is told to keep idle connections for so long."""
        return {**super().stack(), "app": {"LAB_KEEPALIVE": str(self.idle_s)}}

    def applicable(self, expected: Expectation) -> str | None:
        """Where the edge keeps no connections there is no race."""
        if expected.edge is not None and not expected.settings.keeps_connections:
            return "the edge keeps no connections to it"
        return super().applicable(expected)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Send bursts just after connections have become too old; count 502s among their answers."""
        proxy = proxy_of(scene.engine, scene.settings)
        kept_s = _kept_s(scene)
        before = proxy.traffic().unheard
        over = threading.Event()
        scene.acted()
        with ThreadPoolExecutor(1) as pool:
            with proxy.harmed([Toxic("latency", attributes={"latency": LATENCY_MS})]):
                bursts = pool.submit(_bursts, scene, over, after_s=kept_s + LATENCY_MS / 2000)
                try:
                    yield (
                        f"the app ends idle connections after {kept_s:.2f} s, "
                        f"the edge hears of it {LATENCY_MS} ms later"
                    )
                finally:
                    over.set()
            scene.lifted()
            statuses = bursts.result()
        unheard = proxy.traffic().unheard - before
        bad = statuses.count(BAD_GATEWAY)
        scene.measure(bad_gateways=bad, asked_in_bursts=len(statuses), sent_too_late=unheard)
        if not statuses:
            raise NotEffective(
                f"no second burst in {scene.hold_s:g} s: connections are kept for {kept_s:g} s"
            )
        if not unheard and not bad:
            raise NotEffective("no request met a connection that the app had ended")


def _kept_s(scene: Scene) -> float:
    """For how long the app keeps an idle connection.

    Raises:
        NotEffective: for longer than it was told to, or not at all.
    """
    said = run(nginx.container_of(scene), IDLE, str(PATIENCE_S))
    if said == "kept":
        raise NotEffective(
            f"the server keeps idle connections for more than {PATIENCE_S:g} s whatever it is told"
        )
    if float(said) < 0.1:
        raise NotEffective("the server keeps no connections")
    return float(said)


def _bursts(scene: Scene, over: threading.Event, *, after_s: float) -> list[int | None]:
    """The statuses of all answers but those to the first burst, which only opens connections."""
    statuses: list[int | None] = []
    with ThreadPoolExecutor(AT_ONCE) as pool, scene.client() as client:

        def ask(_: int) -> int | None:
            return answered(client.get, "/healthz").status

        while True:
            began = time.monotonic()
            list(pool.map(ask, range(AT_ONCE)))
            if over.wait(max(0.0, began + after_s - time.monotonic())):
                return statuses
            statuses += pool.map(ask, range(AT_ONCE))
