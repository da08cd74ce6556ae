"""Faults by the server's own stop signal, while it has work in hand."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from serverlab.compose import Container
from serverlab.faults import returning
from serverlab.faults.callers import Callers
from serverlab.faults.fault import Fault, NotEffective, Scene
from serverlab.faults.processes import app_containers, exit_code, is_running

GRACE_S = 35.0
"""Above every server's own patience with requests in flight, which is 25 seconds (compose/stack.yml)."""

TAKEN_UP_S = 0.5
"""What a request is given to be taken up before the server is told to stop."""

ASKED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
HALF_ASKED = b"POST /lab/ledger/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"
ANSWER_TIMEOUT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Stopped(Fault):
    """The server gets its stop signal while requests are in flight, connections idle, clients slow; then it is started.

    ``in_flight`` requests take ``work_s`` each, or as many as half of its workers and threads where those are fewer.
    ``idle`` connections have been answered and are kept, ``slow`` clients have sent half of a request.
    """

    in_flight: int = 4
    work_s: float = 2.0
    idle: int = 0
    slow: int = 0

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Stop every app container by its signal and wait; undone by starting them again until they are ready."""
        containers = app_containers(scene)
        signal = scene.expected.server.signals.stop
        path = f"/lab/sleep?s={self.work_s:g}"
        working = Callers(scene.url, path, count=self._taken(scene), timeout_s=self.work_s + GRACE_S)
        with ExitStack() as held:
            for _ in range(self.idle):
                held.enter_context(_connection(scene.url, ASKED, answered=True))
            for _ in range(self.slow):
                held.enter_context(_connection(scene.url, HALF_ASKED, answered=False))
            working.start()
            time.sleep(TAKEN_UP_S)
            if working.pending() < working.count:
                raise NotEffective(f"{path}: answered or refused before the server was told to stop")
            try:
                yield self._stop(scene, containers, signal, working)
            finally:
                returning.start(scene, containers)
                returning.await_ready(scene)

    def _taken(self, scene: Scene) -> int:
        """How many requests are in flight: no more than leave half of the server to others."""
        slots = slots_of(scene)
        return self.in_flight if slots is None else max(1, min(self.in_flight, slots // 2))

    def _stop(self, scene: Scene, containers: Sequence[Container], signal: str, working: Callers) -> str:
        began = time.monotonic()
        scene.acted()
        for container in containers:
            container.kill(signal=signal)
        in_time = _await_end(containers, until=began + GRACE_S)
        took_s = time.monotonic() - began
        for container in containers:
            if is_running(container):
                container.kill()
        working.join(within_s=1.0)
        answered = working.statuses.count(200)
        codes = sorted({exit_code(container) for container in containers})
        scene.measure(
            stopped_after_s=round(took_s, 3),
            killed=0 if in_time else 1,
            exit_code=codes[-1],
            in_flight=working.count,
            in_flight_answered=answered,
            in_flight_lost=working.count - answered,
        )
        ended = (
            f"ended with {', '.join(map(str, codes))}"
            if in_time
            else f"did not end and was killed after {GRACE_S:g} s"
        )
        return (
            f"{signal}: {ended} after {took_s:.1f} s, {answered} of {working.count} in flight were answered"
        )


def slots_of(scene: Scene) -> int | None:
    """How many requests the server works on at once; None where nothing bounds them."""
    threads = scene.expected.variant.threads
    return scene.expected.workers * threads if threads else None


def _await_end(containers: Sequence[Container], *, until: float) -> bool:
    """Whether all of the containers ended in time."""
    while any(is_running(container) for container in containers):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def _connection(url: str, content: bytes, *, answered: bool) -> Iterator[None]:
    """A connection that has sent this, and got its answer where there has to be one; it is held for the block."""
    parts = urlsplit(url)
    try:
        connection = socket.create_connection((parts.hostname, parts.port), timeout=ANSWER_TIMEOUT_S)
        connection.sendall(content)
        if answered and not connection.recv(1 << 16):
            raise NotEffective("a connection that was to be kept idle was closed unanswered")
    except OSError as broken:
        raise NotEffective(f"a connection to be held could not be had: {broken}") from None
    with connection:
        yield
