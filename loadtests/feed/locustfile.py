"""One writer, and subscribers who hear of each write over a WebSocket."""

import itertools
import json
import uuid

from locust import task
from websocket import WebSocketTimeoutException

from shared.answers import Expected, Failure
from shared.clock import now_s
from shared.sockets import BREAKS, Subscriber, failure_of
from shared.users import SETTINGS, Member

CREATED = Expected(status=201, start=b'{"id":', part=b'"isbn"')
UPDATED = Expected(start=b'{"id":', part=b'"isbn"')
LISTEN_S = 0.5
NEVER = failure_of(WebSocketTimeoutException())
LISTENERS: "list[Listener]" = []


class Writer(Member):
    """Creates a book, updates it, creates the next; every listener has to hear of each."""

    fixed_count = 1
    _isbns = itertools.count(int(now_s()) % 1_000_000 * 10_000)
    book_id: int | None = None

    @task
    def write(self) -> None:
        """One write, whose Idempotency-Key comes back in the message about it."""
        key = uuid.uuid4().hex
        self.headers = self.headers | {"Idempotency-Key": key}
        hearing = list(LISTENERS)
        for listener in hearing:
            listener.awaited[key] = now_s()
        written = False
        try:
            written = self._written()
        finally:  # also where Locust ends the user amidst its write
            if not written:
                for listener in hearing:
                    listener.awaited.pop(key, None)

    def _written(self) -> bool:
        if self.book_id is None:
            body = self.ask("POST", "/api/books/", content=self._new_book(), expect=CREATED)
            self.book_id = json.loads(body)["id"] if body else None
        else:
            path, change = f"/api/books/{self.book_id}/", {"pages": self.choose.randint(1, 999)}
            body = self.ask("PATCH", path, name="/api/books/N/", content=change, expect=UPDATED)
            self.book_id = None
        return body is not None

    def _new_book(self) -> dict[str, object]:
        return {
            "title": "Load and Learn",
            "isbn": f"978{next(self._isbns) % 10**10:010d}",
            "published": "2026-01-31",
            "pages": 200,
            "author_id": 1,
            "publisher_ids": [1],
        }


class Newcomer(Subscriber):
    """Comes and goes, so that it is seen how long that takes while messages flow."""

    fixed_count = 1

    @task
    def come_again(self) -> None:
        """Close the socket and open another."""
        self.leave()
        self.connect(counted=True)


class Listener(Subscriber):
    """Stays, and counts for each write the time from its sending to the arrival of its message as ``WS change``."""

    think_s = 0.0

    def prepare(self) -> None:
        """Connect, and be among those who have to hear of every write from now on."""
        self.awaited: dict[str, float] = {}
        super().prepare()
        LISTENERS.append(self)

    def wait_time(self) -> float:
        """No pause: listening is waiting."""
        return 0.0

    @task
    def listen(self) -> None:
        """Wait for a message."""
        try:
            self._hear_one(LISTEN_S)
        except WebSocketTimeoutException:
            pass  # silence
        except BREAKS as error:
            self._give_up(older_than_s=0, failure=failure_of(error))
            self.lost(error, name="change", start_s=now_s())
        self._give_up(older_than_s=SETTINGS.timeout_s)

    def on_stop(self) -> None:
        """Hear of what was still on its way; what has not come in time never came."""
        deadline = now_s() + SETTINGS.timeout_s
        try:
            while self.awaited and (left_s := deadline - now_s()) > 0:
                self._hear_one(left_s)
        except BREAKS as error:
            self._give_up(older_than_s=0, failure=failure_of(error))
        self._give_up(older_than_s=0)
        super().on_stop()

    def _hear_one(self, wait_s: float) -> None:
        token = self.hear(wait_s).get("token") or ""
        self._give_up(older_than_s=SETTINGS.timeout_s)  # what comes later than that has not come
        sent_s = self.awaited.pop(token, None)
        if sent_s is not None:
            self.tell("change", start_s=sent_s)

    def _give_up(self, *, older_than_s: float, failure: Failure = NEVER) -> None:
        """Count what is awaited for so long as failed; nobody waits for longer than the time-out."""
        moment_s = now_s()
        for key in [key for key, sent_s in self.awaited.items() if moment_s - sent_s >= older_than_s]:
            sent_s = self.awaited.pop(key)
            took_s = min(moment_s - sent_s, SETTINGS.timeout_s)
            self.tell("change", start_s=sent_s, took_s=took_s, failure=failure)
