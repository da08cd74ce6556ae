"""Faults by the server's own stop signal, while it has work in hand."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from serverlab.compose import Container
from serverlab.faults import returning
from serverlab.faults.callers import Callers
from serverlab.faults.direct import address_of, answered_by, is_open, taken_of
from serverlab.faults.fault import Fault, NotEffective, Scene, await_effect
from serverlab.faults.processes import app_containers, exit_code, is_running

GRACE_S = 35.0
"""Above every server's own patience with requests in flight, which is 25 seconds (compose/stack.yml)."""

TAKEN_WITHIN_S = 2.0
TAKEN_UP_S = 0.3
"""What requests that were read are given to get to whoever works on them."""

IDLE_WITHIN_S = 0.5

ASKED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
HALF_ASKED = b"POST /lab/ledger/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"


@dataclass(frozen=True, kw_only=True)
class Stopped(Fault):
    """The server gets its stop signal while requests are in flight, connections idle, clients slow; then it is started.

    ``in_flight`` requests take ``work_s`` each, or as many as half of its workers and threads where those are fewer;
    the server is stopped once it has taken them up. ``idle`` connections have been answered and are kept, as far as the
    server keeps them; ``slow`` clients have sent half of a request, or as many as it has room for beside its work.
    ``grace_s`` is how long it has until it is killed, GRACE_S unless another time is given.
    """

    in_flight: int = 4
    work_s: float = 2.0
    idle: int = 0
    slow: int = 0
    grace_s: float | None = None

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Stop every app container by its signal and wait; undone by starting them again until they are ready."""
        containers = app_containers(scene)
        signal = scene.expected.server.signals.stop
        address = address_of(scene)
        path = f"/lab/sleep?s={self.work_s:g}"
        url = f"http://{address[0]}:{address[1]}"
        working = Callers(url, path, count=self._taken(scene), timeout_s=self.work_s + GRACE_S)
        with ExitStack() as held:
            held.callback(working.let_go)
            working.start()
            await_effect(
                f"{working.count} requests for {path} are taken up",
                lambda: "taken" if taken_of(scene, working.ports) == working.count else None,
                within_s=TAKEN_WITHIN_S,
            )
            idle = self._idle(address, held)
            slow = self._slow(scene, address, held, busy=working.count)
            time.sleep(TAKEN_UP_S)
            if working.pending() < working.count:
                raise NotEffective(f"{path}: answered or refused before the server was told to stop")
            self._tell_held(scene, idle, slow)
            try:
                yield self._stop(scene, containers, signal, working)
            finally:
                returning.start(scene, containers)
                returning.await_ready(scene)

    def _taken(self, scene: Scene) -> int:
        """How many requests are in flight: no more than leave half of the server to others."""
        slots = slots_of(scene)
        return self.in_flight if slots is None else max(1, min(self.in_flight, slots // 2))

    def _idle(self, address: tuple[str, int], held: ExitStack) -> list[socket.socket]:
        """Connections that were answered."""
        begun = _begun(address, self.idle, ASKED, held)
        return answered_by(begun, within_s=IDLE_WITHIN_S)

    def _slow(
        self, scene: Scene, address: tuple[str, int], held: ExitStack, *, busy: int
    ) -> list[socket.socket]:
        """Connections that have sent half of a request: none that would keep a place from the requests in flight."""
        slots = slots_of(scene)
        room = self.slow if slots is None else min(self.slow, slots - busy)
        return _begun(address, room, HALF_ASKED, held)

    def _tell_held(self, scene: Scene, idle: Sequence[socket.socket], slow: Sequence[socket.socket]) -> None:
        """Keep how many idle and slow ones there really are.

        Raises:
            NotEffective: there are none of those that were wanted.
        """
        if not self.idle and not self.slow:
            return
        open_idle, open_slow = sum(map(is_open, idle)), sum(map(is_open, slow))
        scene.measure(idle=open_idle, slow=open_slow)
        if not open_idle and not open_slow:
            raise NotEffective("the server keeps no idle connection, and has no room for a slow client")

    def _stop(self, scene: Scene, containers: Sequence[Container], signal: str, working: Callers) -> str:
        grace_s = GRACE_S if self.grace_s is None else self.grace_s
        began = time.monotonic()
        scene.acted()
        for container in containers:
            container.kill(signal=signal)
        in_time = _await_end(containers, until=began + grace_s)
        for container in containers:
            if is_running(container):
                container.kill()
        took_s = time.monotonic() - began
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
            else f"did not end and was killed after {grace_s:g} s"
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


def _begun(address: tuple[str, int], count: int, content: bytes, held: ExitStack) -> list[socket.socket]:
    """Connections that have sent this, as many of them as could be had; they are closed with ``held``."""
    begun = []
    for _ in range(count):
        try:
            each = held.enter_context(socket.create_connection(address, timeout=IDLE_WITHIN_S))
            each.sendall(content)
        except OSError:
            break
        begun.append(each)
    return begun
