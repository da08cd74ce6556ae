"""A release whose app cannot be imported, in the place of the one that works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from serverlab.compose import Container, tails
from serverlab.faults import returning
from serverlab.faults.fault import Fault, NotEffective, Scene
from serverlab.faults.processes import INIT, app_containers, exit_code, is_running, processes
from serverlab.faults.release import asked, started
from serverlab.faults.stopping import GRACE_S
from serverlab.model.definitions import Protocol
from serverlab.probe import Expectation

NOWHERE = {"DJANGO_SETTINGS_MODULE": "nowhere.settings"}
"""What is wrong with the release: its settings are in a module that is not there."""

MISSED = "No module named 'nowhere'"
"""What Python says of it, in the server's log."""

PAUSE_S = 0.25


@dataclass(frozen=True)
class Boot:
    """What came of it: with which code it ended, None where it runs on, and what it said last when it was asked.

    ``status`` is that of /readyz, 0 where nobody answered; ``begun`` counts the processes that were seen.
    """

    code: int | None
    after_s: float
    status: int
    begun: int

    def __str__(self) -> str:
        """For people."""
        if self.code is not None:
            return f"it ended with {self.code} after {self.after_s:.1f} s"
        said = f"answered {self.status}" if self.status else "did not answer"
        return f"it still ran after {self.after_s:.1f} s and {said}"


@dataclass(frozen=True, kw_only=True)
class Unimportable(Fault):
    """The server is stopped, and one is started in its place whose app cannot be imported; then the first one again.

    The other is watched for ``watched_s``, or until it ends.
    """

    watched_s: float = 6.0

    def applicable(self, expected: Expectation) -> str | None:
        """Asked of servers that speak HTTP, because the release itself is asked whether it is ready."""
        if expected.variant.protocol is not Protocol.HTTP:
            return f"it speaks {expected.variant.protocol.value}: it cannot be asked whether it is ready"
        return super().applicable(expected)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Stop, start the other one, watch it and go back; nothing is left to be undone."""
        containers = app_containers(scene)
        scene.acted()
        try:
            for container in containers:
                container.stop(timeout=int(GRACE_S))
            found = self._tried(scene, containers[0])
        finally:
            returning.start(scene, containers)
            returning.await_ready(scene)
        if found.code is not None:
            scene.measure(boot_exit_code=found.code, boot_ended_after_s=found.after_s)
        scene.measure(
            boot_ended_with_0=int(found.code == 0), boot_status=found.status, boot_processes=found.begun
        )
        yield f"without an app to import, {found}"

    def _tried(self, scene: Scene, like: Container) -> Boot:
        """What came of the other one.

        Raises:
            NotEffective: it says that it is ready, or not in its log that the module is missing.
        """
        other = started(scene, like, NOWHERE)
        try:
            found = _watched(other, self.watched_s)
            if MISSED not in other.logs().decode(errors="replace"):
                raise NotEffective(f"{found}, and {MISSED!r} is not in its log{tails([other])}")
            return found
        finally:
            other.remove(force=True)


def _watched(container: Container, within_s: float) -> Boot:
    """What comes of it.

    Raises:
        NotEffective: it says that it is ready.
    """
    began_s, status = time.monotonic(), 0
    begun: set[tuple[int, int]] = set()
    while (runs := is_running(container)) and time.monotonic() - began_s < within_s:
        begun |= {(each.pid, each.started) for each in processes(container) if each.pid != INIT}
        status = int(asked(container))
        if status == 200:
            raise NotEffective("the app could be imported: it says that it is ready")
        time.sleep(PAUSE_S)
    after_s = round(time.monotonic() - began_s, 3)
    return Boot(None if runs else exit_code(container), after_s, status, len(begun))
