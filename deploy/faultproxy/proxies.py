"""Proxies: where each listens, where it leads, what is done to it, and what has gone through."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from faultproxy.connections import Connection, Flow, close
from faultproxy.toxics import STREAMS, Toxic, toxic_of

CONNECT_S = 10.0
BACKLOG = 1024


class Missing(Exception):
    """There is no such proxy or toxic."""


class Conflict(Exception):
    """There is one of that name already, or its address is taken."""


@dataclass
class Traffic:
    """What has gone through a proxy since it was made; ``open`` connections are there now.

    ``touched`` counts how often a toxic delayed, cut or dropped a piece, or ended a connection; ``unheard`` the pieces
    that a client sent to an upstream that had ended its half already.
    """

    accepted: int = 0
    failed: int = 0
    open: int = 0
    upstream_bytes: int = 0
    downstream_bytes: int = 0
    touched: int = 0
    unheard: int = 0


class Proxy:
    """One address that leads to another."""

    def __init__(self, name: str, *, listen: str, upstream: str) -> None:
        """Closed, until it is started."""
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.toxics: dict[str, Toxic] = {}
        self.traffic = Traffic()
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._turn = itertools.count()

    def as_json(self) -> dict[str, Any]:
        """Toxiproxy's words for it, and its traffic."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self._server is not None,
            "toxics": [toxic.as_json() for toxic in self.toxics.values()],
            "traffic": asdict(self.traffic),
        }

    async def enable(self) -> None:
        """Listen.

        Raises:
            Conflict: the address is taken, or none.
        """
        if self._server is not None:
            return
        host, port = address_of(self.listen)
        try:
            self._server = await asyncio.start_server(self._accepted, host, port, backlog=BACKLOG)
        except OSError as refused:
            raise Conflict(f"proxy {self.name}: cannot listen on {self.listen}: {refused}") from None
        bound = self._server.sockets[0].getsockname()
        self.listen = f"{host}:{bound[1]}"

    def disable(self) -> None:
        """Refuse new connections and end those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.end()

    def add(self, toxic: Toxic) -> None:
        """Let a toxic loose, also on the connections that there are.

        Raises:
            Conflict: there is one of that name.
        """
        if toxic.name in self.toxics:
            raise Conflict(f"proxy {self.name} has a toxic {toxic.name!r} already")
        self.toxics[toxic.name] = toxic
        for connection in self._connections:
            connection.flows[toxic.stream].meet(toxic)

    def remove(self, name: str) -> Toxic:
        """Take a toxic away.

        Raises:
            Missing: there is none of that name.
        """
        if name not in self.toxics:
            raise Missing(f"proxy {self.name} has no toxic {name!r}")
        toxic = self.toxics.pop(name)
        for connection in list(self._connections):
            connection.flows[toxic.stream].part(toxic)
        return toxic

    def change(self, name: str, told: Mapping[str, Any]) -> Toxic:
        """Give a toxic other attributes or another toxicity; what is not told stays."""
        if name not in self.toxics:
            raise Missing(f"proxy {self.name} has no toxic {name!r}")
        before = self.toxics[name].as_json()
        attributes = {**before["attributes"], **(told.get("attributes") or {})}
        toxicity = told.get("toxicity", before["toxicity"])
        changed = toxic_of({**before, "toxicity": toxicity, "attributes": attributes})
        self.remove(name)
        self.add(changed)
        return changed

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.traffic.accepted += 1
        self.traffic.open += 1
        try:
            await self._carried(reader, writer)
        except OSError:
            self.traffic.failed += 1
            close(writer, reset=True)
        finally:
            self.traffic.open -= 1

    async def _carried(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self._touch, unheard=self._miss)
        there_reader, there_writer = await self._connected()
        if self._server is None:  # it was disabled in the meantime
            close(writer, reset=False)
            close(there_writer, reset=False)
            return
        ways = {"upstream": (reader, there_writer), "downstream": (there_reader, writer)}
        for stream, (source, sink) in ways.items():
            connection.flows[stream] = Flow(
                source,
                sink,
                connection=connection,
                toxics=[each for each in self.toxics.values() if each.stream == stream],
                count=lambda size, stream=stream: self._count(stream, size),
            )
        self._connections.add(connection)
        try:
            await connection.run(writer, there_writer)
        finally:
            self._connections.discard(connection)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the upstream, whose addresses take turns.

        Raises:
            OSError: there is nobody, nobody answers, or it is an address of the world outside.
        """
        host, port = address_of(self.upstream)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=socket.AF_INET)
        addresses = sorted({entry[4][0] for entry in found})
        address = addresses[next(self._turn) % len(addresses)]
        if not ipaddress.ip_address(address).is_private:
            raise OSError(f"{address} is not an address of a private network")
        try:
            return await asyncio.wait_for(asyncio.open_connection(address, port), CONNECT_S)
        except TimeoutError:
            raise OSError(f"{address}:{port} did not answer") from None

    def _touch(self) -> None:
        self.traffic.touched += 1

    def _count(self, stream: str, size: int) -> None:
        if stream == STREAMS[0]:
            self.traffic.upstream_bytes += size
        else:
            self.traffic.downstream_bytes += size

    def _miss(self) -> None:
        self.traffic.unheard += 1


class Proxies:
    """All of them, by name."""

    def __init__(self) -> None:
        """None yet."""
        self.by_name: dict[str, Proxy] = {}

    def get(self, name: str) -> Proxy:
        """Return one.

        Raises:
            Missing: there is none of that name.
        """
        if name not in self.by_name:
            raise Missing(f"there is no proxy {name!r}; there are: {', '.join(self.by_name) or 'none'}")
        return self.by_name[name]

    async def make(self, name: str, *, listen: str, upstream: str, enabled: bool = True) -> Proxy:
        """Make one, and have it listen unless it is not to.

        Raises:
            Conflict: there is one of that name, or the address is taken.
        """
        if name in self.by_name:
            raise Conflict(f"there is a proxy {name!r} already")
        proxy = Proxy(name, listen=listen, upstream=upstream)
        if enabled:
            await proxy.enable()
        self.by_name[name] = proxy
        return proxy

    def drop(self, name: str) -> None:
        """Close one and forget it."""
        self.get(name).disable()
        del self.by_name[name]

    async def reset(self) -> None:
        """Every toxic away, every proxy enabled."""
        for proxy in self.by_name.values():
            for toxic in list(proxy.toxics):
                proxy.remove(toxic)
            await proxy.enable()

    def close(self) -> None:
        """Close all of them."""
        for name in list(self.by_name):
            with contextlib.suppress(Missing):
                self.drop(name)


def address_of(text: str) -> tuple[str, int]:
    """Host and port of "HOST:PORT".

    Raises:
        Conflict: it is none.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise Conflict(f"{text!r} is not HOST:PORT")
    return host, int(port)
