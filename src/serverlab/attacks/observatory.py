"""How much a page's headers are worth, by the rules of Mozilla's HTTP Observatory.

Rules and modifiers: https://github.com/mdn/mdn-http-observatory/blob/main/src/grader/charts.js. Left out is what the
lab's pages cannot have: preloaded domains, resources of others, and redirects over several hosts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

EXTRA_CREDIT_FROM = 90
"""Bonuses count only for who has this without them."""

SIX_MONTHS_S = 15_768_000
PRIVATE_REFERRERS = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
SESSION_NAMES = re.compile(r"sess|access|refresh", re.IGNORECASE)
FORGERY_NAMES = re.compile(r"csrf|xsrf", re.IGNORECASE)
BROAD_SOURCES = {"*", "data:", "http:", "https:"}


@dataclass(frozen=True)
class Page:
    """What a scanner sees of an address: header names in lower case, each Set-Cookie by itself.

    ``redirect`` is where plain HTTP leads to at once, None where it does not.
    """

    headers: Mapping[str, str]
    cookies: tuple[str, ...] = ()
    over_tls: bool = True
    redirect: str | None = None


def score(page: Page, *, without: Collection[str] = ()) -> int:
    """100, less what is missing; more only for who lacks little. Never below 0.

    The tests that ``without`` names are not counted.
    """
    given = [worth for name, worth in modifiers(page).items() if name not in without]
    base = 100 + sum(each for each in given if each < 0)
    bonus = sum(each for each in given if each > 0)
    return max(0, base + (bonus if base >= EXTRA_CREDIT_FROM else 0))


def modifiers(page: Page) -> dict[str, int]:
    """What each test adds or takes, by its name."""
    headers = page.headers
    return {
        "content-security-policy": _policy(headers.get("content-security-policy", "")),
        "cookies": min(_cookies(page), default=0),
        "cross-origin-resource-sharing": _sharing(headers),
        "cross-origin-resource-policy": _resource_policy(headers.get("cross-origin-resource-policy", "")),
        "redirection": 0 if page.redirect and urlsplit(page.redirect).scheme == "https" else -20,
        "referrer-policy": _referrer(headers.get("referrer-policy", "")),
        "strict-transport-security": _transport(page),
        "x-content-type-options": 0 if headers.get("x-content-type-options", "").lower() == "nosniff" else -5,
        "x-frame-options": _frames(headers),
    }


def directives(policy: str) -> dict[str, list[str]]:
    """The sources of each directive of a Content-Security-Policy; the first of its name counts."""
    found: dict[str, list[str]] = {}
    for part in policy.split(";"):
        name, *sources = part.lower().split() or [""]
        found.setdefault(name, sources)
    found.pop("", None)
    return found


def _policy(policy: str) -> int:
    found = directives(policy)
    if not found:
        return -25
    default = found.get("default-src", ["*"])
    active = {source for name in ("script-src", "object-src") for source in found.get(name, default)}
    everything = {source for sources in found.values() for source in sources}
    if active & {"'unsafe-inline'", *BROAD_SOURCES}:
        return -20
    if any(source.startswith("http:") for source in everything):
        return -20
    if "'unsafe-eval'" in active:
        return -10
    if set(found.get("style-src", default)) & {"'unsafe-inline'", *BROAD_SOURCES}:
        return 0
    closed = default == ["'none'"] and set(found.get("form-action", ["*"])) <= {"'none'", "'self'"}
    return 10 if closed else 5


def _cookies(page: Page) -> Iterator[int]:
    protected = _transport(page) >= 0
    for cookie in (morsel for text in page.cookies for morsel in SimpleCookie(text).values()):
        session = bool(SESSION_NAMES.search(cookie.key))
        if not cookie["secure"]:
            yield (-10 if session else -5) if protected else (-40 if session else -20)
        if session and not cookie["httponly"]:
            yield -30
        if cookie["samesite"].lower() not in ("strict", "lax"):
            yield -20 if cookie["samesite"] or FORGERY_NAMES.search(cookie.key) else 0
        else:
            yield 5


def _sharing(headers: Mapping[str, str]) -> int:
    """Asked from a foreign origin; to name it, or everybody, and to let credentials along is the worst there is."""
    shared = headers.get("access-control-allow-origin")
    return -50 if shared and headers.get("access-control-allow-credentials", "").lower() == "true" else 0


def _resource_policy(value: str) -> int:
    return 10 if value in ("same-origin", "same-site") else 0


def _referrer(value: str) -> int:
    if not value:
        return 0
    return 5 if value.rsplit(",", maxsplit=1)[-1].strip().lower() in PRIVATE_REFERRERS else -5


def _transport(page: Page) -> int:
    age = re.search(r"max-age=\"?(\d+)", page.headers.get("strict-transport-security", ""), re.IGNORECASE)
    if not page.over_tls or not age:
        return -20
    return 0 if int(age[1]) >= SIX_MONTHS_S else -10


def _frames(headers: Mapping[str, str]) -> int:
    by_policy = directives(headers.get("content-security-policy", "")).get("frame-ancestors")
    denied = headers.get("x-frame-options", "").upper() in ("DENY", "SAMEORIGIN")
    return 5 if denied or (by_policy is not None and "*" not in by_policy) else -20
