"""More requests than a stack can answer, whether or not earlier ones are answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import docker.errors
import msgspec

from serverlab import compose, load
from serverlab.catalog import load_catalog
from serverlab.errors import TrialFailed
from serverlab.faults.fault import Fault, NotEffective, Scene
from serverlab.model.definitions import Arrival, LoadOverrides, Workload
from serverlab.model.faults import Rule
from serverlab.model.records import LoadResult

SERVICE = "load"
IN_FLIGHT = 256
"""Of the generator's requests at once; who is due beyond them waits at the generator and is counted."""

WARM_UP_S = 1.0
BEGINS_WITHIN_S = 20.0
LOST_SHARE = 0.1
"""Of the requests that are due, so many may stay unsent though a user was free to send them: the generator's fault."""


@dataclass
class Generator:
    """A generator at work, followed by a thread; ``result`` and ``broke`` are there once it has ended."""

    scene: Scene
    name: str
    workload: Workload
    measuring: threading.Event = field(default_factory=threading.Event)
    result: LoadResult | None = None
    broke: str = ""

    def __post_init__(self) -> None:
        """Start it."""
        scene = self.scene
        variables = load.headless_variables(self.name, self.workload, url=scene.settings.inner_url)
        compose.start_load(scene.shell, scene.root, scene.settings, variables)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        try:
            self.result = load.await_result(self.scene.engine, self.workload, self._hear).result
        except (TrialFailed, *compose.ENGINE_ERRORS) as broke:
            self.broke = f"{broke}"
        finally:
            self.measuring.set()

    def _hear(self, event: Mapping[str, Any]) -> None:
        if event.get("event") == "measuring":
            self.measuring.set()

    def ended(self) -> LoadResult:
        """Its result, when it has ended; its container is removed then.

        Raises:
            TrialFailed: it ended without one.
        """
        self._thread.join()
        remove(self.scene)
        if self.result is None:
            raise TrialFailed(f"the generator: {self.broke}")
        return self.result


@dataclass(frozen=True, kw_only=True)
class Overload(Fault):
    """``factor`` times as many requests of ``workload`` as the stack answers when everybody waits for his answer."""

    factor: float
    workload: str = "profile"
    measured_s: float = 4.0

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Find out what the stack can do, then ask for more of it, until the time is over."""
        workload = load_catalog(scene.root).workload(self.workload)
        changes = LoadOverrides(warmup_s=WARM_UP_S, duration_s=self.measured_s)
        found = Generator(scene, self.workload, changes.applied_to(workload)).ended()
        capacity_rps = found.ok / found.window_s
        rate_rps = self.factor * capacity_rps
        more = msgspec.structs.replace(
            changes, arrival=Arrival.OPEN, rate=rate_rps, users=IN_FLIGHT, duration_s=max(1.0, scene.hold_s)
        )
        try:
            crowd = Generator(scene, self.workload, more.applied_to(workload))
            if not crowd.measuring.wait(BEGINS_WITHIN_S):
                raise NotEffective("the generator did not begin")
            yield f"{rate_rps:.0f} requests/s are due, {self.factor:g} times what was answered"
            _measure(scene, crowd.ended(), capacity_rps=capacity_rps)
        finally:
            remove(scene)

    def left_behind(self, scene: Scene) -> str | None:
        """A generator that still runs."""
        return "the generator still runs" if scene.engine.containers(SERVICE) else None


FAULTS = tuple(
    Overload(
        id=name,
        title=f"overload, {factor:g} times",
        what=f"{factor:g} times as many requests are due each second as the stack answers; nobody waits for others.",
        factor=factor,
        hold_s=15.0,
        rule=Rule(goodput_at_least=round(0.8 / factor, 3)),
    )
    for name, factor in (("F-40", 2.0), ("F-40b", 5.0), ("F-40c", 10.0))
)


def remove(scene: Scene) -> None:
    """Remove the generator's container, if there is one."""
    for container in scene.engine.containers(SERVICE):
        try:
            container.remove(force=True)
        except docker.errors.NotFound:
            continue


def _measure(scene: Scene, result: LoadResult, *, capacity_rps: float) -> None:
    """Keep what was asked for and what was answered.

    Raises:
        NotEffective: the generator sent too little of what was due.
    """
    due, sent = result.scheduled or 0, result.sent or 0
    scene.measure(
        capacity_rps=round(capacity_rps, 1),
        due_rps=round(due / result.window_s, 1),
        sent_rps=round(sent / result.window_s, 1),
        answered_rps=round(result.ok / result.window_s, 1),
    )
    if (result.lost or 0) > LOST_SHARE * due:
        raise NotEffective(f"the generator itself could not send {result.lost} of {due} requests")
