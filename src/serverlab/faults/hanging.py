"""Faults by what the app does with a request: it hangs, blocks, computes or leaks."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from serverlab.compose import Container
from serverlab.faults.callers import Callers
from serverlab.faults.direct import url_of
from serverlab.faults.fault import Fault, NotEffective, Scene, await_effect
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

        Answers other than 200 are refusals; whom nobody told anything in time, no server has cut off.
        """
        path = self.path.format(s=f"{scene.hold_s:g}")
        count = self.count or slots_of(scene) or WITHOUT_BOUND
        callers = Callers(url_of(scene), path, count=count, timeout_s=scene.hold_s + PATIENCE_S)
        scene.acted()
        callers.start()
        time.sleep(UNANSWERED_S)
        if callers.pending() < count:
            soon = [*callers.statuses, *callers.failures]
            raise NotEffective(f"{path}: {len(soon)} of {count} requests ended at once: {soon[:3]}")
        try:
            yield f"{count} requests for {path} are unanswered"
        finally:
            scene.lifted()  # their time is over: whoever still waits, waits for the stack
            callers.join(within_s=scene.hold_s + PATIENCE_S)
            answered = callers.statuses.count(200)
            cut = sum(failure != TimeoutError.__name__ for failure in callers.failures)
            refused = len(callers.statuses) - answered
            scene.measure(
                hung=count,
                hung_answered=answered,
                hung_refused=refused,
                hung_cut=cut,
                hung_unanswered=count - answered - refused - cut,
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
        scene.acted()
        asked = 1 + sum(1 for _ in takewhile(lambda status: status == 200, self._leaks(scene, most)))
        scene.lifted()
        scene.measure(leaked_mb=asked * self.step_mb)
        yield await_effect(
            f"a process ended by {asked} requests that leak {self.step_mb} MiB each", lambda: _ended(before)
        )

    def _leaks(self, scene: Scene, most: int) -> Iterator[int]:
        """The statuses of requests that leak, each sent when it is asked for; 0 for a broken connection."""
        with scene.client() as client:
            for _ in range(most):
                yield answered(client.get, f"/lab/leak?mb={self.step_mb}").status


def _ended(before: Mapping[Container, list[Process]]) -> str | None:
    """How many processes are gone in all, or None while there are all of them."""
    gone = sum(len(old) - len(still_there(container, old)) for container, old in before.items())
    return f"{gone} processes were ended" if gone else None
