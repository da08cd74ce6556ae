"""The headers of every class of answer, and what plain HTTP leads to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from serverlab.attacks.observatory import Page, directives, modifiers, score
from serverlab.attacks.stage import HARMLESS, Attack, Outcome, Stage
from serverlab.attacks.visitor import judged, status
from serverlab.model.records import Check
from serverlab.probe import LOGIN, PASSWORD, USER

FOREIGN = "foreign.example"
TWO_YEARS_S = 63_072_000

REDIRECTION = ("redirection",)
"""What is left out of a score where plain HTTP is answered, because everything else is asked over it: W-21 has it."""

TRANSPORT = (*REDIRECTION, "strict-transport-security")
"""What is left out where nobody speaks TLS."""

OUR_HOST = {"Host": "localhost"}
Wanted: TypeAlias = Mapping[str, tuple[str, dict[str, Any], int]]
"""By name: path, options of httpx2 (with a body it is a POST), and the status that is right."""

OVER_HTTP: Wanted = {
    "ping": ("/api/ping/", {}, 403),
    "me": ("/api/auth/jwt/me/", {}, 403),
    "log-in": (LOGIN, {"json": {"username": USER, "password": PASSWORD}}, 403),
    "health": ("/healthz", {}, 200),
    "ready": ("/readyz", {}, 200),
}
FORGED: Wanted = {"forged scheme": ("/api/ping/", {"headers": {"X-Forwarded-Proto": "https"}}, 403)}
OVER_TLS: Wanted = {"page over TLS": ("/", {}, 200), "ping over TLS": ("/api/ping/", {}, 200)}


def headers(stage: Stage) -> Outcome:
    """W-20: what every class of answer has to carry, over HTTP and over TLS; and the score of the page."""
    urls = [stage.url, *([stage.tls_url] if stage.tls_url else [])]
    checks = [check for url in urls for check in _header_checks(stage, url)]
    kind, left_out = ("redirection", REDIRECTION) if stage.tls_url else ("tls", TRANSPORT)
    page = _page(stage, urls[-1])
    found = score(page, without=left_out)
    checks.append(_scored(found, page))
    return judged(
        checks,
        seen=f"all there, score {found} without {' and '.join(left_out)}",
        measured={f"score_without_{kind}": float(found)},
    )


def _scored(found: int, page: Page) -> Check:
    return Check(name="Observatory", ok=found >= 100, detail=f"{found}: {modifiers(page)}")


def _header_checks(stage: Stage, url: str) -> Iterator[Check]:
    for name, (method, path, options) in _classes(stage).items():
        answer = stage.client.request(method, url + path, **options)
        missing = [*_missing(answer.headers, over_tls=url.startswith("https:"))]
        if path.startswith("/api/auth/") and answer.headers.get("cache-control") != "no-store":
            missing.append("cache-control")
        shown = f"{answer.status_code} without {', '.join(missing)}" if missing else "all there"
        yield Check(name=f"{url.partition(':')[0]}, {name}", ok=not missing, detail=shown)


def _classes(stage: Stage) -> dict[str, tuple[str, str, dict[str, Any]]]:
    broken = {"content": b"{", "headers": {"Content-Type": "application/json"}}
    return {
        "the page": ("GET", "/", {}),
        "an answer": ("GET", "/api/ping/", {}),
        "401": ("GET", "/api/auth/jwt/me/", {}),
        "400": ("POST", "/api/auth/jwt/refresh/", broken),
        "403": ("POST", "/api/auth/session/login/", {"json": {}}),
        "404": ("GET", "/nothing-here", {}),
        "404 of a file": ("GET", "/static/nothing-here.css", {}),
        "405": ("DELETE", "/api/ping/", {}),
        "413": ("POST", "/api/ping/", {"content": b"x" * 1_100_000}),
        **(
            {"413 by the edge": ("POST", "/api/ping/", {"content": b"x" * 3_000_000})}
            if stage.tls_url
            else {}
        ),
    }


def _missing(found: Mapping[str, str], *, over_tls: bool) -> Iterator[str]:
    policy = directives(found.get("content-security-policy", ""))
    age = re.search(r"max-age=(\d+)", found.get("strict-transport-security", ""))
    right = {
        "content-security-policy": policy.get("default-src") == ["'none'"],
        "frame-ancestors": policy.get("frame-ancestors") == ["'none'"],
        "x-frame-options": found.get("x-frame-options") == "DENY",
        "x-content-type-options": found.get("x-content-type-options") == "nosniff",
        "referrer-policy": found.get("referrer-policy") in ("no-referrer", "same-origin"),
        "cross-origin-opener-policy": found.get("cross-origin-opener-policy") == "same-origin",
        "strict-transport-security": not over_tls or (age is not None and int(age[1]) >= TWO_YEARS_S),
    }
    return (name for name, is_right in right.items() if not is_right)


def _page(stage: Stage, url: str, *, redirect: str | None = None) -> Page:
    """The page as a scanner sees it, with the cookies of a visitor."""
    answer = stage.client.get(f"{url}/", headers={"Origin": f"https://{FOREIGN}"})
    cookies = stage.client.get(f"{url}/api/auth/csrf/").headers.get_list("set-cookie")
    return Page(
        headers={name.lower(): value for name, value in answer.headers.items()},
        cookies=tuple(cookies),
        over_tls=url.startswith("https:"),
        redirect=redirect,
    )


def plain_http(stage: Stage) -> Outcome:
    """W-21: asked of a stack that wants HTTPS; behind an edge also over TLS, with the whole score of the page."""
    page = stage.client.get(f"{stage.url}/?a=b", headers=OUR_HOST)
    led_to = page.headers.get("location")
    right = page.status_code == 301 and led_to == "https://localhost/?a=b"
    detail = f"{page.status_code} to {led_to}, expected 301 to the same over HTTPS"
    checks = [Check(name="page", ok=right, detail=detail), *_asked(stage, stage.url, OVER_HTTP)]
    seen = "page 301, API 403, health 200"
    if stage.tls_url is None:
        return judged(checks, seen=seen)
    checks += [*_asked(stage, stage.url, FORGED), *_asked(stage, stage.tls_url, OVER_TLS)]
    scanned = _page(stage, stage.tls_url, redirect=led_to)
    found = score(scanned)
    checks.append(_scored(found, scanned))
    return judged(checks, seen=f"{seen}; over TLS 200, score {found}", measured={"score": float(found)})


def _asked(stage: Stage, url: str, wanted: Wanted) -> Iterator[Check]:
    for name, (path, options, code) in wanted.items():
        method = "POST" if "json" in options else "GET"
        yield status(name, stage.client.request(method, url + path, **options), code)


ATTACKS = (
    Attack(
        "W-20",
        "headers on every class of answer",
        "all there; Observatory's score 100 or more, but for what W-21 asks",
        headers,
        "guarded",
        beside=HARMLESS,
    ),
    Attack(
        "W-21",
        "plain HTTP, where HTTPS is wanted",
        "pages lead to HTTPS, the API refuses; over TLS all is there, score 100 or more",
        plain_http,
        "https-only",
    ),
)
