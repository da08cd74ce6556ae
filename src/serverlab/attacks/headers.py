"""The headers of every class of answer, and what plain HTTP leads to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from serverlab.attacks import inside, scripts
from serverlab.attacks.observatory import Page, directives, modifiers, score
from serverlab.attacks.stage import HARMLESS, UNSERVED, Attack, Outcome, Stage
from serverlab.attacks.visitor import judged
from serverlab.model.records import Check

FOREIGN = "foreign.example"
TWO_YEARS_S = 63_072_000


def headers(stage: Stage) -> Outcome:
    """W-20: what every class of answer has to carry, over HTTP and over TLS; and the score of the page."""
    urls = [stage.url, *([stage.tls_url] if stage.tls_url else [])]
    checks = [check for url in urls for check in _header_checks(stage, url)]
    if stage.tls_url is None:
        return judged(checks, seen="all there")
    page = _page(stage, stage.tls_url)
    found = score(page)
    checks.append(Check(name="Observatory", ok=found >= 100, detail=f"{found}: {modifiers(page)}"))
    return judged(checks, seen=f"all there, score {found}", measured={"score": float(found)})


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


def _page(stage: Stage, url: str) -> Page:
    """The page as a scanner sees it, with the cookies of a visitor; where HTTP leads to is what W-21 asks."""
    answer = stage.client.get(f"{url}/", headers={"Origin": f"https://{FOREIGN}"})
    cookies = stage.client.get(f"{url}/api/auth/csrf/").headers.get_list("set-cookie")
    return Page(
        headers={name.lower(): value for name, value in answer.headers.items()},
        cookies=tuple(cookies),
        over_tls=True,
        redirect=_over_http(stage)["/"][1],
    )


def plain_http(stage: Stage) -> Outcome:
    """W-21: asked of the app in its own image with production settings; the stack itself is asked over HTTP, too."""
    found = _over_http(stage)
    wanted: dict[str, tuple[int, str | None]] = {
        "/healthz": (200, None),
        "/": (301, "https://localhost/"),
        "/api/ping/": (403, None),
        "/api/auth/jwt/me/": (403, None),
    }
    return judged(
        [
            Check(name=path, ok=found.get(path) == answer, detail=f"{found.get(path)}, expected {answer}")
            for path, answer in wanted.items()
        ],
        seen="pages 301, the API 403, health 200",
    )


def _over_http(stage: Stage) -> dict[str, tuple[int, str | None]]:
    code, said = inside.run(
        stage, ["manage.py", "shell", "-c", scripts.OVER_HTTP], environment=scripts.PRODUCTION
    )
    if code:
        raise OSError(said.strip()[-200:])
    return {
        path: (status, location) for path, (status, location) in json.loads(said.splitlines()[-1]).items()
    }


ATTACKS = (
    Attack(
        "W-20",
        "headers on every class of answer",
        "all there; Observatory's score 100 or more",
        headers,
        "guarded",
        beside=HARMLESS,
    ),
    Attack(
        "W-21",
        "plain HTTP, with production settings",
        "pages lead to HTTPS, the API refuses",
        plain_http,
        beside=UNSERVED,
    ),
)
