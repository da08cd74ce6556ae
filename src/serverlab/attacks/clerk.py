"""Changes rows in an app's SQLite behind its back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from docker.utils.socket import frames_iter

from serverlab.compose import Container

PYTHON = "/venv/bin/python"
SQL = """
import contextlib, json, sqlite3, sys
for line in sys.stdin:
    try:
        with contextlib.closing(sqlite3.connect("/data/db.sqlite3", timeout=20)) as database, database:
            found = {"rows": database.execute(*json.loads(line)).fetchall()}
    except sqlite3.Error as refused:
        found = {"refused": f"{type(refused).__name__}: {refused}"}
    print(json.dumps(found), flush=True)
"""
"""Does one statement after the other, each a line [text, values] in JSON, and answers each with a line."""


class Clerk:
    """A process in the app's container that does statements: to start one for each would take longer than they do."""

    def __init__(self, container: Container) -> None:
        """Start when the first statement is to be done; the process ends with its container."""
        self._container = container
        self._lock = threading.Lock()

    @cached_property
    def _talk(self) -> tuple[Any, Iterator[bytes]]:
        """The connection to the process, and the lines that it prints."""
        api = self._container.client.api
        made = api.exec_create(self._container.id, [PYTHON, "-I", "-S", "-u", "-c", SQL], stdin=True)
        link = api.exec_start(made["Id"], socket=True)
        return link, _lines(chunk for _, chunk in frames_iter(link, tty=False))

    def close(self) -> None:
        """Let go of the process, if there is one."""
        if "_talk" in vars(self):
            link, _ = vars(self).pop("_talk")
            link._response.close()  # noqa: SLF001 - docker-py leaves it to the garbage collector
            link.close()

    def do(self, statement: str, values: Sequence[str | int | None]) -> list[list[object]]:
        """The rows that the statement gives.

        Raises:
            OSError: it was refused, or the process is gone.
        """
        with self._lock:
            link, lines = self._talk
            link._sock.sendall(json.dumps([statement, values]).encode() + b"\n")  # noqa: SLF001 - docker-py's is for reading
            answer = next(lines, b"")
        if not answer:
            raise OSError("what does statements in the app's container is gone")
        try:
            found: dict[str, Any] = json.loads(answer)
        except ValueError:
            raise OSError(answer.decode(errors="replace")[-200:]) from None
        if "refused" in found:
            raise OSError(found["refused"])
        rows: list[list[object]] = found["rows"]
        return rows


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
