"""Clients that each ask once and wait for the answer, while the stack that they ask is broken."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from serverlab.faults.fault import NotEffective

STARTED_WITHIN_S = 2.0
BROKEN = (OSError, http.client.HTTPException)
UNAVAILABLE = 503


class SoFar(NamedTuple):
    """What has come of a request: the answer's status, None where there is none, and whether anything can come yet.

    ``after_s`` is when the answer came or the connection ended, or for how long nothing has. ``from_app``: the answer
    says when to ask again, which is the app's own word for what does not answer it (app/config/errors.py).
    """

    status: int | None
    after_s: float
    ended: bool
    from_app: bool = False


class Caller:
    """A GET on a connection and a thread of its own; ``failure`` names what it ended by in the place of an answer."""

    def __init__(self, url: str, path: str, *, timeout_s: float) -> None:
        """Ask nothing yet; ``timeout_s`` is its patience."""
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
        self._path = path
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._sent = threading.Event()
        self._socket: socket.socket | None = None
        self._began_s = 0.0
        self._ended_s: float | None = None
        self._from_app = False
        self.port: int | None = None
        self.status: int | None = None
        self.failure: str | None = None

    def start(self) -> None:
        """Send it."""
        self._began_s = time.monotonic()
        self._thread.start()

    def is_sent(self, *, within_s: float) -> bool:
        """Whether it has been sent in time."""
        return self._sent.wait(max(0.0, within_s))

    def is_pending(self) -> bool:
        """Whether it has neither an answer nor failed."""
        return self._thread.is_alive()

    def join(self, *, within_s: float) -> None:
        """Wait until it is pending no more, or the time is up."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, within_s))

    def let_go(self) -> None:
        """Break the connection off: who waits for the answer waits no longer."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def so_far(self) -> SoFar:
        """What has come of it up to now."""
        ended_s = self._ended_s  # it is set last
        until_s = time.monotonic() if ended_s is None else ended_s
        return SoFar(self.status, until_s - self._began_s, ended_s is not None, self._from_app)

    def _ask(self) -> None:
        try:
            self._connection.request("GET", self._path, headers={"Connection": "close"})
            self._socket = self._connection.sock
            self.port = self._connection.sock.getsockname()[1]
            self._sent.set()
            answer = self._connection.getresponse()
            answer.read()
            self._from_app = answer.status == UNAVAILABLE and answer.getheader("Retry-After") is not None
            self.status = answer.status
        except BROKEN as broken:
            self.failure = type(broken).__name__
        finally:
            self._ended_s = time.monotonic()
            self._connection.close()


class Callers:
    """So many callers for one path."""

    def __init__(self, url: str, path: str, *, count: int, timeout_s: float) -> None:
        """Ask nothing yet; ``timeout_s`` is each one's patience."""
        self._path = path
        self._each = [Caller(url, path, timeout_s=timeout_s) for _ in range(count)]
        self.count = count

    @property
    def ports(self) -> list[int]:
        """Those of our side, of all that were sent."""
        return [each.port for each in self._each if each.port is not None]

    @property
    def statuses(self) -> list[int]:
        """Those of the answers."""
        return [each.status for each in self._each if each.status is not None]

    @property
    def failures(self) -> list[str]:
        """What those have ended by that have no answer."""
        return [each.failure for each in self._each if each.failure is not None]

    def start(self) -> None:
        """Send all requests.

        Raises:
            NotEffective: not all could be sent.
        """
        for each in self._each:
            each.start()
        left_s = _countdown(STARTED_WITHIN_S)
        if not all(each.is_sent(within_s=left_s()) for each in self._each):
            raise NotEffective(f"not all of {self.count} requests for {self._path} could be sent")

    def pending(self) -> int:
        """How many have neither an answer nor failed."""
        return sum(each.is_pending() for each in self._each)

    def join(self, *, within_s: float) -> int:
        """Wait for those that are pending and return how many still are when the time is up."""
        left_s = _countdown(within_s)
        for each in self._each:
            each.join(within_s=left_s())
        return self.pending()

    def let_go(self) -> None:
        """Break all connections off."""
        for each in self._each:
            each.let_go()


def _countdown(within_s: float) -> Callable[[], float]:
    """What is left of the time, whenever it is asked."""
    give_up_s = time.monotonic() + within_s
    return lambda: give_up_s - time.monotonic()
