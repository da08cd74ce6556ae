"""What a foreign page can make a browser do: sessions, CSRF, cookies (rows A4-01 to A4-08)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2

from serverlab.attacks.stage import HARMLESS, Attack, Outcome, Stage
from serverlab.attacks.visitor import (
    Visitor,
    again,
    judged,
    newcomer,
    sign_up,
    status,
)
from serverlab.model.records import Check

FOREIGN = "https://evil.example"
MADE_UP = "A" * 32
"""A CSRF token in the right form that nobody handed out."""

WRITE = "/api/books/"
"""Asked with an empty object: 400 says that nothing but the fields was missing."""


def lookalike(url: str) -> str:
    """Another origin that begins like this one."""
    host = str(urlsplit(url).hostname)
    return url.replace(host, f"{host}.evil.example")


def fixation(stage: Stage) -> Outcome:
    """A session key that the victim was made to use before signing in."""
    username, password = sign_up(stage)
    attacker = newcomer(stage)
    name, _ = attacker.session
    planted = "planted0123456789abcdefghijklmno"
    victim = Visitor(stage, username=username, password=password, cookies={name: planted})
    victim.log_in().raise_for_status()
    thief = Visitor(stage, cookies={name: planted})
    renewed = victim.session[1]
    return judged(
        [
            Check(name="new key at log-in", ok=renewed not in ("", planted), detail="new key at log-in"),
            status("planted key", thief.me(), 401),
            status("victim's own key", victim.me(), 200),
        ]
    )


def ended_sessions(stage: Stage) -> Outcome:
    """Session keys that were copied before the log-out, and before a change of password elsewhere."""
    return judged(_ended_sessions(stage))


def _ended_sessions(stage: Stage) -> Iterator[Check]:
    left = newcomer(stage)
    left.log_out().raise_for_status()
    yield status("key after log-out", left.me(), 401)
    here = newcomer(stage)
    elsewhere = again(here)
    yield status("password changed", here.change_password("another-pass-phrase-7"), 204)
    yield status("key of another session after the change", elsewhere.me(), 401)
    yield status("the session that changed it", here.me(), 200)


def missing_csrf(stage: Stage) -> Outcome:
    """Writes with a session's cookie and every wrong CSRF token."""
    return judged(_missing_csrf(stage))


def _missing_csrf(stage: Stage) -> Iterator[Check]:
    victim, attacker = newcomer(stage, role="editor"), newcomer(stage)
    wrong: dict[str, str | None] = {
        "no token": None,
        "wrong token": MADE_UP,
        "another session's token": attacker.csrf,
        "empty token": "",
    }
    for name, token in wrong.items():
        for path in ("/api/auth/session/logout-everywhere/", WRITE):
            forged = victim.send("POST", path, headers={"X-CSRFToken": token}, json={})
            yield status(f"{name} at {path}", forged, 403)
    bare = "; ".join(f"{name}={value}" for name, value in victim.cookies.items() if "csrf" not in name)
    forged = victim.send("POST", WRITE, headers={"Cookie": bare}, json={})
    yield status("token in the header alone", forged, 403)
    yield status("session afterwards", victim.me(), 200)
    yield status("right token", victim.send("POST", WRITE, json={}), 400)


def foreign_origin(stage: Stage) -> Outcome:
    """Right CSRF token, but sent from another origin; over TLS where there is an edge, else over HTTP."""
    return judged(_foreign_origin(stage))


def _foreign_origin(stage: Stage) -> Iterator[Check]:
    victim = newcomer(stage, role="editor", url=stage.tls_url or "")
    own = victim.url or stage.url
    wrong: dict[str, dict[str, str | None]] = {
        "foreign Origin": {"Origin": FOREIGN},
        "null Origin": {"Origin": "null"},
        "our name in a foreign Origin": {"Origin": lookalike(own)},
    }
    if stage.tls_url:
        wrong |= {
            "foreign Referer": {"Referer": f"{FOREIGN}/"},
            "no Referer": {"Referer": None},
            "our own Origin over HTTP": {"Origin": own.replace("https:", "http:")},
        }
    for name, headers in wrong.items():
        yield status(name, victim.send("POST", WRITE, headers=headers, json={}), 403)
    yield status("own Origin", victim.send("POST", WRITE, headers={"Origin": own}, json={}), 400)


def login_csrf(stage: Stage) -> Outcome:
    """Signing a victim in as somebody else, from a foreign page that has no CSRF token."""
    fields = {"username": "user01", "password": "lab-password"}
    guest = Visitor(stage)
    return judged(
        status(f"{way} without a token", guest.send("POST", f"/api/auth/{way}/login/", json=fields), 403)
        for way in ("session", "plain")
    )


def ambient_tokens(stage: Stage) -> Outcome:
    """A token in a header needs no CSRF token; the same in a cookie does."""
    return judged(_ambient_tokens(stage))


