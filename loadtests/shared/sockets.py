"""A user's WebSocket to the live feed, opened with a ticket; what happens on it is counted as requests of type WS."""

from __future__ import annotations

import json
import ssl
import struct
from typing import Any

from gevent import Timeout
from gevent.lock import BoundedSemaphore
from websocket import (
    ABNF,
    WebSocket,
    WebSocketBadStatusException,
    WebSocketException,
    WebSocketTimeoutException,
    create_connection,
)

from shared.answers import Expected, Failure, Kind
from shared.clock import now_s
from shared.users import SETTINGS, Member, SetupFailedError

FEED = "/ws/feed/"
PROTOCOL = "serverlab.feed.v1"
TICKET = Expected(status=201, start=b'{"ticket":')
CREDENTIAL_ENDED = 4401
GOODBYE_S = 1.0
OPENING = BoundedSemaphore(8)
"""So many log in and connect at once before the trial: of hundreds the last would be given up while it waits."""

BREAKS = (WebSocketException, OSError)
"""What a connection can end in."""


class SocketClosedError(WebSocketException):
    """The server closed the socket; ``code`` is None where it did not say why."""

    def __init__(self, code: int | None) -> None:
        """A socket closed with ``code``."""
        super().__init__(f"socket closed by the server with code {code}")
        self.code = code


class Subscriber(Member):
    """A member with an open socket; opened before the trial, and again whenever it was closed."""

    abstract = True
    socket: WebSocket

    def prepare(self) -> None:
        """Log in and connect.

        Raises:
            SetupFailedError: no token, or no socket.
        """
        with OPENING:
            super().prepare()
            connected = self.connect(counted=False)
        if not connected:
            raise SetupFailedError(f"no WebSocket for {self.username} from {self.host}{FEED}")

    def rehearse(self) -> None:
        """Nothing: there is no query count in a WebSocket's messages."""

    def connect(self, *, counted: bool) -> bool:
        """Whether a ticket was got, the socket opened with it and its welcome read; counted as ``WS connect``."""
        body = self.ask("POST", "/api/realtime/ticket/", expect=TICKET, counted=counted)
        if body is None:
            return False
        failure, start_s = None, now_s()
        try:
            self.socket = self._opened(json.loads(body)["ticket"])
            self.hear(SETTINGS.timeout_s)
        except BREAKS as error:
            failure = failure_of(error)
        self.tell("connect", start_s=start_s, failure=failure, counted=counted)
        return failure is None

    def hear(self, wait_s: float) -> dict[str, Any]:
        """The next message.

        Raises:
            WebSocketTimeoutException: there was none in time.
            SocketClosedError: the server closed the socket; any other of ``BREAKS`` means that it is broken.
        """
        self.socket.settimeout(max(wait_s, 0.001))
        opcode, content = self.socket.recv_data()
        if opcode == ABNF.OPCODE_CLOSE:
            raise SocketClosedError(struct.unpack("!H", content[:2])[0] if len(content) >= 2 else None)
        message: dict[str, Any] = json.loads(content)
        return message

    def lost(self, error: Exception, *, name: str, start_s: float) -> None:
        """Count the loss of the socket as a ``name`` that began then and failed, and connect again.

        Nothing is counted where its credential had ended.
        """
        if not (isinstance(error, SocketClosedError) and error.code == CREDENTIAL_ENDED):
            self.tell(name, start_s=start_s, failure=failure_of(error))
        self.socket.shutdown()
        self.obtain_token(counted=False)
        self.connect(counted=True)

    def tell(
        self,
        name: str,
        *,
        start_s: float,
        took_s: float | None = None,
        failure: Failure | None = None,
        counted: bool = True,
    ) -> None:
        """Tell Locust of something that began at ``start_s`` and took so long, or has ended now."""
        self.environment.events.request.fire(
            request_type="WS",
            name=name,
            response_time=(now_s() - start_s if took_s is None else took_s) * 1000,
            response_length=0,
            exception=failure,
            start_time=start_s,
            context={"counted": counted, "exchange": None},
        )

    def on_stop(self) -> None:
        """Close the socket, if there ever was one."""
        if "socket" in vars(self):
            self.leave()

    def leave(self) -> None:
        """Say goodbye, wait for the server's, and close; the library's own ``close`` swallows an order to stop."""
        try:
            with Timeout(GOODBYE_S, exception=False):
                self.socket.send_close()
                while self.socket.recv_frame().opcode != ABNF.OPCODE_CLOSE:
                    pass
        except BREAKS:
            pass  # it is closed in any case
        finally:
            self.socket.shutdown()

    def _opened(self, ticket: str) -> WebSocket:
        return create_connection(
            self.host.replace("http", "ws", 1) + FEED,
            timeout=SETTINGS.timeout_s,
            origin=self.host,
            subprotocols=[PROTOCOL, f"ticket.{ticket}"],
            sslopt={"cert_reqs": ssl.CERT_NONE, "check_hostname": False},
        )


def failure_of(error: Exception) -> Failure:
    """The failure that one of ``BREAKS`` means."""
    if isinstance(error, WebSocketTimeoutException | TimeoutError):
        return Failure(Kind.TIMEOUT, "no message in time")
    if isinstance(error, WebSocketBadStatusException):
        return Failure(Kind.STATUS, f"status {error.status_code} instead of 101", status=error.status_code)
    if isinstance(error, ConnectionRefusedError):
        return Failure(Kind.REFUSED, "connection refused")
    if isinstance(error, SocketClosedError):
        return Failure(Kind.RESET, str(error))
    return Failure(Kind.RESET, "connection lost")
