"""Faults by what the app does with a request: it hangs, blocks, computes or leaks."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serverlab.compose import Container
from serverlab.faults.callers import Callers
from serverlab.faults.direct import url_of
from serverlab.faults.fault import Fault, NotEffective, Scene, await_effect
from serverlab.faults.memory import memory_mib, oom_kills
from serverlab.faults.processes import Process, app_containers, of_server, still_there
from serverlab.faults.stopping import slots_of
from serverlab.model.definitions import Interface
from serverlab.probe import Expectation, answered

WITHOUT_BOUND = 32
"""Requests that hang where a server bounds neither workers nor threads."""

UNANSWERED_S = 0.3
PATIENCE_S = 10.0
"""For how much longer than it takes a request is waited for."""


@dataclass(frozen=True, kw_only=True)
class Hang(Fault):
    """Requests for ``path`` that keep what answers them busy for as long as the fault is held.

    ``path`` is filled in with the seconds (``{s}``). There are as many as the server works on at once, or ``count``.
    ``only`` is the interface that it has a meaning for; ``environment`` holds variables that the stack is started with.
    """

    path: str
    count: int | None = None
    only: Interface | None = None
    environment: tuple[tuple[str, str], ...] = ()

    def stack(self) -> Mapping[str, Any]:
        """The variables."""
        return {"app": dict(self.environment)}

    def applicable(self, expected: Expectation) -> str | None:
        """Asked of one interface only, where one is named."""
        if self.only and expected.interface is not self.only:
            return f"it is a server for {expected.interface.value}, where no view runs in an event loop"
        return super().applicable(expected)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Ask for all of them at once, and in the end wait until each has been answered or cut off.

        Answers other than 200 are refusals; whom nobody told anything in time, no server has cut off. Where the block
        is broken off, nobody is waited for.
        """
        path = self.path.format(s=f"{scene.hold_s:g}")
        count = self.count or slots_of(scene) or WITHOUT_BOUND
        callers = Callers(url_of(scene), path, count=count, timeout_s=scene.hold_s + PATIENCE_S)
        scene.acted()
        try:
            callers.start()
            time.sleep(UNANSWERED_S)
            if callers.pending() < count:
                soon = [*callers.statuses, *callers.failures]
                raise NotEffective(f"{path}: {len(soon)} of {count} requests ended at once: {soon[:3]}")
            yield f"{count} requests for {path} are unanswered"
            scene.lifted()  # their time is over: whoever still waits, waits for the stack
            callers.join(within_s=scene.hold_s + PATIENCE_S)
            _measure(scene, callers)
        finally:
            callers.let_go()


def _measure(scene: Scene, callers: Callers) -> None:
    """Keep what became of the requests."""
    answered = callers.statuses.count(200)
    refused = len(callers.statuses) - answered
    cut = sum(failure != TimeoutError.__name__ for failure in callers.failures)
    scene.measure(
        hung=callers.count,
        hung_answered=answered,
        hung_refused=refused,
        hung_cut=cut,
        hung_unanswered=callers.count - answered - refused - cut,
    )


@dataclass(frozen=True, kw_only=True)
class Leak(Fault):
    """Requests that leak ``step_mb`` each, until the container's limit of ``limit_mb`` makes an end to it."""

    limit_mb: int = 256
    step_mb: int = 16

    def stack(self) -> Mapping[str, Any]:
        """A container of that much memory."""
        return {"app": {"LAB_MEMORY": f"{self.limit_mb}m"}}

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Leak until a process is gone; nothing is undone."""
        before = {container: of_server(container) for container in app_containers(scene)}
        most = 2 * len(before) * math.ceil(self.limit_mb / self.step_mb)
        used_mib = [memory_mib(before)]
        scene.acted()
        used_mib += self._leaked(scene, before, most)
        scene.lifted()
        leaks = len(used_mib) - 1
        asked = min(leaks + 1, most)
        scene.measure(leaked_mb=leaks * self.step_mb, memory_before_mib=used_mib[0])
        if leaks:
            grown = statistics.linear_regression(range(leaks + 1), used_mib).slope
            scene.measure(grown_mib_per_request=round(grown, 1))
        yield await_effect(
            f"a process ended by {asked} requests that leak {self.step_mb} MiB each", lambda: _ended(before)
        )
        scene.measure(memory_after_mib=memory_mib(before))
        kills = [oom_kills(container) for container in before]
        if None not in kills:
            scene.measure(oom_kills=sum(filter(None, kills)))

    def _leaked(self, scene: Scene, containers: Iterable[Container], most: int) -> Iterator[float]:
        """What is used after each request that leaked, in MiB, until one is not answered with 200."""
        with scene.client() as client:
            for _ in range(most):
                if answered(client.get, f"/lab/leak?mb={self.step_mb}").status != 200:
                    return
                yield memory_mib(containers)


def _ended(before: Mapping[Container, list[Process]]) -> str | None:
    """How many processes are gone in all, or None while there are all of them."""
    gone = sum(len(old) - len(still_there(container, old)) for container, old in before.items())
    return f"{gone} processes were ended" if gone else None
