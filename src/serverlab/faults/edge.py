"""Faults of the edge and of the way from it to the app."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from serverlab.compose import LABEL, Container
from serverlab.faults import nginx, returning
from serverlab.faults.fault import EDGE, Fault, NotEffective, Scene, await_effect
from serverlab.faults.processes import (
    app_containers,
    inner_address,
    is_healthy,
    is_running,
    send,
    still_there,
)
from serverlab.faults.racing import KeepAliveRace
from serverlab.faults.retrying import DEFAULT, WRITES_TOO, RetryStorm
from serverlab.faults.silence import GATEWAY_TIMEOUT, SILENT, BlackHole
from serverlab.faults.stopping import GRACE_S
from serverlab.faults.toxics import Down
from serverlab.model.faults import Rule
from serverlab.model.stacks import Proxied
from serverlab.probe import answered

BROKEN_CONFIGURATION = {"worker_processes": "worker_proce55es"}
REFUSED = "[emerg]"
REPLACED_WITHIN_S = 5.0
WAITS_S = 35.0
"""For how long the edge waits for the app, before it says 504."""

LONGER_THAN_IT_WAITS_S = 40.0

STOP_S = 45
"""Above the time that the edge gives requests in flight."""

PLACEHOLDERS = 3


@dataclass(frozen=True, kw_only=True)
class OfTheEdge(Fault):
    """A fault of nginx itself."""

    needs: tuple[str, ...] = (EDGE,)


@dataclass(frozen=True, kw_only=True)
class WorkerKilled(OfTheEdge):
    """A worker of nginx gets SIGKILL; nothing is undone, its master replaces it."""

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Kill the first."""
        container = nginx.container_of(scene)
        victim, *_ = before = nginx.workers(container)
        scene.acted()
        send(container, "SIGKILL", [victim.pid])
        scene.lifted()
        await_effect(
            f"worker {victim.pid} is gone",
            lambda: None if still_there(container, [victim]) else "gone",
            pause_s=nginx.PAUSE_S,
        )
        yield f"worker {victim.pid} is gone"
        returning.await_return(
            scene,
            "nginx has all its workers",
            lambda: "all" if len(nginx.workers(container)) == len(before) else None,
            within_s=REPLACED_WITHIN_S,
            pause_s=nginx.PAUSE_S,
        )


@dataclass(frozen=True, kw_only=True)
class EdgeReloaded(OfTheEdge):
    """Nginx reads its configuration again while requests come in; nothing is undone."""

    times: int = 1

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Reload it as often as it is to be."""
        container = nginx.container_of(scene)
        scene.acted()
        seen = [nginx.reload(container, told=scene.lifted) for _ in range(self.times)]
        yield "; ".join(seen)


@dataclass(frozen=True, kw_only=True)
class BadConfiguration(OfTheEdge):
    """Nginx is told to reload a configuration that is wrong."""

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Write it and reload; undone by writing the right one and reloading again."""
        container = nginx.container_of(scene)
        before = nginx.workers(container)
        complaints = nginx.logged(container, REFUSED)
        scene.acted()
        try:
            with nginx.rewritten(container, BROKEN_CONFIGURATION):
                send(container, "SIGHUP", [nginx.master(container).pid])
                refused = await_effect(
                    "nginx refuses it",
                    lambda: (
                        f"{REFUSED} in its log" if nginx.logged(container, REFUSED) > complaints else None
                    ),
                )
                kept = len(still_there(container, before))
                scene.measure(workers_kept=kept, workers_gone=len(before) - kept)
                yield f"{refused}; {kept} of {len(before)} workers kept"
        finally:
            nginx.put_back(container, told=scene.lifted)


