"""A lock of the app that is never released: who asks for it waits for ever, and what serves him with him."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serverlab.faults.direct import CONNECT_S, address_of, close_all, is_open
from serverlab.faults.fault import Fault, NotEffective, Scene
from serverlab.faults.processes import app_containers, is_running, of_server, run
from serverlab.faults.stopping import slots_of

ASKED = b"GET /lab/dead HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
WITHOUT_BOUND = 8
"""Requests of a wave where a server bounds neither workers nor threads."""

TAKEN_UP_S = 0.3
THREADS = """
import sys
total = 0
for pid in sys.argv[1:]:
    try:
        with open("/proc/" + pid + "/status") as status:
            total += sum(int(line.split()[1]) for line in status if line.startswith("Threads:"))
    except OSError:
        pass
print(total)
"""
"""How many threads these processes have; none of one that is gone."""


@dataclass(frozen=True, kw_only=True)
class Deadlock(Fault):
    """``waves`` of requests for a lock that nobody releases, each of as many as the server works on at once.

    How many threads the server has is looked at after each: where they are not bounded they grow. A client that leaves
    releases nothing, so nothing is undone but that: what still waits is the server's to be rid of. ``environment``
    holds variables that the stack is started with.
    """

    waves: int = 3
    environment: tuple[tuple[str, str], ...] = ()

    def stack(self) -> Mapping[str, Any]:
        """The variables."""
        return {"app": dict(self.environment)}

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Ask, wave by wave; in the end all clients leave."""
        address = address_of(scene)
        count = slots_of(scene) or WITHOUT_BOUND
        threads = [threads_of(scene)]
        held: list[socket.socket] = []
        scene.acted()
        try:
            for _ in range(self.waves):
                _ask(address, count, held)
                time.sleep(TAKEN_UP_S)
                threads.append(threads_of(scene))
            if not (waiting := sum(map(is_open, held))):
                raise NotEffective(f"none of {len(held)} requests waits for the lock")
            counted = ", ".join(map(str, threads))
            yield f"{waiting} of {len(held)} requests wait for the lock; threads of the server: {counted}"
        finally:
            kept = sum(map(is_open, held))
            close_all(held)
            scene.lifted()
        time.sleep(TAKEN_UP_S)
        scene.measure(
            asked_for_the_lock=len(held),
            waiting_in_the_end=kept,
            ended_by_server=len(held) - kept,
            threads_before=threads[0],
            threads_after_one_wave=threads[1],
            threads_after_all_waves=threads[-1],
            threads_when_all_have_left=threads_of(scene),
        )


def threads_of(scene: Scene) -> int:
    """How many threads all processes of the server have, in all containers that run."""
    return sum(
        int(run(container, THREADS, *(str(each.pid) for each in of_server(container))))
        for container in filter(is_running, app_containers(scene))
    )


def _ask(address: tuple[str, int], count: int, held: list[socket.socket]) -> None:
    """Add so many connections on which the lock has been asked for.

    Raises:
        NotEffective: one could not be had.
    """
    for _ in range(count):
        try:
            each = socket.create_connection(address, timeout=CONNECT_S)
            held.append(each)
            each.sendall(ASKED)
        except OSError as broken:
            raise NotEffective(f"only {len(held)} requests for the lock could be sent: {broken}") from None
