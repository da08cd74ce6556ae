"""The live feed on running containers: one process, processes or replicas that share Redis, Daphne beside a server."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from threading import Barrier
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from serverlab import probe
from serverlab.catalog import Catalog
from serverlab.compose import Cache, Engine, StackSettings
from serverlab.runner.trial import expectation

Start = Callable[..., AbstractContextManager[StackSettings]]

PROTOCOL = "serverlab.feed.v1"
PATIENCE_S = 5.0
ACCESS_LIFETIME_S = 4
STACKS: dict[str, dict[str, Any]] = {
    "daphne:production": {},
    "daphne:production+nginx": {"cache": Cache.REDIS, "replicas": 2},
    "gunicorn:asgi+nginx": {"cache": Cache.REDIS, "workers": 2},
    "gunicorn:gthread+nginx": {"realtime": True},
}


@pytest.fixture(scope="module", params=STACKS)
def feed_stack(request: pytest.FixtureRequest, start: Start, catalog: Catalog) -> Iterator[StackSettings]:
    app = {"LAB_ACCESS_LIFETIME_S": str(ACCESS_LIFETIME_S)}
    with start(catalog.target(request.param), app=app, **STACKS[request.param]) as settings:
        yield settings


@pytest.fixture
def url(engine: Engine, feed_stack: StackSettings) -> str:
    return probe.front_url(engine, feed_stack)


class Editor:
    """Somebody who signed in with a JWT."""

    def __init__(self, url: str) -> None:
        self.url = url
        credentials = {"username": "user01", "password": "lab-password"}
        answer = httpx2.post(f"{url}/api/auth/jwt/login/", json=credentials)
        self.tokens = answer.raise_for_status().json()

    def post(self, path: str, content: object = None, **headers: str) -> httpx2.Response:
        bearer = {"Authorization": f"Bearer {self.tokens['access']}"}
        return httpx2.post(f"{self.url}{path}", json=content, headers=bearer | headers).raise_for_status()

    def ticket(self) -> str:
        return str(self.post("/api/realtime/ticket/").json()["ticket"])

    def socket(self, ticket: str | None = None, *, origin: str | None = None) -> ClientConnection:
        return connect(
            f"{self.url.replace('http', 'ws', 1)}/ws/feed/",
            origin=origin or self.url,
            subprotocols=[PROTOCOL, f"ticket.{ticket or self.ticket()}"],
            open_timeout=PATIENCE_S,
            close_timeout=1.0,
            proxy=None,
        )


@pytest.fixture
def editor(url: str) -> Editor:
    return Editor(url)


def hear(link: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(link.recv(timeout=PATIENCE_S))
    return message


def close_code(link: ClientConnection, *, within_s: float) -> int | None:
    """The code that the server closes with, whatever it says before."""
    give_up = time.monotonic() + within_s
    try:
        while True:
            link.recv(timeout=max(0.0, give_up - time.monotonic()))
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def status_of(connecting: Callable[[], ClientConnection]) -> int:
    """The status of a handshake, 101 if it succeeded."""
    try:
        with connecting():
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_the_stack_proves_what_it_is(engine: Engine, feed_stack: StackSettings, catalog: Catalog) -> None:
    proof = probe.prove(engine, expectation(catalog, feed_stack))
    assert probe.failed_checks(proof) == []


def test_every_subscriber_hears_of_a_write_over_http(editor: Editor) -> None:
    key = uuid.uuid4().hex
    with ExitStack() as closing:
        links = [closing.enter_context(editor.socket()) for _ in range(6)]
        user = {"id": 1, "username": "user01", "role": "editor"}
        assert [hear(link) for link in links] == [{"type": "welcome", "user": user}] * 6
        author = editor.post(
            "/api/authors/", {"name": "Ann", "born": 1950}, **{"Idempotency-Key": key}
        ).json()
        heard = [hear(link) for link in links]
    for change in heard:
        assert abs(change.pop("at") - time.time()) < 30
    wanted = {"type": "change", "model": "author", "action": "created", "id": author["id"], "token": key}
    assert heard == [wanted] * 6


def test_a_ping_is_answered_and_nonsense_is_told(editor: Editor) -> None:
    with editor.socket() as link:
        hear(link)
        link.send('{"type": "ping", "echo": "1"}')
        link.send("nonsense")
        assert hear(link) == {"type": "pong", "echo": "1"}
        assert hear(link)["type"] == "error"


def test_of_many_handshakes_with_one_ticket_at_once_exactly_one_succeeds(editor: Editor) -> None:
    ticket, together = editor.ticket(), Barrier(16)

    def attempt(_: int) -> int:
        together.wait(PATIENCE_S)
        return status_of(lambda: editor.socket(ticket))

    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(attempt, range(16))) == {101: 1, 403: 15}


def test_another_origin_and_an_unknown_ticket_are_refused_before_anything_is_accepted(editor: Editor) -> None:
    assert status_of(lambda: editor.socket(origin="http://evil.example")) == 403
    assert status_of(lambda: editor.socket("unknown")) == 403


def test_a_message_that_is_too_large_closes_the_socket(editor: Editor) -> None:
    with editor.socket() as link:
        link.send("x" * 4097)
        assert close_code(link, within_s=PATIENCE_S) == 4413


def test_a_log_out_closes_the_socket_at_once(editor: Editor) -> None:
    with editor.socket() as link:
        hear(link)
        editor.post("/api/auth/jwt/logout/", {"refresh": editor.tokens["refresh"]})
        assert close_code(link, within_s=2.0) == 4403


def test_a_socket_ends_with_its_access_token(editor: Editor) -> None:
    with editor.socket() as link:
        assert close_code(link, within_s=ACCESS_LIFETIME_S + 2) == 4401
