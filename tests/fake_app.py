"""A tiny web server on 127.0.0.1 that answers as a stack does, rightly or wrongly as a test wants it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from threading import Thread
from typing import Any

import jwt

from serverlab.model.switches import to_be_stated

KEY = "the key of the stack, long enough for HS256"


@dataclass
class FakeApp:
    """How the stack answers; a test changes what is to be wrong."""

    server_header: str | None = "gunicorn"
    identity: dict[str, Any] = field(default_factory=dict)
    hostnames: Sequence[str] = ("one",)
    books: int = 500
    username: str = "user01"
    jwt_key: Any = KEY
    jwt_public_key: Any = None
    jwt_algorithm: str = "HS256"
    takes_any_token: bool = False
    asks_for_token: bool = True
    statuses: dict[str, int] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
    seen_tokens: list[str] = field(default_factory=list)
    port: int = 0
    _turn: Iterator[str] | None = None

    def who(self) -> dict[str, Any]:
        """What /lab/identity says; replicas answer in turn."""
        self._turn = self._turn or cycle(self.hostnames)
        return {**self.identity, "hostname": next(self._turn)}

    def forget_turn(self) -> None:
        """Begin with the first replica again."""
        self._turn = None

    def answer(self, method: str, path: str, token: str | None) -> tuple[int, dict[str, Any]]:
        if path in self.statuses:
            return self.statuses[path], {"detail": "as told"}
        if path == "/lab/identity":
            return 200, self.who()
        if path == "/ws/feed/":
            return 403 if self.identity.get("realtime") else 404, {"detail": "no"}
        if (method, path) == ("POST", "/api/auth/jwt/login/"):
            access = jwt.encode({"user_id": "1"}, self.jwt_key, self.jwt_algorithm)
            return 200, {"access": access, "refresh": "r"}
        if path.startswith("/api/"):
            return self._for_members(path, token)
        return 200, {"status": "ok"}

    def verifies(self, token: str) -> bool:
        """Whether PyJWT, which the real app stands on, takes the token for a right one."""
        try:
            jwt.decode(token, self.jwt_public_key or self.jwt_key, algorithms=[self.jwt_algorithm])
        except jwt.InvalidTokenError:
            return False
        return True

    def _for_members(self, path: str, token: str | None) -> tuple[int, dict[str, Any]]:
        if token is not None:
            self.seen_tokens.append(token)
        if not (token and (self.takes_any_token or self.verifies(token))):
            return 401, {"detail": "no"}
        return 200, {"username": self.username} if path.endswith("/me/") else {
            "count": self.books,
            "results": [],
        }


def identity_of(**changes: Any) -> dict[str, Any]:
    """What /lab/identity says of gunicorn:gthread on one core."""
    plain = {
        "interface": "wsgi",
        "variant": "gthread",
        "cpus": 1,
        "workers": 1,
        "multithread": True,
        "debug": False,
        "autoreload": False,
        "database": "sqlite",
        "cache": "database",
        "realtime": False,
        **to_be_stated({}),
        "django": "5.2.19",
        "python": "3.13.5",
        "distributions": {"gunicorn": "27.0.1", "django": "5.2.19"},
    }
    return plain | changes


@contextmanager
def serving(app: FakeApp) -> Iterator[str]:
    """The address at which ``app`` answers while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(app))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    app.port = server.server_address[1]
    try:
        yield f"http://127.0.0.1:{app.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler_of(app: FakeApp) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._reply("GET")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._reply("POST")

        def _reply(self, method: str) -> None:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
            status, document = app.answer(method, self.path, token)
            body = app.raw.get(self.path) or json.dumps(document).encode()
            self.send_response_only(status)
            for name, value in _headers(app, status, len(body)).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            return

    return Handler


def _headers(app: FakeApp, status: int, length: int) -> Mapping[str, str]:
    headers = {"Content-Type": "application/json", "Content-Length": str(length)}
    if app.server_header is not None:
        headers["Server"] = app.server_header
    if status == 401 and app.asks_for_token:
        headers["WWW-Authenticate"] = "Bearer"
    return headers
