"""A program in a container that answers one question after the other: to start it for each would take longer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from docker.utils.socket import STDOUT, frames_iter

from serverlab.compose import Container

TAIL = 300
"""How much of what a program says is told, in bytes."""


class Talk:
    """A process in a container that reads questions, each a line of JSON, and answers each with such a line."""

    def __init__(self, container: Container, argv: Sequence[str]) -> None:
        """Start when the first question is to be put; the process ends with its container."""
        self._container, self._argv = container, list(argv)
        self._lock = threading.Lock()
        self._complaint = b""

    @cached_property
    def _link(self) -> tuple[Any, Iterator[bytes]]:
        """The connection to the process, and the lines that it prints."""
        api = self._container.client.api
        made = api.exec_create(self._container.id, self._argv, stdin=True)
        link = api.exec_start(made["Id"], socket=True)
        return link, _lines(self._printed(frames_iter(link, tty=False)))

    def _printed(self, frames: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
        """What comes by its standard output; the end of what it complains of is kept."""
        for stream, chunk in frames:
            if stream == STDOUT:
                yield chunk
            else:
                self._complaint = (self._complaint + chunk)[-TAIL:]

    def close(self) -> None:
        """Let go of the process, if there is one."""
        if "_link" in vars(self):
            link, _ = vars(self).pop("_link")
            link._response.close()  # noqa: SLF001 - docker-py leaves it to the garbage collector
            link.close()

    def ask(self, question: object) -> Any:  # noqa: ANN401 - what JSON can be
        """The answer; who asks meanwhile waits for it.

        Raises:
            OSError: the process is gone, or says something else, which is told.
        """
        with self._lock:
            link, lines = self._link
            link._sock.sendall(json.dumps(question).encode() + b"\n")  # noqa: SLF001 - docker-py's is for reading
            answer = next(lines, b"")
        if not answer:
            complaint = self._complaint.decode(errors="replace").strip()
            raise OSError(f"the program in the container that was asked is gone: {complaint}")
        try:
            return json.loads(answer)
        except ValueError:
            raise OSError(answer.decode(errors="replace")[-TAIL:]) from None


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
