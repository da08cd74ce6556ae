"""A stack under attack, and the questions that every attack puts to it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

from serverlab.attacks.answers import answer_of, cookies_in
from serverlab.attacks.callers import Callers
from serverlab.attacks.clerk import Clerk
from serverlab.attacks.forge import Forger, forger_of
from serverlab.compose import Engine, StackSettings
from serverlab.model.security import Verdict
from serverlab.probe import ONE_REQUEST_EACH, PASSWORD, Answer, Expectation, claims_of, front_url
from serverlab.shell import HostShell, Shell

LEAKS = ("Traceback (most recent", "django/", "/app/", "/venv/", "DJANGO_", "SECRET", "sqlite3", "psycopg")
"""What no answer may hold: a traceback, a path, a setting."""

WAYS = ("jwt", "plain")
"""The two ways of signing in that hand out tokens."""

ACCESS_COOKIE = "serverlab_access"
REFRESH_COOKIE = "serverlab_refresh"
ENOUGH_S = 1.5
"""An access token that lives shorter than this is renewed before it is used as a control."""


@dataclass(frozen=True)
class Outcome:
    """What an attack found; see Finding for the fields."""

    verdict: Verdict
    seen: str
    reason: str = ""
    measured: Mapping[str, float] = field(default_factory=dict)


def passed(seen: str, **measured: float) -> Outcome:
    """The stack did what it should."""
    return Outcome(Verdict.PASS, seen, measured=measured)


def failed(seen: str, reason: str, **measured: float) -> Outcome:
    """It did not; ``reason`` says what it should have done."""
    return Outcome(Verdict.FAIL, seen, reason, measured)


def not_applicable(reason: str) -> Outcome:
    """The attack has no meaning on this stack, for the reason that is given."""
    return Outcome(Verdict.NA, "not asked", reason)


@dataclass(frozen=True)
class Tokens:
    """A pair of tokens, however the stack handed it over; empty texts where it did not."""

    access: str
    refresh: str


class Member:
    """Somebody signed in by one way, whose access token is renewed before it expires.

    That is user01, an editor; where seeded passwords are hashed in a way that the stack no longer takes, a new reader.
    """

    def __init__(self, stage: Stage, way: str) -> None:
        """Sign in when the first token is asked for."""
        self._stage, self._way = stage, way
        self._tokens: Tokens | None = None
        self._renewing = threading.Lock()

    @property
    def access(self) -> str:
        """An access token that is valid for a while; "" if the stack hands out none."""
        with self._renewing:  # a refresh token that is spent by two rows at once is reuse
            self._tokens = self._valid(self._tokens)
            return self._tokens.access

    def _valid(self, tokens: Tokens | None) -> Tokens:
        if tokens is None:
            seeded = self._stage.settings.app.get("LAB_CHEAP_HASHER") != "off"
            name = "user01" if seeded else self._stage.sign_up(way=self._way)
            return self._stage.sign_in(name, way=self._way)
        if claims_of(tokens.access).get("exp", 0) < time.time() + ENOUGH_S:
            return self._stage.tokens_in(self._stage.refresh(tokens.refresh, way=self._way))
        return tokens


@dataclass(frozen=True)
class Stage:
    """A running stack and what the lab knows of it: it made the keys itself.

    ``rounds`` is how often a race is run.
    """

    engine: Engine
    expected: Expectation
    rounds: int = 10
    shell: Shell = field(default_factory=HostShell)

    @property
    def settings(self) -> StackSettings:
        """How the stack was started."""
        return self.expected.settings

    @cached_property
    def url(self) -> str:
        """Where the stack answers over plain HTTP."""
        return front_url(self.engine, self.settings)

    @cached_property
    def tls_url(self) -> str | None:
        """Where the edge answers over TLS; None without one."""
        return self.engine.url("edge", port=8443, scheme="https") if self.settings.target.edge else None

    @cached_property
    def client(self) -> httpx2.Client:
        """A client that uses each connection once, keeps no cookie, follows nothing and verifies no certificate."""
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx2.Client(
            base_url=self.url, timeout=20.0, limits=ONE_REQUEST_EACH, verify=False, cookies=no_cookies
        )

    @cached_property
    def clerk(self) -> Clerk:
        """Who changes rows of the app by hand."""
        return Clerk(self.engine.service("app"))

    @cached_property
    def callers(self) -> Callers:
        """Who asks from many addresses."""
        return Callers(self.engine, self.settings)

    def close(self) -> None:
        """Let go of what was opened for attacks on this stage."""
        for name in {"callers", "clerk", "client"} & vars(self).keys():
            vars(self)[name].close()

    @property
    def uses_cookies(self) -> bool:
        """Whether the plain way's tokens travel in cookies."""
        return self.settings.app.get("LAB_PLAIN_TOKENS") == "cookie"

    def ask(self, method: str, path: str, **options: Any) -> Answer:  # noqa: ANN401 - httpx2's own
        """The whole answer to one request; ``options`` are httpx2's (headers, json, content). Status 0: none came."""
        try:
            response = self.client.request(method, path, **options)
        except httpx2.HTTPError as broken:
            return Answer(0, {}, {}, f"{type(broken).__name__}: {broken}")
        return answer_of(response)

    def me(self, token: str, *, way: str = "jwt") -> Answer:
        """Who the stack takes the holder of an access token for."""
        return self.ask("GET", f"/api/auth/{way}/me/", headers=self.credential(token, way=way))

    def credential(self, token: str, *, way: str = "jwt") -> dict[str, str]:
        """The header that carries an access token."""
        if way == "plain" and self.uses_cookies:
            return {"Cookie": f"{ACCESS_COOKIE}={token}"}
        return {"Authorization": f"Bearer {token}"}

    def log_in(self, username: str = "user01", *, way: str = "jwt", password: str = PASSWORD) -> Answer:
        """The answer to signing in with tokens."""
        return self.post(way, "login", json={"username": username, "password": password})

    def sign_in(self, username: str = "user01", *, way: str = "jwt", password: str = PASSWORD) -> Tokens:
        """The tokens that signing in gives."""
        return self.tokens_in(self.log_in(username, way=way, password=password))

    def sign_up(self, *, way: str = "jwt") -> str:
        """The name of a new reader with the seeded users' password.

        Raises:
            LookupError: nobody was made.
        """
        name = f"target-{secrets.token_hex(6)}"
        fields = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        made = self.post(way, "signup", json=fields)
        if made.status != 201:
            raise LookupError(f"signing up by {way} was answered {made.status}: {made.said[:100]}")
        return name

    def refresh(self, token: str, *, way: str = "jwt", **options: Any) -> Answer:  # noqa: ANN401
        """The answer to spending a refresh token; ``options`` are httpx2's."""
        return self._spend("refresh", token, way=way, **options)

    def log_out(self, token: str, *, way: str = "jwt") -> Answer:
        """The answer to giving a refresh token back."""
        return self._spend("logout", token, way=way)

    def _spend(self, what: str, token: str, *, way: str, **options: Any) -> Answer:  # noqa: ANN401
        if way == "plain" and self.uses_cookies:
            return self.post(way, what, cookies={REFRESH_COOKIE: token}, json={}, **options)
        return self.post(way, what, json={"refresh": token}, **options)

    def post(
        self,
        way: str,
        what: str,
        *,
        cookies: Mapping[str, str] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Answer:
        """The answer to a POST below /api/auth/WAY/, with a CSRF token where the way needs one."""
        sent = dict(cookies or {})
        headers = dict(options.pop("headers", {}))
        if way == "plain" and self.uses_cookies:
            headers["X-CSRFToken"], cookie = self._csrf
            sent |= cookie
        if sent:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in sent.items())
        return self.ask("POST", f"/api/auth/{way}/{what}/", headers=headers, **options)

    @cached_property
    def _csrf(self) -> tuple[str, dict[str, str]]:
        """A CSRF token and the cookie that it belongs to, whose name depends on the transport."""
        response = self.client.get("/api/auth/csrf/")
        return str(response.json()["csrf_token"]), cookies_in(response.headers, ending="csrftoken")

    def tokens_in(self, answer: Answer) -> Tokens:
        """The tokens of an answer to a log-in or a refresh, from its body or its cookies."""
        cookies, said = cookies_in(answer.headers), answer.document
        access, refresh = cookies.get(ACCESS_COOKIE, ""), cookies.get(REFRESH_COOKIE, "")
        return Tokens(str(said.get("access") or access), str(said.get("refresh") or refresh))

    @cached_property
    def members(self) -> dict[str, Member]:
        """Somebody signed in by each way."""
        return {way: Member(self, way) for way in WAYS}

    @property
    def access(self) -> str:
        """A valid access token by the jwt way, the control of every attack."""
        return self.members["jwt"].access

    @property
    def claims(self) -> dict[str, Any]:
        """What that token says."""
        return claims_of(self.access)

    def forger(self, *, way: str = "jwt") -> Forger:
        """What an attacker of this stack can know at the worst."""
        token = self.members[way].access
        return forger_of(self.settings, token, claims_of(token))


