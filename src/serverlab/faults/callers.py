"""Clients that each ask once and wait for the answer, while the stack that they ask is broken."""

from __future__ import annotations

import http.client
import threading
import time
from urllib.parse import urlsplit

from serverlab.faults.fault import NotEffective

STARTED_WITHIN_S = 2.0
BROKEN = (OSError, http.client.HTTPException)


class Callers:
    """Requests for one path, each on a connection and a thread of its own; ``ports`` are those of our side."""

    def __init__(self, url: str, path: str, *, count: int, timeout_s: float) -> None:
        """Ask nothing yet; ``timeout_s`` is each one's patience."""
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._path, self._timeout_s = path, timeout_s
        self._sent = [threading.Event() for _ in range(count)]
        self._threads = [threading.Thread(target=self._ask, args=(sent,), daemon=True) for sent in self._sent]
        self.count = count
        self.ports: list[int] = []
        self.statuses: list[int] = []
        self.failures: list[str] = []

    def start(self) -> None:
        """Send all requests.

        Raises:
            NotEffective: not all could be sent.
        """
        for thread in self._threads:
            thread.start()
        give_up = time.monotonic() + STARTED_WITHIN_S
        if not all(sent.wait(max(0.0, give_up - time.monotonic())) for sent in self._sent):
            raise NotEffective(f"not all of {len(self._sent)} requests for {self._path} could be sent")

    def pending(self) -> int:
        """How many have neither an answer nor failed."""
        return sum(thread.is_alive() for thread in self._threads)

    def join(self, *, within_s: float) -> int:
        """Wait for those that are pending and return how many still are when the time is up."""
        give_up = time.monotonic() + within_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, give_up - time.monotonic()))
        return self.pending()

    def _ask(self, sent: threading.Event) -> None:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request("GET", self._path, headers={"Connection": "close"})
            self.ports.append(connection.sock.getsockname()[1])
            sent.set()
            answer = connection.getresponse()
            answer.read()
            self.statuses.append(answer.status)
        except BROKEN as broken:
            self.failures.append(type(broken).__name__)
        finally:
            connection.close()