@dataclass(frozen=True, kw_only=True)
class EdgeRestarted(OfTheEdge):
    """The edge's container is stopped by its signal, and started again when the fault is over."""

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Stop it and wait."""
        container = nginx.container_of(scene)
        began = time.monotonic()
        scene.acted()
        try:
            container.stop(timeout=STOP_S)
            took_s = time.monotonic() - began
            scene.measure(stopped_after_s=round(took_s, 3))
            if is_running(container):
                raise NotEffective("the edge still runs")
            yield f"the edge ended after {took_s:.1f} s"
        finally:
            returning.start(scene, [container])
            returning.await_ready(scene)


@dataclass(frozen=True, kw_only=True)
class Replaced(OfTheEdge):
    """The app's container comes back under another address, as it does where containers are scheduled.

    The edge has asked for its address when it was started; undone by having it ask again.
    """

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Stop it, give its address to somebody else, start it; undone by a reload of the edge."""
        container = app_containers(scene)[0]
        before = inner_address(container)
        placeholders = ExitStack()
        scene.acted()
        try:
            container.stop(timeout=int(GRACE_S))
            for _ in range(PLACEHOLDERS):
                placeholders.callback(_placeholder(scene, container).remove, force=True, v=True)
            container.start()
            now = inner_address(container)
            if now == before:
                raise NotEffective(f"{container.name} has its address {before} again")
            seen = await_effect(
                f"{container.name} is well at {now}",
                lambda: "well" if is_healthy(container) else None,
                within_s=60,
                pause_s=0.1,
            )
            with scene.client() as client:
                status = answered(client.get, "/healthz").status
            scene.measure(status_before_reload=status or 0)
            yield f"the app moved from {before} to {now} and is {seen}; through the edge: {status}"
        finally:
            with placeholders:  # they are removed whatever comes of the rest
                returning.start(scene, [container])
                nginx.put_back(nginx.container_of(scene), told=scene.lifted)
            returning.await_ready(scene)


def _placeholder(scene: Scene, container: Container) -> Container:
    """A container of ours that does nothing but have an address."""
    (network,) = container.attrs["NetworkSettings"]["Networks"]
    return scene.engine.client.containers.run(
        container.attrs["Config"]["Image"],
        entrypoint=["sleep", "infinity"],
        detach=True,
        init=True,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        mem_limit="32m",
        pids_limit=8,
        network=network,
        labels={LABEL: scene.settings.label},
    )


FAULTS: tuple[Fault, ...] = (
    RetryStorm(
        id="F-42",
        title="answers lost, requests repeated by the edge",
        what="The edge loses every answer of one way to the app and repeats the request on another, also a POST.",
        repeats=WRITES_TOO,
        rule=Rule(measured_at_most={"duplicates_with_key": 0, "entries_missing": 0}),
    ),
    RetryStorm(
        id="F-42d",
        title="answers lost, reads repeated by the edge",
        what="As F-42 with nginx's own default: what is not idempotent is not sent again, and its sender gets 502.",
        repeats=DEFAULT,
        rule=Rule(
            measured_at_most={"duplicates_with_key": 0, "duplicates_without_key": 0, "entries_missing": 0}
        ),
    ),
    Down(
        id="F-60",
        title="edge: app away",
        what="The app refuses the edge's connections, those that there were are closed.",
        way=Proxied.UPSTREAM,
    ),
    BlackHole(
        id="F-60b",
        title="edge: app silent",
        what="Connections from the edge to the app stay open, and nothing that is said arrives.",
        way=Proxied.UPSTREAM,
        path="/healthz",
        toxics=SILENT,
        told_by=(GATEWAY_TIMEOUT,),
        silent_from_s=WAITS_S,
        hold_s=LONGER_THAN_IT_WAITS_S,
        rule=Rule(measured_at_most={"bounded_after_s": 36}),
    ),
    KeepAliveRace(
        id="F-60c",
        title="edge: kept connections end first at the app",
        what="The app ends idle connections after 2 s, the edge after 30 s, and the news takes 300 ms.",
        rule=Rule(measured_at_most={"bad_gateways": 0}),
    ),
    WorkerKilled(
        id="F-61",
        title="edge: worker killed",
        what="The worker process of nginx gets SIGKILL.",
        hold_s=6.0,
        rule=Rule(longest_gap_s=1.0),
    ),
    EdgeReloaded(
        id="F-61b",
        title="edge: reloaded",
        what="Nginx reads its configuration again, three times, while requests come in.",
        times=3,
        rule=Rule(failures_at_most=0),
    ),
    BadConfiguration(
        id="F-61c",
        title="edge: wrong configuration",
        what="Nginx is told to read a configuration with a mistake.",
        rule=Rule(failures_at_most=0, measured_at_most={"workers_gone": 0}),
    ),
    EdgeRestarted(
        id="F-61d",
        title="edge: restarted",
        what="The edge's container is stopped by its signal and started again.",
    ),
    Replaced(
        id="F-62",
        title="edge: app at another address",
        what="The app's container comes back under another address; then the edge is told to reload.",
    ),
)
