"""Stages of planted answers: sites that are sound or broken in one known way, and no containers."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx2

from serverlab.attacks.callers import PROGRAM
from serverlab.attacks.stage import Stage
from serverlab.compose import Database
from serverlab.model.definitions import Interface, Target

HOST = "http://stack.test"
GTHREAD = Target(server="gunicorn", variant="gthread", edge=None)


def a_stage(
    answer: Callable[[httpx2.Request], httpx2.Response],
    *,
    app: Mapping[str, str] | None = None,
    container: object = None,
    interface: Interface = Interface.WSGI,
    workers: int = 1,
    rounds: int = 10,
    url: str = HOST,
    realtime: bool = False,
) -> Stage:
    """A stage whose front is a function; ``container`` is what its app runs in."""
    settings = SimpleNamespace(app=app or {}, target=GTHREAD, database=Database.SQLITE, realtime=realtime)
    stage = Stage(
        engine=SimpleNamespace(service=lambda name: container, containers=lambda name: []),
        expected=SimpleNamespace(settings=settings, interface=interface, workers=workers),
        rounds=rounds,
    )
    client = httpx2.Client(transport=httpx2.MockTransport(answer), base_url=url)
    vars(stage).update(client=client, url=url, tls_url=None, clerk=container, callers=container)
    return stage


@dataclass
class Site:
    """The session way's addresses and one that writes, sound unless a flaw is planted."""

    new_key: bool = True
    csrf: bool = True
    ends: bool = True
    origins: bool = True
    users: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the app does."""
        action = request.url.path.rstrip("/").rpartition("/")[2]
        if action == "signup":
            fields = json.loads(request.content)
            self.users[fields["username"]] = fields["password"]
        if action in ("signup", "ping", "csrf"):
            token = {"Set-Cookie": f"csrftoken={secrets.token_hex(16)}; Path=/"} if action == "csrf" else {}
            return httpx2.Response(201 if action == "signup" else 200, json={}, headers=token)
        cookies = _cookies(request)
        if request.method == "POST" and not self._may_write(request, cookies):
            return httpx2.Response(403, json={"detail": "CSRF"})
        if action == "login":
            return self._log_in(json.loads(request.content), cookies)
        user = self.sessions.get(cookies.get("sessionid", ""))
        if user is None:
            return httpx2.Response(401, json={})
        return self._signed_in(action, user, cookies)

    def _may_write(self, request: httpx2.Request, cookies: Mapping[str, str]) -> bool:
        token = request.headers.get("X-CSRFToken")
        if self.csrf and not (token and token == cookies.get("csrftoken")):
            return False
        return not self.origins or request.headers.get("Origin", HOST) == HOST

    def _log_in(self, fields: Mapping[str, str], cookies: Mapping[str, str]) -> httpx2.Response:
        if self.users.get(fields["username"]) != fields["password"]:
            return httpx2.Response(401, json={})
        key = secrets.token_hex(16) if self.new_key else cookies.get("sessionid", secrets.token_hex(16))
        self.sessions[key] = fields["username"]
        return httpx2.Response(200, json={"user": {}}, headers={"Set-Cookie": f"sessionid={key}; Path=/"})

    def _signed_in(self, action: str, user: str, cookies: Mapping[str, str]) -> httpx2.Response:
        if action in ("me", "refresh"):
            return httpx2.Response(200, json={"username": user})
        if action == "books":
            return httpx2.Response(400, json={})
        key = cookies["sessionid"]
        ended = {"logout": [key], "logout-everywhere": [*self.sessions]}.get(
            action, [*({*self.sessions} - {key})]
        )
        for each in ended if self.ends else ():
            if self.sessions[each] == user:
                del self.sessions[each]
        return httpx2.Response(204)


def _cookies(request: httpx2.Request) -> dict[str, str]:
    pairs = (part.partition("=") for part in request.headers.get("Cookie", "").split("; "))
    return {name: value for name, _, value in pairs}


@dataclass
class Container:
    """Runs the program of callers here, against a port of this machine; SQL it only takes note of."""

    port: int
    name: str = "app"
    noted: list[str] = field(default_factory=list)

    def do(self, statement: str, values: Sequence[object]) -> list[list[object]]:
        """No rows; as the clerk of a stage does."""
        self.noted.append(statement)
        return []

    def call(self, attempts: Sequence[Mapping[str, Any]], *, at_once: int) -> list[dict[str, Any]]:
        """The answers to attempts; as the callers of a stage get them."""
        asked = {"port": self.port, "attempts": attempts, "at_once": at_once}
        argv = [sys.executable, "-I", "-S", "-u", "-c", PROGRAM]
        done = subprocess.run(argv, input=json.dumps(asked), stdout=subprocess.PIPE, text=True, check=True)
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found
