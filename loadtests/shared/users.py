"""Who asks: a visitor without a token, and a member with one."""

from __future__ import annotations

import itertools
import json
import os
import random
import time

from gevent import GreenletExit, Timeout, sleep
from locust import FastHttpUser
from locust.env import Environment

from shared.answers import Expected, Kind
from shared.arrivals import Due
from shared.clock import now_s
from shared.line import BREAKS, InspectedLine, Line, failure_of
from shared.settings import Settings
from shared.trial import READY, UNABLE
from shared.turns import STAGE, Alarm, turns_of

SETTINGS = Settings.read(os.environ)
PASSWORD = "lab-password"  # noqa: S105 - of the seeded users, in every copy of the lab
MEMBERS = 10
TOKEN_LIFE_S = 300  # half of the ten minutes for which the app's tokens are valid
TOKEN_RETRY_S = 5
TOKEN_ATTEMPTS = 5
TOKENS = Expected(start=b"{", part=b'"access"')
HEADERS = {"User-Agent": "serverlab", "Accept": "application/json", "Accept-Encoding": "identity"}
JSON = {"Content-Type": "application/json"}


class SetupFailedError(RuntimeError):
    """A user could not get ready, so that there is nothing to measure."""


class Visitor(FastHttpUser):
    """Asks without a token, over one kept-alive connection.

    Answers are asked for as they are (``Accept-Encoding: identity``), redirects are not followed, cookies not kept.
    The time-out bounds the whole exchange: connect, send and the last byte of the answer. Where the arrival is open,
    the first request of a task counts from when it was due.
    """

    abstract = True
    stage = STAGE
    arrival: Due | None = None
    concurrency = 1
    connection_timeout = network_timeout = SETTINGS.timeout_s
    default_headers = HEADERS
    keep_alive = True
    think_s = 0.0
    _numbers = itertools.count()

    def __init__(self, environment: Environment) -> None:
        """A user with a number of its own, counted from 0, from which its random choices follow."""
        super().__init__(environment)
        self.number = next(Visitor._numbers)
        self.choose = random.Random(self.number)
        self.headers = HEADERS if self.keep_alive else HEADERS | {"Connection": "close"}
        self.line = self._new_line()
        self.alarm = Alarm()
        if SETTINGS.think_s is not None:
            self.think_s = SETTINGS.think_s

    def on_start(self) -> None:
        """Get ready and tell the trial, or tell it why not and leave."""
        try:
            self.prepare()
        except SetupFailedError as reason:
            UNABLE.fire(reason=str(reason))
            raise GreenletExit from None
        if self.number == 0 and self.environment.parsed_options.headless:
            self._inspect()
        self._taskset_instance = turns_of(self)
        READY.fire(user=self)

    def on_stop(self) -> None:
        """Give back what is not closed by itself."""
        self.alarm.close()

    def prepare(self) -> None:
        """What must have been done before the warm-up begins; nothing by default."""

    def rehearse(self) -> None:
        """Send each distinct request of the workload once, so that it can be inspected; by default each task is one."""
        for task in dict.fromkeys(self.tasks):
            task(self)

    def _inspect(self) -> None:
        """Show the trial each request twice: as it is, for its bytes, then traced, for its queries."""
        kept = self.line
        for traced in (False, True):
            self.line = InspectedLine(self.host, timeout_s=SETTINGS.timeout_s, traced=traced)
            self.rehearse()
        self.line = kept

    def wait_time(self) -> float:
        """Seconds between an answer and the next request."""
        return self.think_s

    def ask(
        self,
        method: str,
        path: str,
        *,
        expect: Expected,
        name: str | None = None,
        content: object = None,
        counted: bool = True,
    ) -> bytes | None:
        """Send one request, tell Locust what came of it, and return the body, or None when it failed.

        ``name`` is what it is counted under, instead of method and path; ``content`` is sent as JSON.
        """
        body = None if content is None else json.dumps(content).encode()
        headers = self.headers if body is None else self.headers | JSON
        answer, failure = b"", None
        arrival, self.arrival = (self.arrival, None) if counted else (None, self.arrival)
        sent_s = now_s()
        if arrival is not None:
            self.stage.arrivals.note_sent(arrival, sent_s)
        try:
            with Timeout(SETTINGS.timeout_s):
                status, answer = self.line.ask(method, path, headers=headers, body=body)
        except BREAKS as error:
            failure = failure_of(error)
        start_s = sent_s if arrival is None else arrival.due_s
        latency_ms = (now_s() - start_s) * 1000
        if failure is None:
            failure = expect.failure(status, answer)
        elif failure.kind is Kind.TIMEOUT:
            self.line = self._new_line()  # a time-out while sending leaves the old one occupied
        self.environment.events.request.fire(
            request_type=method,
            name=name or path,
            response_time=latency_ms,
            response_length=len(answer),
            exception=failure,
            start_time=start_s,
            context={"counted": counted, "exchange": self.line.exchange},
        )
        return None if failure else answer

    def _new_line(self) -> Line:
        return Line(self.host, timeout_s=SETTINGS.timeout_s, keep=self.keep_alive)


def username_of(visitor: Visitor) -> str:
    """The seeded user that the visitor signs in as."""
    return f"user{visitor.number % MEMBERS + 1:02d}"


class Member(Visitor):
    """Asks with the access token of one of the seeded users, got before the trial and renewed long before it ends.

    ``way`` is the way of signing in that hands it out: jwt or plain.
    """

    abstract = True
    way = "jwt"

    def prepare(self) -> None:
        """Log in; a server that is busy starting is asked again.

        Raises:
            SetupFailedError: no token after several attempts.
        """
        self.username = username_of(self)
        for _ in range(TOKEN_ATTEMPTS):
            if self.obtain_token(counted=False):
                return
            sleep(0.5)
        raise SetupFailedError(
            f"no token for {self.username} from {self.host} after {TOKEN_ATTEMPTS} attempts"
        )

    def ask(self, method: str, path: str, **options: object) -> bytes | None:
        """As a visitor's, with a token that is fresh enough."""
        if time.monotonic() > self.renew_at:
            self.obtain_token(counted=False)
        return super().ask(method, path, **options)

    def obtain_token(self, *, counted: bool) -> bool:
        """Whether username and password were exchanged for tokens, which are used from then on."""
        content = {"username": self.username, "password": PASSWORD}
        return self._take_tokens(f"/api/auth/{self.way}/login/", content, counted=counted)

    def refresh_token(self) -> bool:
        """Whether the refresh token was exchanged for new tokens, which are used from then on."""
        return self._take_tokens(f"/api/auth/{self.way}/refresh/", {"refresh": self.refresh}, counted=True)

    def _take_tokens(self, path: str, content: dict[str, str], *, counted: bool) -> bool:
        self.renew_at = time.monotonic() + TOKEN_RETRY_S
        body = super().ask("POST", path, expect=TOKENS, content=content, counted=counted)
        if body is None:
            return False
        tokens = json.loads(body)
        self.refresh = tokens["refresh"]
        self.headers = self.headers | {"Authorization": f"Bearer {tokens['access']}"}
        self.renew_at = time.monotonic() + TOKEN_LIFE_S
        return True
