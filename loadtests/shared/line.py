"""The one connection of a user, on which every request is sent exactly once.

It is geventhttpclient's client, which is what Locust's FastHttpUser speaks through, less what would blur the count:

* a GET whose connection breaks before the first byte of the answer is sent again up to twice by the library, without
  a word; here it has failed;
* a kept-alive connection that the server closed while nobody was asking is replaced before the next request, as every
  browser does it; that is right, and counted in ``Connections.replaced``;
* whether it was closed is asked by poll instead of select, which takes every descriptor above 1023 for closed;
* the server's name is looked up when a user starts and after a failed connect, not for every connection.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from select import POLLIN
from typing import Any

import gevent
from gevent import monkey
from geventhttpclient.client import HTTPClient
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError
from geventhttpclient.url import URL
from locust.contrib.fasthttp import insecure_ssl_context_factory

from shared import bounds
from shared.answers import Failure, Kind
from shared.inspection import QUERY_COUNT, TRACE, Exchange, Tap, count_in

poll = monkey.get_original("select", "poll")

BREAKS = (gevent.Timeout, OSError, HTTPParseError)
"""What a request can end in besides an answer."""

CUT_SHORT = ("connection closed", "Incomplete response")
"""How the library's parse errors begin when the connection ended amidst an answer."""


@dataclass(slots=True)
class Connections:
    """TCP connections that were opened, and how many of them because the server had closed a kept one."""

    opened: int = 0
    replaced: int = 0


CONNECTIONS = Connections()
"""Of all users of this process."""


class CountedPool(ConnectionPool):
    """Room for one connection, kept between requests or not."""

    keep = True
    _addresses: list[Any] | None = None

    def _resolve(self) -> list[Any]:
        if self._addresses is None:
            found = super()._resolve()
            bounds.check_addresses(self._connection_host, [each[-1][0] for each in found])
            self._addresses = found
        return self._addresses

    def _create_socket(self) -> socket.socket:
        try:
            opened = super()._create_socket()
        except OSError:
            self._addresses = None
            raise
        CONNECTIONS.opened += 1
        return opened

    def _is_socket_alive(self, sock: socket.socket) -> bool:
        watch = poll()
        watch.register(sock.fileno(), POLLIN)
        if watch.poll(0):
            CONNECTIONS.replaced += 1
            return False
        return True

    def return_socket(self, sock: socket.socket) -> None:
        """Keep the connection for the next request, or close it."""
        if self.keep:
            super().return_socket(sock)
        else:
            self.release_socket(sock)


class CountedTLSPool(CountedPool, SSLConnectionPool):
    """The same over TLS."""


class Line(HTTPClient):
    """One user's connection to one server; certificates are not verified, since the lab's are self-signed.

    ``exchange`` is what the last request took, where that is looked at.
    """

    plain_pool, tls_pool = CountedPool, CountedTLSPool
    exchange: Exchange | None = None

    def __init__(self, base_url: str, *, timeout_s: float, keep: bool) -> None:
        """A line to ``base_url`` that opens its connection at the first request, anew for each unless ``keep``."""
        url = URL(base_url)
        tls = (
            {"insecure": True, "ssl_context_factory": insecure_ssl_context_factory}
            if url.scheme == "https"
            else {}
        )
        times = {"connection_timeout": timeout_s, "network_timeout": timeout_s}
        super().__init__(url.host, url.port, ssl=bool(tls), **tls, **times)
        kind = self.tls_pool if tls else self.plain_pool
        pool = kind(self.host, self.port, self.host, self.port, size=1, **tls, **times)
        pool.keep = keep
        pool.size = -1  # HTTPClient.request sends again size + 1 times
        self._connection_pool = pool

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Status and whole body of the answer; raises one of ``BREAKS`` when there is none."""
        response = self.request(method, path, body=body, headers=headers)
        return response.status_code, response.read()


class TappedPool(CountedPool):
    """Counts the bytes as well."""

    tap: Tap

    def _create_socket(self) -> Tap:
        self.tap = Tap(super()._create_socket())
        return self.tap


class TappedTLSPool(TappedPool, CountedTLSPool):
    """The same over TLS, within which is counted."""


class InspectedLine(Line):
    """A line on which every request is looked at: its bytes and, where it is ``traced``, its queries.

    Each request has a connection of its own, so that all that was counted there belongs to it.
    """

    plain_pool, tls_pool = TappedPool, TappedTLSPool

    def __init__(self, base_url: str, *, timeout_s: float, traced: bool) -> None:
        """A line to ``base_url``."""
        super().__init__(base_url, timeout_s=timeout_s, keep=False)
        self.traced = traced

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, bytes]:
        """As every line does, and keep what it took in ``exchange``."""
        self.exchange = None
        response = self.request(
            method, path, body=body, headers={**headers, **(TRACE if self.traced else {})}
        )
        answer = response.read()
        tap = self._connection_pool.tap
        self.exchange = Exchange(
            request_bytes=tap.sent_bytes,
            response_bytes=tap.received_bytes,
            queries=count_in(response.get(QUERY_COUNT)),
            traced=self.traced,
        )
        return response.status_code, answer


def failure_of(error: BaseException) -> Failure:
    """The failure that one of ``BREAKS`` means."""
    if isinstance(error, gevent.Timeout | TimeoutError):
        return Failure(Kind.TIMEOUT, "no whole answer in time")
    if isinstance(error, ConnectionRefusedError):
        return Failure(Kind.REFUSED, "connection refused")
    if isinstance(error, ConnectionError | HTTPConnectionClosed) or str(error).startswith(CUT_SHORT):
        return Failure(Kind.RESET, "connection closed by the server before its answer was complete")
    if isinstance(error, HTTPParseError):
        return Failure(Kind.CONTENT, f"not HTTP: {error.args[0]}")
    return Failure(Kind.OTHER, f"{type(error).__name__}: {error}")
