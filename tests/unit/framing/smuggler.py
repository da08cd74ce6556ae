"""A server that does nothing but what a test plants in it, and keeps a record as the app does."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.fake_engine import ExecResult

MARKER = re.compile(rb"marker=([0-9a-f]+-\w+)")


@dataclass
class Planted:
    """Its ``framing`` says how long a body is, from the head; None refuses. ``rows`` are those of the app's table."""

    framing: Callable[[bytes], int | None]
    rows: list[list[object]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, link: socket.socket) -> None:
        """Answer all requests of a connection."""
        link.settimeout(5)
        rest = b""
        with link:
            while True:
                while b"\r\n\r\n" not in rest:
                    if not (more := link.recv(65_536)):
                        return
                    rest += more
                head, _, rest = rest.partition(b"\r\n\r\n")
                size = self.framing(head)
                if size is None:
                    link.sendall(
                        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                    )
                    return
                body, rest = rest[:size], rest[size:]
                link.sendall(self._answered(head, body))
                if b"Connection: close" in head:
                    return

    def _answered(self, head: bytes, body: bytes) -> bytes:
        found = MARKER.search(head)
        marker = found[1].decode() if found else None
        if marker:
            with self.lock:
                path = head.split(b" ")[1].decode("latin-1")
                self.rows.append([len(self.rows) + 1, marker, "GET", path, len(body), ""])
        document = json.dumps({"marker": marker, "body_bytes": len(body), "headers": {}}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(document), document)


def by_length(head: bytes) -> int | None:
    """Go by Content-Length alone, as if nobody had ever thought of Transfer-Encoding."""
    found = re.search(rb"\r\nContent-Length: (\d+)", head)
    return int(found[1]) if found else 0


def careful(head: bytes) -> int | None:
    """Refuse whatever is odd."""
    lengths = re.findall(rb"\r\nContent-Length[^:]*: *(\S*)", head)
    if (
        b"Transfer-Encoding" in head
        or len(lengths) > 1
        or b"\r\nContent-Length" in head.replace(b"\r\nContent-Length: ", b"")
    ):
        return None
    return int(lengths[0]) if lengths and lengths[0].isdigit() else None if lengths else 0


def told(rows: Sequence[Sequence[object]], argv: Sequence[str]) -> ExecResult:
    """What an app that is quiet prints when it is asked for these rows as `serverlab.framing.record` does."""
    *_, awaited, _quiet_s, _most_s, last = argv
    later = [row for row in rows if int(str(row[0])) > int(last)]
    return ExecResult(0, json.dumps([any(row[1] == awaited for row in later), later]).encode())


@contextmanager
def serving(planted: Planted) -> Iterator[int]:
    """The port of the server while the block runs."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        server.settimeout(0.1)
        done = threading.Event()

        def accept() -> None:
            while not done.is_set():
                try:
                    link, _ = server.accept()
                except TimeoutError:
                    continue
                threading.Thread(target=_served, args=(planted, link), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join(5)


def _served(planted: Planted, link: socket.socket) -> None:
    try:
        planted.serve(link)
    except OSError:
        return
