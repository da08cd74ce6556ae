"""Requests that are somebody's mistake or malice, each with the 4xx that it has to get, whoever serves the app."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import httpx2

BOOK = {
    "title": "A new book",
    "isbn": "9789999999999",
    "published": "2026-01-31",
    "pages": 300,
    "author_id": 3,
    "publisher_ids": [2, 5],
}
AT_ONCE = 4
CREDENTIALS = {"username": "nobody", "password": "of no use to anybody"}
JSON = "application/json"
LARGE = b'"' + b"x" * 2_700_000 + b'"'
LEAKS = (b"Traceback", b"site-packages", b"/app/", b"Exception", b"sqlite", b"psycopg", b"SELECT", b"DJANGO_")


@dataclass(frozen=True)
class BadRequest:
    """One request by an admin of the catalogue, and the status of its refusal."""

    name: str
    status: int
    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    edge_status: int | None = None  # where the edge refuses it before the app

    def __str__(self) -> str:
        return self.name


def all_refused(client: httpx2.Client, requests: Iterable[BadRequest]) -> list[str]:
    """What is wrong with their refusals, asked a few at a time; nothing if they are as they should be."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [said for wrong in pool.map(partial(refused, client), requests) for said in wrong]


def leaked(body: bytes) -> list[bytes]:
    """What a refusal says of the inside."""
    return [sign for sign in LEAKS if sign in body]


def refused(client: httpx2.Client, bad: BadRequest) -> list[str]:
    """What is wrong with the refusal of a request; nothing if it is as it should be."""
    try:
        answer = client.request(bad.method, bad.path, content=bad.body, headers=bad.headers)
    except httpx2.HTTPError as broken:
        return [f"{bad}: {type(broken).__name__}: {broken}"]
    found = []
    if answer.status_code not in {bad.status, bad.edge_status}:
        found.append(f"{bad}: status {answer.status_code}, not {bad.status}: {answer.text[:200]}")
    if answer.headers.get("content-type", "").partition(";")[0] != "application/json" or not _is_json(
        answer.content
    ):
        found.append(f"{bad}: no JSON: {answer.text[:200]}")
    if signs := leaked(answer.content):
        found.append(f"{bad}: speaks of {signs}")
    return found


def _is_json(body: bytes) -> bool:
    try:
        return bool(json.loads(body))
    except ValueError:
        return False


def _get(path: str, status: int, **headers: str) -> BadRequest:
    return BadRequest(f"GET {path[:60]}", status, "GET", path, headers=headers)


def _send(
    path: str, name: str, body: object, status: int, *, method: str = "POST", kind: str = JSON
) -> BadRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return BadRequest(f"{method} {path} {name}", status, method, path, raw, {"Content-Type": kind})


