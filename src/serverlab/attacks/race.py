"""Requests that arrive at the same moment: all are sent but for their last byte, then the last bytes follow at once."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Reply:
    """Status and JSON of an answer; 0 and nothing where the connection was closed without one."""

    status: int
    document: Mapping[str, Any]


def together(url: str, requests: Sequence[bytes]) -> list[Reply]:
    """What each of the requests is answered, which reach the stack in parallel on connections of their own."""
    with ExitStack() as opened:
        connections = [opened.enter_context(connected(url)) for _ in requests]
        for connection, request in zip(connections, requests, strict=True):
            connection.sendall(request[:-1])
        for connection, request in zip(connections, requests, strict=True):
            connection.sendall(request[-1:])
        # all are read at once: a server may wait, in the one thread that closes, until its client has gone
        with ThreadPoolExecutor(max_workers=len(connections)) as readers:
            return list(readers.map(reply, connections))


def connected(url: str) -> socket.socket:
    """A connection to where the stack answers."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 80), timeout=PATIENCE_S)


def post(
    url: str, path: str, document: Mapping[str, object], *, headers: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of a POST of JSON whose answer ends the connection."""
    body = json.dumps(document).encode()
    lines = {
        "Host": urlsplit(url).netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def reply(connection: socket.socket) -> Reply:
    """Read the answer to its end, and close the connection."""
    raw = b""
    try:
        with connection:
            while chunk := connection.recv(65536):
                raw += chunk
    except ConnectionError:
        return Reply(0, {})
    head, _, body = raw.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/"):
        return Reply(0, {})
    return Reply(int(head.split()[1]), _object(head, body))


def _object(head: bytes, body: bytes) -> dict[str, Any]:
    if b"transfer-encoding: chunked" in head.lower():
        body = _unchunked(body)
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        whole, body = whole + rest[:length], rest[length + 2 :] if length else b""
    return whole
