"""One request that has more patience than anything that it is answered by."""

from __future__ import annotations

import http.client
import threading
import time
from urllib.parse import urlsplit

BROKEN = (OSError, http.client.HTTPException)


class Waiting:
    """A GET that is on its way in a thread of its own."""

    def __init__(self, url: str, path: str, *, timeout_s: float) -> None:
        """Send it."""
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
        self._path = path
        self._status: int | None = None
        self._began = time.monotonic()
        self._ended: float | None = None
        threading.Thread(target=self._ask, daemon=True).start()

    def so_far(self) -> tuple[int | None, float]:
        """The answer's status and after how many seconds it (or the end of the connection) came.

        None while there is no answer, and when there will be none; the seconds then are those until now, or the end.
        """
        ended = self._ended
        return self._status, (time.monotonic() if ended is None else ended) - self._began

    def _ask(self) -> None:
        try:
            self._connection.request("GET", self._path, headers={"Connection": "close"})
            answer = self._connection.getresponse()
            answer.read()
            self._status = answer.status
        except BROKEN:
            self._status = None
        finally:
            self._ended = time.monotonic()
            self._connection.close()
