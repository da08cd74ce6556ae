"""The answers in what a connection brought, one after the other (RFC 9112, sections 6 and 7)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

STATUS_LINE = re.compile(rb"HTTP/\d\.\d (\d{3})")
NO_BODY = (204, 304)


@dataclass(frozen=True)
class Reply:
    """One final answer: status 0 without a status line, as HTTP/0.9 has it; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object that the body is; empty if it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def ends(self) -> bool:
        """Whether it says that nothing will follow on this connection."""
        return self.status in (0, 101) or "close" in self.headers.get("connection", "").lower()


def replies(received: bytes, *, closed: bool) -> list[Reply]:
    """Every whole answer; of one that only the end of the connection ends, once it is ``closed``."""
    return list(_split(received, closed=closed))


def _split(rest: bytes, *, closed: bool) -> Iterator[Reply]:
    while rest:
        found = STATUS_LINE.match(rest)
        if not found:
            if closed:
                yield Reply(0, {}, rest)
            return
        head, blank, after = rest.partition(b"\r\n\r\n")
        if not blank:
            return
        status, headers = int(found[1]), _headers(head)
        if 100 <= status < 200 and status != 101:
            rest = after
            continue
        framed = _body(after, status, headers, closed=closed)
        if framed is None:
            return
        body, rest = framed
        yield Reply(status, headers, body)


def _headers(head: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _body(
    after: bytes, status: int, headers: Mapping[str, str], *, closed: bool
) -> tuple[bytes, bytes] | None:
    """The body and what follows it; None while it is not whole."""
    if status in NO_BODY or status == 101:
        return b"", after
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _joined(after)
    length = headers.get("content-length", "")
    if length.isdecimal():
        return (after[: int(length)], after[int(length) :]) if len(after) >= int(length) else None
    return (after, b"") if closed else None


def _joined(after: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        size, line_end, rest = after.partition(b"\r\n")
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError:
            return None
        if not line_end or len(rest) < length + 2:
            return None
        if not length:
            return body, rest[2:]
        body, after = body + rest[:length], rest[length + 2 :]
