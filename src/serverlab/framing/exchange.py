"""One connection: the bytes as they are, and what comes back until it is over or nothing more is to be expected."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from serverlab.framing.replies import Reply, replies

PATIENCE_S = 2.0
"""How long nothing at all may happen before a server counts as silent."""

LINGER_S = 0.1
"""How long what nobody asked for is waited for, after all answers are there."""

CLOSING_S = 0.5
"""How long a server that has refused, or says that it closes, may take to do so."""

LONGEST_S = 15.0
MOST_BYTES = 4 << 20
"""What is read of the answers at most."""


@dataclass(frozen=True)
class Received:
    """What came back: all of it in ``data``; ``closed`` if the other side ended the connection by itself."""

    data: bytes
    closed: bool
    sent_bytes: int

    @property
    def replies(self) -> list[Reply]:
        """The answers."""
        return replies(self.data, closed=True)


class Exchange:
    """A connection on which ``pieces`` are sent as fast as they are taken, while answers are read.

    It ends when the other side closes; when ``answers`` answers are there and nothing follows; when nothing happens for
    PATIENCE_S. ``ends``: after such a silence the lab ends its own half, as a client that has gone does, and goes on
    listening once.
    """

    def __init__(
        self, address: tuple[str, int], pieces: Iterable[bytes], *, answers: int, ends: bool = False
    ) -> None:
        """Nothing is sent yet."""
        self._address, self._pieces, self._answers, self._ends = address, iter(pieces), answers, ends
        self._data, self._pending = b"", b""
        self._sent_bytes = 0
        self._closed, self._all_sent = False, False

    def run(self) -> Received:
        """Send and read.

        Raises:
            OSError: nobody takes the connection.
        """
        with socket.create_connection(self._address, timeout=PATIENCE_S) as link:
            link.settimeout(0.0)
            give_up = time.monotonic() + LONGEST_S
            while not self._closed and time.monotonic() < give_up:
                if self._step(link) or self._half_closed(link):
                    continue
                break
        return Received(data=self._data, closed=self._closed, sent_bytes=self._sent_bytes)

    def _step(self, link: socket.socket) -> bool:
        """Send what is taken and read what is there; false if nothing happened for as long as it might have."""
        self._next_piece()
        writers = [link] if self._pending else []
        can_read, can_write, _ = select.select([link], writers, [], self._wait_s())
        if can_write and not self._send(link):
            self._pending, self._all_sent, self._pieces = b"", True, iter(())
        if can_read:
            self._read(link)
        return bool(can_read or can_write)

    def _wait_s(self) -> float:
        if self._pending:
            return PATIENCE_S
        found = replies(self._data, closed=False)
        if len(found) >= self._answers:
            return CLOSING_S if found[-1].ends else LINGER_S
        return CLOSING_S if found and (found[-1].ends or found[-1].status >= 400) else PATIENCE_S

    def _next_piece(self) -> None:
        if not self._pending and not self._all_sent:
            self._pending = next(self._pieces, b"")
            self._all_sent = not self._pending

    def _send(self, link: socket.socket) -> bool:
        """Send some; false if the other side takes no more, which its answer may explain."""
        try:
            count = link.send(self._pending)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._sent_bytes += count
        self._pending = self._pending[count:]
        return True

    def _read(self, link: socket.socket) -> None:
        try:
            more = link.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        self._data += more
        self._closed = not more or len(self._data) > MOST_BYTES

    def _half_closed(self, link: socket.socket) -> bool:
        """End our half, if that is still to be done."""
        if not self._ends or replies(self._data, closed=False):
            return False
        self._ends = False
        try:
            link.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return True


def exchange(
    address: tuple[str, int], pieces: Iterable[bytes], *, answers: int, ends: bool = False
) -> Received:
    """What comes back for these bytes; see Exchange.

    Raises:
        OSError: nobody takes the connection.
    """
    return Exchange(address, pieces, answers=answers, ends=ends).run()


def repeated(head: bytes, piece: bytes, *, total_bytes: int) -> Iterator[bytes]:
    """A head, and a piece again and again until so many bytes of it have been given."""
    yield head
    for _ in range(total_bytes // len(piece)):
        yield piece
