"""Requests byte by byte, for what no client library would send."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
ENOUGH_BYTES = 1 << 20


@dataclass(frozen=True)
class Reply:
    """What came back: status 0 if the connection was closed without an answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def send(url: str, request: bytes) -> Reply:
    """Send the bytes to the host and port of ``url`` and read until the other side closes, or says no more."""
    at = urlsplit(url)
    found = b""
    with socket.create_connection((at.hostname or "", at.port or 80), timeout=TIMEOUT_S) as connection:
        try:
            connection.sendall(request)
            while len(found) < ENOUGH_BYTES and (more := connection.recv(65_536)):
                found += more
        except (ConnectionError, TimeoutError):
            pass
    return reply(found)


def get(url: str, path: str, *lines: str) -> Reply:
    """Ask for a path exactly as it is, with exactly these header lines, on a connection that ends afterwards."""
    head = "\r\n".join((f"GET {path} HTTP/1.1", *lines, "Connection: close", "", ""))
    return send(url, head.encode("latin-1"))


def reply(received: bytes) -> Reply:
    """The answer in what was received."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    status = re.match(r"HTTP/1\.[01] (\d{3})", first)
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    return Reply(
        status=int(status[1]) if status else 0, headers=headers, body=_joined(body) if chunked else body
    )


def _joined(chunks: bytes) -> bytes:
    """The body that came in chunks (RFC 9112, 7.1), as far as it came."""
    size, _, rest = chunks.partition(b"\r\n")
    try:
        length = int(size.split(b";")[0], 16)
    except ValueError:
        return b""
    return rest[:length] + _joined(rest[length + 2 :]) if length else b""
