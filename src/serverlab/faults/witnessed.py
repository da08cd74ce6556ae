"""Slow clients that are not the lab's own: slowhttptest holds the connections, and says whether others are served."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from serverlab.compose import Container, start_witness
from serverlab.faults import nginx, slowhttptest
from serverlab.faults.clients import SPARE_S, STARTED_WITHIN_S, STOPPED_WITHIN_S, still_holding
from serverlab.faults.fault import Fault, NotEffective, Scene, await_effect, await_undone
from serverlab.faults.processes import Process, processes, run, send
from serverlab.faults.slowhttptest import Observed, Second

SERVICE = "witness"
PAUSE_S = 0.2
READ = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); print(p.read_text() if p.exists() else '')"


@dataclass(frozen=True, kw_only=True)
class Witnessed(Fault):
    """slowhttptest in its ``mode`` on ``path`` with ``connections``, its own ``options`` for that mode added."""

    mode: str
    path: str
    connections: int = 40
    pace_s: int = 2
    options: tuple[str, ...] = ()
    hold_s: float = 20.0

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Start it and wait until all its connections have been tried; undone by ending it, whose word is then read."""
        with nginx.has_room(scene), self._holding(scene) as seen:
            yield seen

    @contextmanager
    def _holding(self, scene: Scene) -> Iterator[str]:
        start_witness(scene.shell, scene.root, scene.settings)
        container = scene.engine.service(SERVICE)
        try:
            scene.acted()
            self._start(scene, container)
            yield await_effect(
                f"{slowhttptest.NAME} has tried its connections",
                lambda: _tried(container, self.connections),
                within_s=STARTED_WITHIN_S,
                pause_s=PAUSE_S,
            )
            _measure(scene, _ended(container, then=scene.lifted))
        finally:
            container.remove(force=True, v=True)

    def left_behind(self, scene: Scene) -> str | None:
        """The witness."""
        return still_holding(scene, SERVICE)

    def _start(self, scene: Scene, container: Container) -> None:
        words = slowhttptest.command(
            self.mode,
            f"{scene.settings.inner_url}{self.path}",
            connections=self.connections,
            pace_s=self.pace_s,
            lasts_s=math.ceil(scene.hold_s + SPARE_S),
            options=self.options,
        )
        container.exec_run(["sh", "-c", words], detach=True)


def _series(container: Container) -> tuple[Second, ...]:
    text = run(container, READ, slowhttptest.SERIES)
    return slowhttptest.read_series(f"{text}\n") if text else ()


def _tried(container: Container, connections: int) -> str | None:
    """What it says of its connections once it has tried them all."""
    series = _series(container)
    if not series or series[-1].closed + series[-1].pending + series[-1].connected < connections:
        return None
    last = series[-1]
    return f"{last.connected} connections held, {last.pending} not taken, {last.closed} closed by the server"


def _running(container: Container) -> list[Process]:
    return [each for each in processes(container) if each.command.startswith(f"{slowhttptest.NAME} ")]


def _ended(container: Container, *, then: Callable[[], None]) -> Observed:
    """End it and return what it saw; ``then`` is called as soon as it has ended, before that is read.

    Raises:
        NotEffective: it had ended before, though the server had not closed all its connections.
        NotUndone: it does not end.
    """
    before = _running(container)
    if before:
        send(container, "SIGINT", [each.pid for each in before])
    await_undone(
        f"{slowhttptest.NAME} has ended",
        lambda: None if _running(container) else "ended",
        within_s=STOPPED_WITHIN_S,
        pause_s=PAUSE_S,
    )
    then()
    end = slowhttptest.read_end(run(container, READ, slowhttptest.SAID))
    if not before and end != slowhttptest.ALL_CLOSED:
        raise NotEffective(f"{slowhttptest.NAME} ended before it was told to: {end}")
    return Observed(_series(container), end)


def _measure(scene: Scene, seen: Observed) -> None:
    scene.note(str(seen))
    last = seen.series[-1]
    scene.measure(
        connections=last.connected + last.pending + last.closed,
        held_to_the_end=last.connected,
        never_taken=last.pending,
        closed_by_server=last.closed,
        witness_seconds=len(seen.decided),
    )
    if seen.unavailable_share is not None:
        scene.measure(witness_unavailable_share=round(seen.unavailable_share, 3))
