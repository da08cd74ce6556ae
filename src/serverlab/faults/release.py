"""A release that never becomes ready, and the way back from it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serverlab.compose import LABEL, Container, secrets_of
from serverlab.errors import TrialFailed
from serverlab.faults import returning
from serverlab.faults.fault import EDGE, Fault, NotEffective, Scene
from serverlab.faults.processes import app_containers, run
from serverlab.faults.rolling import EVERY_ONE, healthy_again, sent_nothing
from serverlab.faults.stopping import GRACE_S
from serverlab.model.definitions import Protocol
from serverlab.probe import Expectation

NO_DATABASE = {"DATABASE_URL": "sqlite:////nowhere/db.sqlite3"}
"""What is wrong with the release: it starts, and finds no rows."""

IS_READY = """
import http.client
connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=2)
try:
    connection.request("GET", "/readyz", headers={"Host": "localhost"})
    print(connection.getresponse().status)
except OSError:
    print(0)
"""
PAUSE_S = 0.25


@dataclass(frozen=True, kw_only=True)
class BadRelease(Fault):
    """One of two replicas, drained before, is replaced by a release that is not ready within ``gives_up_s``.

    Then the one that was there before is started again, and the edge is told of it. Nobody is sent to the release.
    """

    needs: tuple[str, ...] = (EDGE,)
    gives_up_s: float = 5.0

    def stack(self) -> Mapping[str, Any]:
        """Two replicas."""
        return {"replicas": 2}

    def applicable(self, expected: Expectation) -> str | None:
        """Asked of servers that speak HTTP, because the release itself is asked whether it is ready."""
        if expected.variant.protocol is not Protocol.HTTP:
            return (
                f"it speaks {expected.variant.protocol.value}: a release cannot be asked whether it is ready"
            )
        return super().applicable(expected)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Roll forward and back; nothing is left to be undone."""
        first, *others = app_containers(scene)
        scene.acted()
        with sent_nothing(scene, first, others):
            first.stop(timeout=int(GRACE_S))
            try:
                said = self._try_release(scene, first)
            finally:
                began_s = time.monotonic()
                returning.start(scene, [first])
            healthy = healthy_again(scene, first)
        scene.measure(
            rolled_back_after_s=round(time.monotonic() - began_s, 3), replicas_ill=0 if healthy else 1
        )
        yield said

    def _try_release(self, scene: Scene, like: Container) -> str:
        release = started(scene, like, NO_DATABASE)
        try:
            give_up = time.monotonic() + self.gives_up_s
            status = ""
            while time.monotonic() < give_up:
                status = asked(release)
                if status == "200":
                    raise NotEffective("the release was ready: it found rows")
                time.sleep(PAUSE_S)
        finally:
            release.remove(force=True)
        return f"the release answered {status} when it was asked whether it was ready, and was taken back"


FAULTS = (
    BadRelease(
        id="F-13",
        title="bad release rolled back",
        what="One of two replicas is drained and replaced by a release without a database; it is given up after 5 s.",
        hold_s=6.0,
        rule=EVERY_ONE,
    ),
)


def started(scene: Scene, like: Container, changes: Mapping[str, str]) -> Container:
    """A container as this one, on its cores, with other variables; it has our label, and not the service's name."""
    like.reload()
    config, networks = like.attrs["Config"], like.attrs["NetworkSettings"]["Networks"]
    budget = like.attrs["HostConfig"]
    given = dict(each.split("=", 1) for each in config["Env"])
    return scene.engine.client.containers.run(
        config["Image"],
        config.get("Cmd"),
        detach=True,
        init=True,
        environment={**given, **changes},
        labels={LABEL: like.labels[LABEL]},
        mounts=secrets_of(like),
        network=next(iter(networks)),
        read_only=True,
        tmpfs={"/tmp": "mode=1777,size=64m"},  # noqa: S108 - the container's own
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        cpuset_cpus=budget["CpusetCpus"],
        nano_cpus=budget["NanoCpus"],
        mem_limit=budget["Memory"],
        memswap_limit=budget["MemorySwap"],
        pids_limit=budget["PidsLimit"],
    )


def asked(release: Container) -> str:
    """The status with which the release says whether it is ready; 0 where it does not answer."""
    try:
        return run(release, IS_READY)
    except TrialFailed:
        return "0"
