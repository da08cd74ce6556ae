"""Replicas behind an edge are replaced one after the other, as a deployment without a pause does it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from serverlab.compose import Container
from serverlab.errors import TrialFailed
from serverlab.faults import nginx, returning
from serverlab.faults.fault import EDGE, Fault, NotEffective, NotUndone, Scene, await_effect, await_undone
from serverlab.faults.processes import app_containers, is_healthy, still_there
from serverlab.faults.stopping import GRACE_S
from serverlab.model.faults import Rule

DRAIN = ("python3", "/lab/drain.py")
"""The script that the edge's image ships for this, as an operator runs it (docs/deploys.md)."""

FULL_WEIGHT = 1024
"""Shares of CPU time that the engine gives a container which is given none."""

HEALTHY_WITHIN_S = 60.0
PAUSE_S = 0.25
"""Between two looks, of which those into the edge cost the stack some of its processor."""

LOOKED_AT_WITHIN_S = 1.0
"""What the edge's script has waited for is there when it ends."""

EVERY_ONE = Rule(failures_at_most=0, longest_gap_s=2.0, measured_at_most={"replicas_ill": 0})
"""Nobody notices, and every replica is healthy again."""


@dataclass(frozen=True, kw_only=True)
class Rolled(Fault):
    """Each replica is stopped by its signal and started again, the next one once it is healthy.

    One that does not become healthy ends the rolling, as it does in service; how many there were is measured.
    ``drained``: the edge is told by its own script to send nothing more to a replica before that is stopped, and told
    of it again when it is healthy. ``starting_weight``: of the 1024 shares of CPU time that others have, so many are a
    replica's while it starts (``docker update --cpu-shares``); it has less than they only where they want all there is.
    """

    needs: tuple[str, ...] = (EDGE,)
    replicas: int = 2
    drained: bool
    starting_weight: int = FULL_WEIGHT

    def stack(self) -> Mapping[str, Any]:
        """As many replicas."""
        return {"replicas": self.replicas}

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Replace all of them; nothing is undone."""
        began_s = time.monotonic()
        containers = app_containers(scene)
        scene.acted()
        healthy = list(takewhile(bool, (self._rolled(scene, each, containers) for each in containers)))
        took_s = time.monotonic() - began_s
        ill = 0 if len(healthy) == len(containers) else 1
        scene.measure(rolled_s=round(took_s, 3), replicas_ill=ill)
        more = ", the next one did not become healthy" if ill else ""
        yield f"{len(healthy)} of {len(containers)} replicas were replaced within {took_s:.1f} s{more}"

    def _rolled(self, scene: Scene, container: Container, containers: list[Container]) -> bool:
        """Whether the replica, replaced, is healthy."""
        if not self.drained:
            return self._replaced(scene, container)
        with sent_nothing(scene, container, [each for each in containers if each is not container]):
            return self._replaced(scene, container)

    def _replaced(self, scene: Scene, container: Container) -> bool:
        """Stop the container as the engine does and start it again: whether its health check is content in time."""
        container.stop(timeout=int(GRACE_S))
        with _weighing(container, self.starting_weight):
            returning.start(scene, [container])
            return healthy_again(scene, container)


FAULTS = (
    Rolled(
        id="F-12",
        title="replicas replaced in turn",
        what="Two replicas behind the edge are stopped by their signal and started again, one after the other.",
        drained=False,
        hold_s=6.0,
        rule=EVERY_ONE,
    ),
    Rolled(
        id="F-12d",
        title="replicas drained and replaced in turn",
        what="As F-12, but the edge is told to leave a replica out before that is stopped.",
        drained=True,
        hold_s=6.0,
        rule=EVERY_ONE,
    ),
)


@contextmanager
def _weighing(container: Container, weight: int) -> Iterator[None]:
    """Within the block the container has this weight, and then the one that all have."""
    if weight == FULL_WEIGHT:
        yield
        return
    container.update(cpu_shares=weight)
    try:
        yield
    finally:
        container.update(cpu_shares=FULL_WEIGHT)


def healthy_again(scene: Scene, container: Container) -> bool:
    """Whether the container's health check is content in time; where it is not that is noted."""
    return returning.await_return(
        scene,
        f"{container.name} is healthy again",
        lambda: "healthy" if is_healthy(container) else None,
        within_s=HEALTHY_WITHIN_S,
        pause_s=PAUSE_S,
    )


@contextmanager
def sent_nothing(scene: Scene, container: Container, others: list[Container]) -> Iterator[None]:
    """Within the block the edge sends requests to the other replicas only, and those in flight before it have ended.

    The edge's own script is told of both ends of the block; what it says it has done is looked at as well.

    Raises:
        NotEffective: the script failed, or there are still workers of before.
        NotUndone: as that, on leaving the block: the edge has to ask anew for all addresses.
    """
    if not others:
        raise TrialFailed(f"{container.name} is the only replica: there is nobody to take its requests")
    edge = nginx.container_of(scene)
    before = nginx.workers(edge)
    _drain(edge, "out", container.name, otherwise=NotEffective)
    await_effect(
        "only workers that know nothing of it are left",
        lambda: None if still_there(edge, before) else nginx.replaced(edge, before),
        within_s=LOOKED_AT_WITHIN_S,
        pause_s=PAUSE_S,
    )
    try:
        yield
    finally:
        before = nginx.workers(edge)
        _drain(edge, "in", otherwise=NotUndone)
        scene.lifted()
        await_undone(
            nginx.RELOADED,
            lambda: nginx.replaced(edge, before),
            within_s=LOOKED_AT_WITHIN_S,
            pause_s=PAUSE_S,
        )


def _drain(edge: Container, *words: str, otherwise: type[TrialFailed]) -> None:
    """Have the edge's script do what the words say, and raise ``otherwise`` with its own words where it does not."""
    done = edge.exec_run([*DRAIN, *words])
    if done.exit_code:
        said = done.output.decode(errors="replace").strip()
        raise otherwise(f"{edge.name}: drain.py {' '.join(words)} ended with {done.exit_code}: {said[-200:]}")
