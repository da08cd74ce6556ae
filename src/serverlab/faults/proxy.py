"""The fault proxy of a stack, asked over its API: toxics are added and taken away, and its traffic is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from serverlab.compose import Engine, StackSettings
from serverlab.errors import TrialFailed
from serverlab.faults.fault import NotEffective, NotUndone, await_effect
from serverlab.model.stacks import Proxied

SERVICE = "faultproxy"
API_PORT = 8474
API_TIMEOUT_S = 10.0
DOWN_WITHIN_S = 12.0
"""Longer than the proxy tries to reach an upstream (deploy/faultproxy/proxies.py), which counts as open meanwhile."""


@dataclass(frozen=True)
class Toxic:
    """What is to be done to a stream (``upstream``: what the client sends), in toxiproxy's words.

    ``toxicity`` is the share of connections that it meets.
    """

    type: str
    stream: str = "downstream"
    attributes: Mapping[str, int | str] = field(default_factory=dict)
    toxicity: float = 1.0

    @property
    def name(self) -> str:
        """What the proxy calls it."""
        return f"{self.type}_{self.stream}"

    def __str__(self) -> str:
        """For notes: what it does, to which stream."""
        told = ", ".join(f"{name} {value}" for name, value in self.attributes.items())
        share = "" if self.toxicity == 1 else f" for {self.toxicity:.0%} of connections"
        return f"{self.type}{f' ({told})' if told else ''} {self.stream}{share}"


@dataclass(frozen=True)
class Traffic:
    """What has gone through since the stack was started; ``touched`` counts what toxics had to do with.

    ``unheard`` counts the pieces that were sent to an upstream that had ended its half already.
    """

    accepted: int
    failed: int
    open: int
    upstream_bytes: int
    downstream_bytes: int
    touched: int
    unheard: int = 0


class FaultProxy:
    """One of the proxies: the way to the database, to the app or to the edge."""

    def __init__(self, url: str, name: str) -> None:
        """Ask the API at ``url`` about the proxy ``name``."""
        self._url = url
        self.name = name

    def traffic(self) -> Traffic:
        """What has gone through so far."""
        return Traffic(**self._told()["traffic"])

    def toxics(self) -> list[str]:
        """The names of the toxics that are at work."""
        return [str(each["name"]) for each in self._told()["toxics"]]

    def is_enabled(self) -> bool:
        """Whether it takes connections."""
        return bool(self._told()["enabled"])

    @contextmanager
    def harmed(self, toxics: Sequence[Toxic]) -> Iterator[None]:
        """Have the toxics at work while the block runs.

        Raises:
            NotEffective: the proxy does not have them.
            NotUndone: on leaving the block, it still has one.
        """
        try:
            for toxic in toxics:
                self._ask("POST", "/toxics", _as_json(toxic))
            if sorted(self.toxics()) != sorted(toxic.name for toxic in toxics):
                raise NotEffective(f"proxy {self.name} has the toxics {self.toxics()}")
            yield
        finally:
            for name in self.toxics():
                self._ask("DELETE", f"/toxics/{name}")
            if left := self.toxics():
                raise NotUndone(f"proxy {self.name} still has {', '.join(left)}")

    @contextmanager
    def down(self) -> Iterator[None]:
        """Have it refuse connections while the block runs; those that there were are closed.

        Raises:
            NotEffective: it still takes or holds one.
            NotUndone: on leaving the block, it takes none.
        """
        try:
            self._ask("POST", "", {"enabled": False})
            await_effect(f"proxy {self.name} is down", self._is_down, within_s=DOWN_WITHIN_S)
            yield
        finally:
            self._ask("POST", "", {"enabled": True})
            if not self.is_enabled():
                raise NotUndone(f"proxy {self.name} is still down")

    def _is_down(self) -> str | None:
        """That it takes no connections and holds none, or None."""
        return None if self.is_enabled() or self.traffic().open else "down"

    def _told(self) -> dict[str, Any]:
        return self._ask("GET", "")

    def _ask(self, method: str, path: str, told: Mapping[str, Any] | None = None) -> dict[str, Any]:
        url = f"{self._url}/proxies/{self.name}{path}"
        try:
            answer = httpx2.request(method, url, json=told, timeout=API_TIMEOUT_S)
        except httpx2.HTTPError as broken:
            raise TrialFailed(f"the fault proxy does not answer: {broken!r}") from None
        if answer.status_code >= 400:
            raise TrialFailed(f"the fault proxy refused {method} {path or self.name}: {answer.text.strip()}")
        document: dict[str, Any] = answer.json() if answer.content else {}
        return document


def proxy_of(engine: Engine, settings: StackSettings) -> FaultProxy:
    """The proxy on the way that the stack's settings lead through it.

    Raises:
        TrialFailed: the stack has none, or nothing has gone through it.
    """
    fronted = "edge" if settings.target.edge else "app"
    names = {Proxied.DATABASE: "database", Proxied.UPSTREAM: "app", Proxied.FRONT: fronted}
    if settings.proxied is None:
        raise TrialFailed(f"{settings.target}: no way of the stack leads through the fault proxy")
    proxy = FaultProxy(engine.url(SERVICE, port=API_PORT), names[settings.proxied])
    if not proxy.traffic().upstream_bytes:
        raise TrialFailed(f"{settings.target}: nothing has gone through proxy {proxy.name}")
    return proxy


def _as_json(toxic: Toxic) -> dict[str, Any]:
    return {
        "name": toxic.name,
        "type": toxic.type,
        "stream": toxic.stream,
        "toxicity": toxic.toxicity,
        "attributes": dict(toxic.attributes),
    }