def _ambient_tokens(stage: Stage) -> Iterator[Check]:
    in_header = newcomer(stage, "jwt", role="editor")
    in_cookie = newcomer(stage, "plain", role="editor")
    yield status("token in the header", in_header.send("POST", WRITE, json={}), 400)
    for path in (WRITE, "/api/auth/plain/logout-everywhere/", "/api/auth/plain/refresh/"):
        forged = in_cookie.send("POST", path, headers={"X-CSRFToken": None}, json={})
        yield status(f"token in a cookie, no CSRF token, at {path}", forged, 403)
    yield status("token in a cookie, with CSRF token", in_cookie.send("POST", WRITE, json={}), 400)


def two_credentials(stage: Stage) -> Outcome:
    """A session's cookie beside something in the Authorization header: no way around CSRF."""
    return judged(_two_credentials(stage))


def _two_credentials(stage: Stage) -> Iterator[Check]:
    victim = newcomer(stage, role="editor")
    token = newcomer(stage, "jwt").tokens["access"]
    wrong = {"Bearer rubbish": 401, "Bearer": 401, "Basic cnViYmlzaDpydWJiaXNo": 403, "rubbish": 403}
    for header, wanted in wrong.items():
        forged = victim.send("POST", WRITE, headers={"Authorization": header, "X-CSRFToken": None}, json={})
        yield status(f"session and {header!r}, no CSRF token", forged, wanted)
    headers = {"Authorization": "Bearer rubbish"}
    yield status(
        "session with CSRF token and rubbish", victim.send("POST", WRITE, headers=headers, json={}), 401
    )
    headers = {"Authorization": f"Bearer {token}"}
    decided = victim.send("POST", WRITE, headers=headers, json={})
    yield status("an editor's session and a reader's token: the token decides", decided, 403)


def cookie_flags(stage: Stage) -> Outcome:
    """What protects each cookie, and whether a client can talk a server into TLS that is not there."""
    return judged(_cookie_flags(stage), seen="Secure, HttpOnly, SameSite; no TLS on hearsay")


def _cookie_flags(stage: Stage) -> Iterator[Check]:
    for way in ("session", "plain"):
        username, password = sign_up(stage)
        visitor = Visitor(stage, way, url=stage.tls_url or "", username=username, password=password)
        for line in [*_set_cookies(visitor.get_csrf()), *_set_cookies(visitor.log_in())]:
            yield _flags(line)
    told = Visitor(stage).send("GET", "/api/auth/csrf/", headers={"X-Forwarded-Proto": "https"})
    hsts = "strict-transport-security" in told.headers
    yield Check(name="X-Forwarded-Proto from a client", ok=not hsts, detail="believed" if hsts else "ignored")


def _set_cookies(response: httpx2.Response) -> list[str]:
    response.raise_for_status()
    return response.headers.get_list("set-cookie")


def _flags(line: str) -> Check:
    name = line.partition("=")[0]
    wanted = {
        "Secure": r";\s*Secure\b",
        "HttpOnly": r";\s*HttpOnly\b",
        "SameSite": r";\s*SameSite=(Lax|Strict)\b",
        "Path": r";\s*Path=/",
    }
    lacks = [flag for flag, sign in wanted.items() if not re.search(sign, line, re.IGNORECASE)]
    if name.endswith(("sessionid", "csrftoken")) and not name.startswith("__Host-"):
        lacks.append("the prefix __Host-")
    return Check(
        name=f"cookie {name}", ok=not lacks, detail=f"lacks {', '.join(lacks)}" if lacks else "flags"
    )


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "A4-01",
        "Session fixation",
        "a new key at log-in; the planted one is nobody's",
        fixation,
        beside=HARMLESS,
    ),
    Attack(
        "A4-02",
        "Session key after log-out and password change",
        "401; the changing session goes on",
        ended_sessions,
        beside=HARMLESS,
    ),
    Attack(
        "A4-03",
        "Session cookie with no, wrong or foreign CSRF token",
        "403, nothing written",
        missing_csrf,
        beside=HARMLESS,
    ),
    Attack("A4-04", "CSRF from a foreign Origin or Referer", "403", foreign_origin, beside=HARMLESS),
    Attack(
        "A4-05",
        "Log-in CSRF",
        "403 for the ways that set cookies",
        login_csrf,
        profile="guarded",
        beside=HARMLESS,
    ),
    Attack(
        "A4-06",
        "Token in a header, and in a cookie, without CSRF token",
        "the header needs none; the cookie gets 403",
        ambient_tokens,
        profile="guarded",
        beside=HARMLESS,
    ),
    Attack(
        "A4-07",
        "Session cookie beside an Authorization header",
        "a Bearer header decides; nothing else lifts CSRF",
        two_credentials,
        beside=HARMLESS,
    ),
    Attack(
        "A4-08",
        "Cookie flags; X-Forwarded-Proto from a client",
        "Secure, HttpOnly, SameSite, __Host-; not believed",
        cookie_flags,
        profile="guarded",
        beside=HARMLESS,
    ),
)
