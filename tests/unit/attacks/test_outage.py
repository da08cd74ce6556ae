"""A database and a cache that are taken away, at sites that are sound or broken in one known way."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import httpx2
import pytest

from serverlab.attacks import outage
from serverlab.attacks.outage import Asked, Told, back_s, cache_away, check, database_away
from serverlab.model.security import Verdict
from serverlab.probe import Answer
from tests.unit.attacks.sites import a_stage

AWAY = {"detail": "Temporarily unavailable."}
LATER = {"Retry-After": "5"}


WELL = ["is-well"]


@dataclass
class Service:
    """A container that notes what is done to it, and is well when its check has been asked so often since its start."""

    running: bool = True
    done: list[str] = field(default_factory=list)
    ill: int = 0
    attrs = {"Config": {"Healthcheck": {"Test": ["CMD", *WELL]}}}  # noqa: RUF012 - the same for all

    def exec_run(self, command: list[str]) -> SimpleNamespace:
        """As docker-py's."""
        assert (command, self.running) == (WELL, True)
        self.ill -= 1
        return SimpleNamespace(exit_code=int(self.ill >= 0))

    def stop(self, *, timeout: int) -> None:
        """As docker-py's."""
        self.running = False
        self.done.append(f"stop within {timeout} s")

    def start(self) -> None:
        """As docker-py's."""
        self.running = True
        self.done.append("start")


@dataclass
class Site:
    """Tells an outage of its service as the app does, unless a flaw is planted: the answers to paths that it names."""

    service: Service
    flaws: dict[str, httpx2.Response] = field(default_factory=dict)
    comes_back: bool = True

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the app does, with the service or without."""
        path = request.url.path
        gone = not self.service.running or ("start" in self.service.done and not self.comes_back)
        if gone and path in self.flaws:
            return self.flaws[path]
        return self.outage(path, request) if gone else self.well(path, request)

    def well(self, path: str, request: httpx2.Request) -> httpx2.Response:
        """Sign everybody in."""
        if path.endswith("/signup/"):
            return httpx2.Response(201, json={})
        if "/session/" in path:
            cookie = f"sessionid={secrets.token_hex(8)}; Path=/"
            return httpx2.Response(200, json={}, headers={"Set-Cookie": cookie})
        return httpx2.Response(200, json={"access": "a.b.c", "refresh": "d.e.f"})

    def outage(self, path: str, request: httpx2.Request) -> httpx2.Response:
        """503 for all that needs a database."""
        if path in ("/healthz", "/"):
            return httpx2.Response(200)
        later = {} if path == "/readyz" else LATER
        return httpx2.Response(503, json=AWAY, headers=later)


class WithoutItsCache(Site):
    """Needs its service for sessions, and to count who signs in."""

    def outage(self, path: str, request: httpx2.Request) -> httpx2.Response:
        """503 for sessions, 429 for log-ins."""
        if path.endswith("/login/"):
            return httpx2.Response(429, json=AWAY, headers=LATER)
        if "Authorization" in request.headers or path in ("/healthz", "/"):
            return httpx2.Response(200, json={})
        return httpx2.Response(503, json=AWAY, headers=LATER)


def put_to(attack, site):
    """The outcome of an attack on a site, and the names of the services that it took away."""
    stage = a_stage(site)
    asked = []
    stage.engine.service = lambda name: asked.append(name) or site.service
    return attack(stage), asked


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch):
    """What does not come back is not waited for."""
    monkeypatch.setattr(outage, "BACK_S", 0.0)
    monkeypatch.setattr(outage, "POLL_S", 0.0)


@pytest.mark.parametrize(
    ("attack", "made", "name", "seen"),
    [
        (database_away, Site, "db", "200, 503; then 200 again"),
        (cache_away, WithoutItsCache, "cache", "200, 429, 503; then 200 again"),
    ],
)
def test_an_outage_that_is_told_and_gone_again_passes(attack, made, name, seen):
    site = made(Service())
    outcome, asked = put_to(attack, site)
    assert (outcome.verdict, outcome.seen) == (Verdict.PASS, seen), outcome
    assert (asked, site.service.done) == ([name], ["stop within 5 s", "start"])
    assert set(outcome.measured) == {"slowest_s", "back_s"}


BOOKS, ME = "/api/books/", "/api/auth/jwt/me/"


@pytest.mark.parametrize(
    ("path", "answer", "seen"),
    [
        (BOOKS, httpx2.Response(500, json=AWAY, headers=LATER), "a list: 500, expected 503"),
        (ME, httpx2.Response(401, json=AWAY, headers=LATER), "who am I: 401, expected 503"),
        (BOOKS, httpx2.Response(503, text="<h1>Away</h1>", headers=LATER), "a list: 503, no JSON"),
        (BOOKS, httpx2.Response(503, json=AWAY), "a list: 503, no Retry-After"),
        (
            "/readyz",
            httpx2.Response(503, json={"detail": "PostgreSQL 17 at db:5432"}),
            "/readyz: 503, shows 'postgres'",
        ),
        ("/healthz", httpx2.Response(503, json=AWAY), "/healthz: 503, expected 200"),
    ],
)
def test_an_outage_that_is_told_badly_is_found(path, answer, seen):
    outcome, _ = put_to(database_away, Site(Service(), flaws={path: answer}))
    assert (outcome.verdict, outcome.seen) == (Verdict.FAIL, seen)


def test_sessions_that_end_with_their_cache_are_found():
    signed_out = {"/api/auth/session/me/": httpx2.Response(401, json=AWAY, headers=LATER)}
    outcome, _ = put_to(cache_away, WithoutItsCache(Service(), flaws=signed_out))
    assert (outcome.verdict, outcome.seen) == (Verdict.FAIL, "a session: 401, expected 503")


def test_a_stack_that_does_not_come_back_is_found():
    outcome, _ = put_to(database_away, Site(Service(), comes_back=False))
    assert (outcome.verdict, outcome.seen) == (Verdict.FAIL, "the same token: not back")


def test_the_service_is_started_again_if_the_attack_breaks_off():
    site = Site(Service())

    def break_off(stage):
        with outage.away(stage, "db"):
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        put_to(break_off, site)
    assert site.service.done == ["stop within 5 s", "start"]


def test_a_refusal_that_takes_long_is_found():
    answer = Answer(503, {"retry-after": "5"}, AWAY, json.dumps(AWAY))
    late = Told(Asked("a list", 503, lambda: answer), answer, took_s=10.5)
    assert (check(late).ok, check(late).detail) == (False, "503, after 10.5 s")
    assert check(replace(late, took_s=9.5)).ok


def test_the_return_is_awaited(monkeypatch):
    monkeypatch.setattr(outage, "BACK_S", 60.0)
    statuses, service = iter([503, 0, 200]), Service(ill=2)
    assert back_s(lambda: next(statuses), service=service) is not None
    assert (list(statuses), service.ill) == ([], -1)


def test_a_service_that_is_never_well_is_no_failure_of_the_server(monkeypatch):
    monkeypatch.setattr(outage, "WELL_S", 0.1)
    with pytest.raises(OSError, match=r"the service is not well 0\.1 s after it was started"):
        back_s(lambda: 200, service=Service(ill=1_000_000))