HARMLESS = "harmless"
"""Rows whose verdict and numbers hang on no time, and that change only accounts and records that they made."""

UNSERVED = "unserved"
"""Rows that ask nothing of the server, and whose verdict hangs on no time; and K-06, which stops it meanwhile.

A stopped server is well under no load, and K-06 asks it before and afterwards, too. Those that ask what every process
of a container may do are not among them: one that is just being started may more.
"""


@dataclass(frozen=True)
class Attack:
    """One row of the matrix. ``profile`` is how the stack is set up for it, see `profiles`.

    ``beside`` names those rows of the profile that are asked at the same time as this one, since none of them is in
    another's way; a row without it has the stack to itself. Of those the ones that wait long, for ``waits_s`` seconds
    or so, are begun first. A row that pauses yields when it goes on (seconds of `time.time`); meanwhile those are asked
    that are ``quick``, done in a fraction of a second, one after the other.
    """

    id: str
    title: str
    expected: str
    run: Callable[[Stage], Outcome | Generator[float, None, Outcome]]
    profile: str = "open"
    beside: str | None = None
    waits_s: float = 0.0
    quick: bool = False


def leak_in(answer: Answer) -> str | None:
    """The sign of an inside that the answer shows, if any."""
    return next((sign for sign in LEAKS if sign in answer.said), None)


def said(status: int) -> str:
    """A status in words: 0 is a connection that was closed without an answer."""
    return str(status) if status else "closed"
