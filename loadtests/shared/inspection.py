"""What one request costs on the wire and in queries, seen before anything is measured.

Free of Locust and of sockets of its own, so that it can be tested by feeding it what it would see.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TRACE = {"X-Lab-Trace": "on"}
"""What makes the app count the queries of a request."""
QUERY_COUNT = "X-Query-Count"


@dataclass(slots=True)
class Tap:
    """Counts the bytes that go through a connection; everything else is left to the socket."""

    socket: Any
    sent_bytes: int = 0
    received_bytes: int = 0

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(data)
        self.sent_bytes += len(data)

    def recv(self, size: int) -> bytes:
        """What has come, at most ``size`` bytes."""
        data: bytes = self.socket.recv(size)
        self.received_bytes += len(data)
        return data

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a socket has
        """Whatever else is asked of a socket."""
        return getattr(self.socket, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer, line, headers and body; ``queries`` is None where the app told no number.

    A ``traced`` one has more headers than the same request has otherwise.
    """

    request_bytes: int
    response_bytes: int
    queries: int | None
    traced: bool


@dataclass(slots=True)
class Inspections:
    """The first exchange of each name: asked plainly for its bytes, and traced for its queries."""

    _plain: dict[str, Exchange] = field(default_factory=dict)
    _traced: dict[str, Exchange] = field(default_factory=dict)

    def note(self, name: str, exchange: Exchange) -> None:
        """Keep what was seen, unless there is something of that name already."""
        (self._traced if exchange.traced else self._plain).setdefault(name, exchange)

    def summary(self) -> dict[str, dict[str, int | None]]:
        """Bytes and queries by name, in the shape of the ``result`` event."""
        return {
            name: {
                "request_bytes": plain.request_bytes,
                "response_bytes": plain.response_bytes,
                "queries": self._traced[name].queries if name in self._traced else None,
            }
            for name, plain in sorted(self._plain.items())
        }


def count_in(stated: str | None) -> int | None:
    """The number that a header states; None without the header, or where it is no number."""
    return int(stated) if stated and stated.isascii() and stated.isdecimal() else None
