"""Faults that the fault proxy does: to what is said between client, edge, app and database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serverlab.faults.fault import EDGE, Fault, Scene, await_effect
from serverlab.faults.proxy import FaultProxy, Toxic, proxy_of
from serverlab.model.stacks import Database, Proxied
from serverlab.probe import Expectation


@dataclass(frozen=True, kw_only=True)
class OnTheWay(Fault):
    """A fault on a way of the stack that leads through the proxy."""

    way: Proxied

    def stack(self) -> Mapping[str, Any]:
        """The stack leads this way through the proxy; a way to a database needs one that is asked over a network."""
        database = {"database": Database.POSTGRES} if self.way is Proxied.DATABASE else {}
        return {"proxied": self.way, **database}

    def applicable(self, expected: Expectation) -> str | None:
        """Without an edge there is no way between edge and app."""
        if self.way is Proxied.UPSTREAM and expected.edge is None:
            return f"there is no {EDGE} in front of it"
        return super().applicable(expected)


@dataclass(frozen=True, kw_only=True)
class Poisoned(OnTheWay):
    """Toxics are at work on the way; that they are is told by how often they touched something."""

    toxics: tuple[Toxic, ...]

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Add the toxics, wait until they have touched something, and take them away again."""
        proxy = proxy_of(scene.engine, scene.settings)
        before = proxy.traffic().touched
        scene.acted()
        with proxy.harmed(self.toxics):
            touched = await_effect(
                f"toxics at proxy {proxy.name} touch anything",
                lambda: touched_since(proxy, before),
            )
            yield f"{' and '.join(map(str, self.toxics))}: {touched}"
            measure_traffic(scene, proxy)
        scene.lifted()


@dataclass(frozen=True, kw_only=True)
class Down(OnTheWay):
    """The way is closed: connections are refused, those that there were have been closed."""

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Switch the proxy off and on again."""
        proxy = proxy_of(scene.engine, scene.settings)
        before = proxy.traffic()
        scene.acted()
        with proxy.down():
            yield f"proxy {proxy.name} refuses; {before.open} connections were closed"
        scene.lifted()


def touched_since(proxy: FaultProxy, before: int) -> str | None:
    """How often toxics have touched something since they had ``before`` times, or None while they have not."""
    touched = proxy.traffic().touched - before
    return f"they touched {touched} pieces" if touched > 0 else None


def measure_traffic(scene: Scene, proxy: FaultProxy) -> None:
    """Keep how many connections the proxy holds at the end of the fault."""
    scene.measure(proxy_connections=proxy.traffic().open)