UNREADABLE = (
    ("cut", b'{"name": ', 400),
    ("empty", b"", 400),
    ("not UTF-8", b'{"name": "\xff"}', 400),
    ("UTF-16", json.dumps(CREDENTIALS).encode("utf-16"), 400),
    ("a list", [], 400),
    ("a text", '"name"', 400),
    ("null", b"null", 400),
    ("a number without end", b"1" * 5000, 400),
    ("not a number", b'{"born": NaN}', 400),
    ("too deep to read", b"[" * 100_000, 400),
    ("too deep to walk", b'{"a":' * 400 + b"1" + b"}" * 400, 400),
    ("too large", LARGE, 413),
)
TAKES_JSON = (
    "/api/authors/",
    "/api/books/",
    "/api/auth/jwt/login/",
    "/api/auth/jwt/signup/",
    "/api/auth/jwt/refresh/",
    "/api/auth/jwt/verify/",
    "/api/auth/jwt/logout/",
    "/api/auth/plain/login/",
    "/api/auth/plain/signup/",
    "/api/auth/plain/refresh/",
    "/api/auth/plain/verify/",
)
FIELDS = (
    ("author_id", 4711),
    ("author_id", 10**30),
    ("author_id", [1]),
    ("publisher_ids", [4711]),
    ("publisher_ids", [[[1]]]),
    ("publisher_ids", list(range(100_000))),
    ("pages", 10**30),
    ("pages", "many"),
    ("published", "2026-02-30"),
    ("published", 10**30),
    ("isbn", "x" * 100_000),
    ("title", {"a": 1}),
    ("title", "\0"),
    ("title", "\ud800"),
)
BAD_REQUESTS = (
    *(_send(path, name, body, status) for path in TAKES_JSON for name, body, status in UNREADABLE),
    *(
        _send(path, "as a form", b"name=New", 415, kind="application/x-www-form-urlencoded")
        for path in TAKES_JSON
    ),
    *(_send(path, "as a text", b"{}", 415, kind="text/plain") for path in TAKES_JSON),
    *(
        _send(f"/api/auth/{way}/login/", f"{name} {ascii(value)[:20]}", CREDENTIALS | {name: value}, 400)
        for way in ("jwt", "plain")
        for name in CREDENTIALS
        for value in ("\0", "\ud800", "", "x" * 100_000, [], {}, None)
    ),
    *(
        _send(
            f"/api/auth/{way}/signup/",
            f"{name} {ascii(value)[:20]}",
            {"email": "a@b.org"} | CREDENTIALS | {name: value},
            400,
        )
        for way in ("jwt", "plain")
        for name in (*CREDENTIALS, "email")
        for value in ("\0", "\ud800", [])
    ),
    *(
        _send(f"/api/auth/{way}/{view}/", "no token", {name: value}, 401)
        for way in ("jwt", "plain")
        for view, name in (("refresh", "refresh"), ("verify", "token"))
        for value in ("x", "ä.ö.ü")
    ),
    *(
        _send("/api/books/", f"{name} {ascii(value)[:20]}", BOOK | {name: value}, 400)
        for name, value in FIELDS
    ),
    *(
        _send("/api/books/237/", f"{name} {ascii(value)[:20]}", {name: value}, 400, method="PATCH")
        for name, value in FIELDS
    ),
    _send("/api/books/", "without end", b'{"author_id": 1e400, "pages": 1e400}', 400),
    _send("/api/books/", "another charset", BOOK, 400, kind=f"{JSON}; charset=utf-16"),
    _send("/api/books/", "a charset that is none", BOOK, 400, kind=f"{JSON}; charset=zlib"),
    _send(
        "/api/books/",
        "a form of a charset that is none",
        b"",
        400,
        kind="multipart/form-data; boundary=x; charset=zlib",
    ),
    _send("/api/auth/session/login/", "no CSRF token", CREDENTIALS, 403),
    _send(
        "/api/auth/session/login/",
        "a form without end",
        b"a" * 2_700_000,
        413,
        kind="application/x-www-form-urlencoded",
    ),
    BadRequest(
        "malformed idempotency key",
        400,
        "POST",
        "/api/books/",
        json.dumps(BOOK).encode(),
        {"Content-Type": JSON, "Idempotency-Key": "a b"},
    ),
    BadRequest("a NUL in the path", 404, "GET", "/api/%00/", edge_status=400),
    BadRequest("an author with books", 409, "DELETE", "/api/authors/37/"),
    *(
        _get(path, 404)
        for path in (
            "/api/books/0/",
            "/api/books/4711/",
            f"/api/books/{10**30}/",
            f"/api/books/{'9' * 600}/",
            "/api/books/x/",
            "/api/books/-1/",
            "/api/books/%ff/",
            "/api/nothing-here/",
            "/nothing-here%ff",
            "/api/books/?page=26000",
            f"/api/books/?page={2**63 - 1}",
        )
    ),
    *(
        _get(f"/api/books/?{query}", 400)
        for query in (
            *(f"page={value}" for value in ("", "0", "-1", "1.5", "x", "%00", "%D9%A3", "9" * 600)),
            *(f"page_size={value}" for value in ("", "0", "501", "x", "1e1")),
            *(f"ordering={value}" for value in ("", "price", "id,id", "author__name", "--id", "%00")),
            *(f"search={value}" for value in ("%00", "x" * 101, "%ff", "+".join("a" * 60))),
            *(f"strategy={value}" for value in ("", "fast", "NAIVE")),
            *(f"include={value}" for value in ("pages", "author;publishers", "%00")),
            *(f"author={value}" for value in ("x", "-1", "1e400", "9" * 600)),
            *(f"published__gte={value}" for value in ("soon", "2026-02-30", "%00")),
            "isbn=%00",
            "title=%ed%a0%80",
        )
    ),
    _get("/api/books/", 406, Accept="text/html"),
    *(_get(f"/api/writes/{query}", 400) for query in ("", "?key=", "?key=a&key=%20", "?" + "key=k&" * 101)),
    *(_get(path, 405) for path in TAKES_JSON[2:]),
    *(
        BadRequest(f"{method} {path}", 405, method, path)
        for method, path in (
            ("PUT", "/api/books/"),
            ("DELETE", "/api/books/"),
            ("POST", "/api/books/237/"),
            ("POST", "/api/writes/"),
            ("OPTIONS", "/healthz"),
            ("OPTIONS", "/readyz"),
            ("OPTIONS", "/api/ping/"),
            ("OPTIONS", "/lab/identity"),
            ("OPTIONS", "/.well-known/jwks.json"),
        )
    ),
    BadRequest("POST /healthz without a CSRF token", 403, "POST", "/healthz"),
)
# Django reads the query string by the body's charset while it makes the request, before any middleware.
NO_TEXT = (
    _send("/api/auth/jwt/login/?a=1", "a charset of no text", CREDENTIALS, 400, kind=f"{JSON}; charset=zlib"),
    _get("/api/books/?page=1", 400, **{"Content-Type": f"{JSON}; charset=zlib"}),
)
# Refused by its length, before anything is read of it.
UNREAD = tuple(bad for bad in BAD_REQUESTS if bad.status == 413)
