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
from serverlab.faults.fault import EDGE, Fault, Scene, await_effect
from serverlab.faults.processes import app_containers, inner_address, is_healthy, processes
from serverlab.faults.stopping import GRACE_S
from serverlab.model.faults import Rule

ALL_REPLICAS = "server app:8000 max_fails=0;"
"""What the edge's configuration says of the app: every address that its name has."""

HEALTHY_WITHIN_S = 60.0
PAUSE_S = 0.25
"""Between two looks, of which those into the edge cost the stack some of its processor."""

EVERY_ONE = Rule(failures_at_most=0, longest_gap_s=2.0, measured_at_most={"replicas_ill": 0})
"""Nobody notices, and every replica is healthy again."""


@dataclass(frozen=True, kw_only=True)
class Rolled(Fault):
    """Each replica is stopped by its signal and started again, the next one once it is healthy.

    One that does not become healthy ends the rolling, as it does in service; how many there were is measured.
    ``drained``: the edge is told to send nothing more to a replica before that is stopped, and told of it again when it
    is healthy.
    """

    needs: tuple[str, ...] = (EDGE,)
    replicas: int = 2
    drained: bool

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
            return _replace(scene, container)
        with sent_nothing(scene, container, [each for each in containers if each is not container]):
            healthy = _replace(scene, container)
        nginx.put_back(nginx.container_of(scene), told=scene.lifted)
        return healthy


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


def _replace(scene: Scene, container: Container) -> bool:
    """Stop the container as the engine does and start it again: whether its health check is content in time."""
    container.stop(timeout=int(GRACE_S))
    returning.start(scene, [container])
    return healthy_again(scene, container)


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

    The block's end puts the configuration back, of which nginx is not told: it has to be reloaded.
    """
    if not others:
        raise TrialFailed(f"{container.name} is the only replica: there is nobody to take its requests")
    edge = nginx.container_of(scene)
    servers = " ".join(f"server {inner_address(each)}:8000 max_fails=0;" for each in others)
    with nginx.rewritten(edge, {ALL_REPLICAS: servers}):
        nginx.reload(edge)
        await_effect(
            "requests in flight have ended",
            lambda: None if _is_shutting_down(edge) else "they have",
            within_s=GRACE_S,
            pause_s=PAUSE_S,
        )
        yield


def _is_shutting_down(edge: Container) -> bool:
    """Whether a worker of the configuration before still answers somebody."""
    return any("shutting down" in each.command for each in processes(edge))
