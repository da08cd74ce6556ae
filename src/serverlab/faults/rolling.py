"""Replicas behind an edge are replaced one after the other, as a deployment without a pause does it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serverlab.compose import Container
from serverlab.errors import TrialFailed
from serverlab.faults import nginx
from serverlab.faults.fault import EDGE, Fault, Scene, await_effect
from serverlab.faults.processes import app_containers, is_running, processes
from serverlab.faults.stopping import GRACE_S
from serverlab.model.faults import Rule

ALL_REPLICAS = "server app:8000 max_fails=0;"
"""What the edge's configuration says of the app: every address that its name has."""

HEALTHY_WITHIN_S = 60.0
PAUSE_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Rolled(Fault):
    """Each replica is stopped by its signal and started again, the next one once it is healthy.

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
        for container in containers:
            if self.drained:
                with sent_nothing(scene, container, [each for each in containers if each is not container]):
                    _replace(container)
                nginx.reload(nginx.container_of(scene))
            else:
                _replace(container)
        took_s = time.monotonic() - began_s
        scene.measure(rolled_s=round(took_s, 3))
        yield f"{len(containers)} replicas were replaced within {took_s:.1f} s"

    def left_behind(self, scene: Scene) -> str | None:
        """A replica that does not run."""
        down = [str(each.name) for each in app_containers(scene) if not is_running(each)]
        return f"{', '.join(down)}: still stopped" if down else None


FAULTS = (
    Rolled(
        id="F-12",
        title="replicas replaced in turn",
        what="Two replicas behind the edge are stopped by their signal and started again, one after the other.",
        drained=False,
        hold_s=6.0,
        rule=Rule(failures_at_most=0, longest_gap_s=2.0),
    ),
    Rolled(
        id="F-12d",
        title="replicas drained and replaced in turn",
        what="As F-12, but the edge is told to leave a replica out before that is stopped.",
        drained=True,
        hold_s=6.0,
        rule=Rule(failures_at_most=0, longest_gap_s=2.0),
    ),
)


def _replace(container: Container) -> None:
    """Stop the container as the engine does, start it again, and wait until its health check is content."""
    container.stop(timeout=int(GRACE_S))
    container.start()
    healthy_again(container)


def healthy_again(container: Container) -> None:
    """Return once the container's health check is content.

    Raises:
        NotEffective: it is not in time.
    """
    await_effect(
        f"{container.name} is healthy again",
        lambda: "healthy" if _health(container) == "healthy" else None,
        within_s=HEALTHY_WITHIN_S,
        pause_s=PAUSE_S,
    )


def _health(container: Container) -> str:
    container.reload()
    return str(container.attrs["State"].get("Health", {}).get("Status", ""))


@contextmanager
def sent_nothing(scene: Scene, container: Container, others: list[Container]) -> Iterator[None]:
    """Within the block the edge sends requests to the other replicas only, and those in flight before it have ended.

    The block's end puts the configuration back, of which nginx is not told: it has to be reloaded.
    """
    if not others:
        raise TrialFailed(f"{container.name} is the only replica: there is nobody to take its requests")
    edge = nginx.container_of(scene)
    servers = " ".join(f"server {_address(each)}:8000 max_fails=0;" for each in others)
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


def _address(container: Container) -> str:
    container.reload()
    (network,) = container.attrs["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])
