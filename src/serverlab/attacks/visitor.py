"""Somebody who signs in, by any of the three ways, as a browser or a plain client does."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from serverlab.attacks import inside
from serverlab.attacks.stage import LEAKS, Outcome, Stage, failed, passed
from serverlab.model.records import Check
from serverlab.model.security import BETWEEN, Verdict
from serverlab.probe import PASSWORD


@dataclass
class Visitor:
    """Keeps the cookies and tokens that it is given, and sends them along as a browser or a script would.

    ``url`` is where it goes to; left out, where the stack answers over HTTP.
    """

    stage: Stage
    way: str = "session"
    url: str = ""
    username: str = ""
    password: str = PASSWORD
    cookies: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str | None] | None = None,
        **options: Any,  # noqa: ANN401 - httpx2's own
    ) -> httpx2.Response:
        """The answer to a request with all credentials; ``headers`` replace those, and None leaves one out."""
        wanted = {**self.credentials(), **(headers or {})}
        kept = {name: value for name, value in wanted.items() if value is not None}
        at = (self.url or self.stage.url) + path
        response = self.stage.client.request(method, at, headers=kept, **options)
        for line in response.headers.get_list("set-cookie"):
            self._keep(line)
        return response

    def credentials(self) -> dict[str, str]:
        """The headers by which it is known."""
        found = {}
        if self.cookies:
            found["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.csrf:
            found["X-CSRFToken"] = self.csrf
            found["Referer"] = f"{self.url or self.stage.url}/"
        if "access" in self.tokens:
            found["Authorization"] = f"Bearer {self.tokens['access']}"
        return found

    def _keep(self, line: str) -> None:
        name, _, rest = line.partition("=")
        value = rest.partition(";")[0].strip('"')
        if value:
            self.cookies[name] = value
        else:
            self.cookies.pop(name, None)

    @property
    def csrf(self) -> str | None:
        """The token that belongs to the CSRF cookie, if there is one."""
        return next((value for name, value in self.cookies.items() if name.endswith("csrftoken")), None)

    @property
    def session(self) -> tuple[str, str]:
        """Name and value of the session's cookie; empty without one."""
        return next(
            ((name, value) for name, value in self.cookies.items() if name.endswith("sessionid")), ("", "")
        )

    def ask(self, action: str, method: str = "POST", **body: Any) -> httpx2.Response:  # noqa: ANN401 - what JSON can be
        """The answer of one of the way's own addresses."""
        options: dict[str, Any] = {"json": body} if body else {}
        return self.send(method, f"/api/auth/{self.way}/{action}/", **options)

    def get_csrf(self) -> httpx2.Response:
        """Fetch the CSRF token, as a page does before its first form."""
        return self.send("GET", "/api/auth/csrf/")

    def log_in(self) -> httpx2.Response:
        """Sign in and keep what comes of it."""
        if self.way != "jwt":
            self.get_csrf()
        response = self.ask("login", username=self.username, password=self.password)
        if response.status_code == 200:
            self.tokens = {key: text for key, text in response.json().items() if key in ("access", "refresh")}
        return response

    def me(self) -> httpx2.Response:
        """Ask who the app takes it for."""
        return self.ask("me", "GET")

    def refresh(self) -> httpx2.Response:
        """Take the next pair of tokens, and keep it."""
        response = self.ask("refresh", **self._refresh_token())
        if response.status_code == 200:
            self.tokens |= {
                key: text for key, text in response.json().items() if key in ("access", "refresh")
            }
        return response

    def log_out(self) -> httpx2.Response:
        """Sign out; the credentials are kept, as a thief would."""
        return self._keeping("logout", **self._refresh_token())

    def log_out_everywhere(self) -> httpx2.Response:
        """End everything of this user; the credentials are kept."""
        return self._keeping("logout-everywhere")

    def change_password(self, new: str) -> httpx2.Response:
        """Change the password; the credentials are kept, except for a session that goes on under another key."""
        return self.ask("password", old_password=self.password, new_password=new)

    def _refresh_token(self) -> dict[str, Any]:
        return {"refresh": self.tokens["refresh"]} if "refresh" in self.tokens else {}

    def _keeping(self, action: str, **body: Any) -> httpx2.Response:  # noqa: ANN401 - what JSON can be
        before = dict(self.cookies)
        response = self.ask(action, **body)
        self.cookies = before
        return response


def sign_up(stage: Stage, *, role: str = "reader") -> tuple[str, str]:
    """Name and password of a new account, so that no attack is in another's way."""
    username, password = f"v{secrets.token_hex(6)}", secrets.token_urlsafe(12)
    fields = {"username": username, "email": f"{username}@example.org", "password": password}
    stage.client.post("/api/auth/jwt/signup/", json=fields).raise_for_status()
    if role != "reader":
        inside.sql(stage, "UPDATE accounts_user SET role = ? WHERE username = ?", role, username)
    if stage.settings.app.get("LAB_LOGIN_LIMITS") == "on":
        inside.sql(
            stage, "DELETE FROM shared_cache"
        )  # attempts of others: limits are asked by rows of their own
    return username, password


def newcomer(stage: Stage, way: str = "session", *, role: str = "reader", url: str = "") -> Visitor:
    """A visitor with an account of its own, signed in.

    Raises:
        httpx2.HTTPStatusError: the app would not have it.
    """
    username, password = sign_up(stage, role=role)
    visitor = Visitor(stage, way=way, url=url, username=username, password=password)
    visitor.log_in().raise_for_status()
    return visitor


def again(visitor: Visitor, *, way: str | None = None) -> Visitor:
    """The same person at another machine: signed in once more, perhaps by another way.

    Raises:
        httpx2.HTTPStatusError: the app would not have it.
    """
    other = Visitor(
        visitor.stage,
        way=way or visitor.way,
        url=visitor.url,
        username=visitor.username,
        password=visitor.password,
    )
    other.log_in().raise_for_status()
    return other


def deactivate(visitor: Visitor) -> None:
    """Take the account away, as an administrator does."""
    inside.sql(visitor.stage, "UPDATE accounts_user SET is_active = 0 WHERE username = ?", visitor.username)


def status(name: str, response: httpx2.Response, *wanted: int) -> Check:
    """Whether the answer has one of the statuses, and shows nothing of the inside."""
    found = response.status_code
    leak = next((sign for sign in LEAKS if sign in response.text), None)
    shown = f"{found}, and the answer shows {leak!r}" if leak else str(found)
    return Check(name=name, ok=found in wanted and not leak, detail=shown)


def judged(
    checks: Iterable[Check], *, seen: str | None = None, measured: Mapping[str, float] | None = None
) -> Outcome:
    """PASS if all checks are right; else FAIL, with what is wrong. What was seen is each detail once, or ``seen``."""
    asked = list(checks)
    numbers = dict(measured or {})
    if wrong := [f"{check.name}: {check.detail}" for check in asked if not check.ok]:
        return failed(BETWEEN.join(wrong), f"{len(wrong)} of {len(asked)} are wrong", **numbers)
    if not asked:
        return Outcome(Verdict.UNKNOWN, "nothing asked", "the attack sent nothing", numbers)
    return passed(seen or ", ".join(dict.fromkeys(check.detail for check in asked)), **numbers)
