"""What a script of another origin may read and send: CORS (rows A4-10 to A4-15)."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2

from serverlab.attacks.profiles import CORS_ORIGIN
from serverlab.attacks.stage import HARMLESS, Attack, Outcome, Stage
from serverlab.attacks.visitor import Visitor, judged, newcomer, status
from serverlab.model.records import Check

BOOKS = "/api/books/"
ALLOW_ORIGIN = "access-control-allow-origin"
CREDENTIALS = "access-control-allow-credentials"


def allowed_preflight(stage: Stage) -> Outcome:
    """The origin that is listed asks whether it may send a token."""
    answer = _preflight(stage, CORS_ORIGIN)
    echoed, vary = answer.headers.get(ALLOW_ORIGIN), answer.headers.get("vary", "")
    asked = answer.headers.get("access-control-allow-headers", "").lower()
    return judged(
        [
            status("preflight", answer, 200, 204),
            Check(name=ALLOW_ORIGIN, ok=echoed == CORS_ORIGIN, detail=f"{echoed}"),
            Check(name="Vary", ok="origin" in vary.lower(), detail=f"Vary: {vary}"),
            Check(name="Authorization allowed", ok="authorization" in asked, detail=asked),
            Check(name=CREDENTIALS, ok=CREDENTIALS not in answer.headers, detail="no cookies"),
        ],
        seen="the exact origin, Vary: Origin, no cookies",
    )


def foreign_preflights(stage: Stage) -> Outcome:
    """Origins that look like the one that is listed, or like nobody's."""
    host = CORS_ORIGIN.removeprefix("https://")
    foreign = (
        "https://evil.example",
        "null",
        f"{CORS_ORIGIN}.evil",
        f"https://evil-{host}",
        f"http://{host}",
        f"{CORS_ORIGIN}:8443",
        f"https://sub.{host}",
        CORS_ORIGIN.upper(),
        "*",
    )
    return judged((_not_echoed(stage, origin) for origin in foreign), seen="no CORS header")


def _not_echoed(stage: Stage, origin: str) -> Check:
    answers = (_preflight(stage, origin), _get(stage, BOOKS, origin))
    shown = [answer.headers[ALLOW_ORIGIN] for answer in answers if ALLOW_ORIGIN in answer.headers]
    broken = [answer.status_code for answer in answers if answer.status_code >= 500]
    return Check(name=f"Origin {origin}", ok=not shown and not broken, detail=f"{[*shown, *broken]}")


def trailing_slash(stage: Stage) -> Outcome:
    """The listed origin with a slash behind it, which no browser sends: what comes back is only put on record."""
    answer = _preflight(stage, f"{CORS_ORIGIN}/")
    echoed = answer.headers.get(ALLOW_ORIGIN)
    return judged(
        [status("preflight", answer, 200, 204)], seen=f"echoed as {echoed}" if echoed else "not echoed"
    )


def star(stage: Stage) -> Outcome:
    """Every kind of answer, asked for by three origins: none may be for all origins."""
    checks = (
        _no_star(origin, answer)
        for origin in (CORS_ORIGIN, "https://evil.example", "null")
        for answer in (_preflight(stage, origin), *_every_kind(stage, origin).values())
    )
    return judged(checks, seen="never *, never with credentials")


def _no_star(origin: str, answer: httpx2.Response) -> Check:
    allowed, credentials = answer.headers.get(ALLOW_ORIGIN), answer.headers.get(CREDENTIALS)
    ok = allowed in (None, CORS_ORIGIN) and credentials is None
    return Check(name=f"Origin {origin}", ok=ok, detail=f"{allowed}, credentials {credentials}")


def simple_request(stage: Stage) -> Outcome:
    """What a form of a foreign page can send without being asked first: a body as text/plain, with the cookies."""
    return judged(_simple_requests(stage))


def _simple_requests(stage: Stage) -> Iterator[Check]:
    victim = newcomer(stage, role="editor")
    headers = {"Origin": "https://evil.example", "Content-Type": "text/plain", "X-CSRFToken": None}
    body = (
        '{"title": "planted", "username": "planted", "email": "p@example.org", "password": "planted-8-long"}'
    )
    for path in (BOOKS, *(f"/api/auth/{way}/signup/" for way in ("session", "jwt", "plain"))):
        yield status(path, victim.send("POST", path, headers=headers, content=body), 403, 415)
    planted = Visitor(stage, "jwt", username="planted", password="planted-8-long")  # noqa: S106
    yield status("the account that was asked for", planted.log_in(), 401)


def errors_too(stage: Stage) -> Outcome:
    """Whether a page of the listed origin can read why it was refused."""
    kinds = _every_kind(stage, CORS_ORIGIN)
    checks = [
        Check(
            name=name,
            ok=answer.headers.get(ALLOW_ORIGIN) == CORS_ORIGIN and answer.status_code < 500,
            detail=f"{answer.status_code}, {ALLOW_ORIGIN}: {answer.headers.get(ALLOW_ORIGIN)}",
        )
        for name, answer in kinds.items()
    ]
    shown = f"on {', '.join(dict.fromkeys(str(answer.status_code) for answer in kinds.values()))}"
    if not stage.settings.target.edge:
        return judged(checks, seen=shown)
    large = stage.client.post(BOOKS, content=b" " * (3 << 20), headers={"Origin": CORS_ORIGIN})
    checks.append(
        Check(name="made by the edge", ok=large.status_code == 413, detail=f"{large.status_code} by the edge")
    )
    own = "with" if ALLOW_ORIGIN in large.headers else "without"
    return judged(checks, seen=f"{shown}; the edge's own 413 {own}")


def _every_kind(stage: Stage, origin: str) -> dict[str, httpx2.Response]:
    headers = {"Origin": origin}
    editor = {**headers, "Authorization": f"Bearer {stage.access}"}
    return {
        "no credential": _get(stage, BOOKS, origin),
        "not allowed": stage.client.delete(f"{BOOKS}1/", headers=editor),
        "no such address": _get(stage, "/api/nothing/", origin),
        "not JSON": stage.client.post("/api/auth/jwt/verify/", headers=headers, content=b"{"),
        "wrong method": stage.client.delete("/api/auth/jwt/me/", headers=editor),
    }


def _get(stage: Stage, path: str, origin: str) -> httpx2.Response:
    return stage.client.get(path, headers={"Origin": origin})


def _preflight(stage: Stage, origin: str) -> httpx2.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return stage.client.options(BOOKS, headers=headers)


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "A4-10",
        "CORS preflight from the listed origin",
        "that exact origin, Vary: Origin, no cookies",
        allowed_preflight,
        profile="guarded",
        beside=HARMLESS,
    ),
    Attack(
        "A4-11",
        "CORS preflight from similar and foreign origins",
        "no CORS header",
        foreign_preflights,
        profile="guarded",
        beside=HARMLESS,
    ),
    Attack(
        "A4-12",
        "Listed origin with a slash",
        "on record; no browser sends it",
        trailing_slash,
        profile="guarded",
        beside=HARMLESS,
    ),
    Attack(
        "A4-13", "CORS for everybody, or with credentials", "never", star, profile="guarded", beside=HARMLESS
    ),
    Attack(
        "A4-14",
        "State changed by a simple request (text/plain)",
        "403 or 415, nothing written",
        simple_request,
        beside=HARMLESS,
    ),
    Attack(
        "A4-15",
        "CORS headers on refusals",
        "on the app's; the edge's own have none",
        errors_too,
        profile="guarded",
        beside=HARMLESS,
    ),
)
