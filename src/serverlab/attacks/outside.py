"""What a stack shows to the public: hosts, files, errors, headers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx2

from serverlab.attacks import inside, scripts, wire
from serverlab.attacks.stage import HARMLESS, LEAKS, UNSERVED, Attack, Outcome, Stage, failed, passed
from serverlab.attacks.visitor import judged
from serverlab.model.records import Check

EVIL = "evil.example"
OUR_HOST = "Host: 127.0.0.1"
TRAVERSALS = (
    "/static../settings.py",
    "/static../app/config/settings.py",
    "/static/../config/settings.py",
    "/static/..%2fconfig/settings.py",
    "/static/%2e%2e/manage.py",
    "/static/%252e%252e/manage.py",
    "/static/..\\config\\settings.py",
    "/static/..%5cconfig%5csettings.py",
    "/static/....//config/settings.py",
    "/static//etc/passwd",
    "/static/%2fetc%2fpasswd",
    "/../../../../etc/passwd",
    "/.git/HEAD",
    "/.env",
    "/Dockerfile",
    "/manage.py",
    "/config/settings.py",
    "/config/__pycache__/settings.cpython-313.pyc",
    "/data/db.sqlite3",
    "/lab/server.toml",
)
CANARIES = (
    b"INSTALLED_APPS",
    b"root:x:0:0",
    b"ref: refs/",
    b"execute_from_command_line",
    b"SQLite format 3",
    b"[identity]",
)
"""What stands in the files that are asked for."""

BACK_DOORS = (
    "/admin/",
    "/server-status",
    "/server-info",
    "/nginx_status",
    "/stub_status",
    "/basic_status",
    "/stats",
    "/metrics",
    "/debug/",
    "/__debug__/",
    "/static/",
    "/edge/404",
)
LISTENS = {"app": {8000}, "edge": {8080, 8443}}
VERSION = re.compile(r"\d+\.\d+|/\d")
TELLING = ("server", "x-powered-by", "via", "x-aspnet-version", "x-generator")


def foreign_hosts(stage: Stage) -> Outcome:
    """W-01."""
    refused = {
        "another host": (f"Host: {EVIL}",),
        "another host with a port": (f"Host: {EVIL}:8000",),
        "the host behind ours": (f"Host: 127.0.0.1.{EVIL}",),
        "an address": ("Host: 10.11.12.13",),
        "no host": (),
        "a broken host": ("Host: a b/c",),
    }
    unheard = {
        "X-Forwarded-Host": (OUR_HOST, f"X-Forwarded-Host: {EVIL}"),
        "Forwarded": (OUR_HOST, f"Forwarded: host={EVIL}"),
        "two hosts": (OUR_HOST, f"Host: {EVIL}"),
    }
    return judged(
        [
            *(_host_refused(stage, name, lines) for name, lines in refused.items()),
            *(_host_unheard(name, wire.get(stage.url, "/", *lines)) for name, lines in unheard.items()),
            _host_unheard("an absolute address", wire.get(stage.url, f"http://{EVIL}/healthz", OUR_HOST)),
        ]
    )


def _host_refused(stage: Stage, name: str, lines: tuple[str, ...]) -> Check:
    found = wire.get(stage.url, "/healthz", *lines)
    ok = found.status == 400 and EVIL.encode() not in found.body
    return Check(name=name, ok=ok, detail=str(found.status or "closed"))


def _host_unheard(name: str, found: wire.Reply) -> Check:
    """Whether the answer is fine, or refuses; and does not repeat the name."""
    repeated = EVIL.encode() in found.body or EVIL in " ".join(found.headers.values())
    shown = f"{found.status or 'closed'}{', repeats the name' if repeated else ''}"
    return Check(name=name, ok=found.status in (0, 200, 400, 404, 421) and not repeated, detail=shown)


def traversal(stage: Stage) -> Outcome:
    """W-02."""
    return judged([_withheld(path, wire.get(stage.url, path, OUR_HOST)) for path in TRAVERSALS])


def _withheld(path: str, found: wire.Reply) -> Check:
    shown = next((canary.decode() for canary in CANARIES if canary in found.body), None)
    ok = found.status in (400, 403, 404) and not shown
    return Check(name=path, ok=ok, detail=f"{found.status}{f', shows {shown!r}' if shown else ''}")


def back_doors(stage: Stage) -> Outcome:
    """W-03: no such page, and no other port than those that are published."""
    pages = [_withheld(path, wire.get(stage.url, path, OUR_HOST)) for path in BACK_DOORS]
    return judged([*pages, *_ports(stage)])


def _ports(stage: Stage) -> Iterator[Check]:
    for service, wanted in LISTENS.items():
        for container in stage.engine.containers(service):
            said = container.exec_run(["python3", "-ISc", scripts.LISTENING]).output.decode(errors="replace")
            ok = said.split() == [str(port) for port in sorted(wanted)]
            yield Check(name=container.name, ok=ok, detail=f"listens on {said.strip()[-100:]}")


BROKEN_QUERY = "broken UTF-8 in the query"
WANTED = {BROKEN_QUERY: (400,)}
"""The statuses that are right for a mistake, where not every 4xx is."""


def _mistakes(stage: Stage) -> dict[str, Callable[[], wire.Reply | httpx2.Response]]:
    """Requests that are wrong in as many ways, by name."""

    def ask(method: str, path: str, **options: Any) -> Callable[[], httpx2.Response]:  # noqa: ANN401
        return lambda: stage.client.request(method, path, **options)

    as_json = {"Content-Type": "application/json"}
    login = "/api/auth/jwt/login/"
    bearer = {"Authorization": f"Bearer {stage.access}"}
    return {
        "unknown page": ask("GET", "/nothing-here"),
        "unknown address of the API": ask("GET", "/api/nothing-here/"),
        "unknown method": ask("DELETE", "/api/ping/"),
        "a method that nobody knows": ask("BREW", "/api/ping/"),
        "broken JSON": ask("POST", login, content=b'{"username": ', headers=as_json),
        "broken UTF-8": ask("POST", login, content=b'{"username": "\xff\xfe"}', headers=as_json),
        "a list for an object": ask("POST", login, content=b"[1, 2]", headers=as_json),
        "wrong types": ask("POST", login, content=b'{"username": {}, "password": [1]}', headers=as_json),
        "a NUL": ask("POST", login, content=b'{"username": "a\\u0000", "password": "b"}', headers=as_json),
        "deep JSON": ask("POST", login, content=b"[" * 100_000, headers=as_json),
        "another type of content": ask("POST", login, content=b"<a/>", headers={"Content-Type": "text/xml"}),
        "broken JSON, without DRF": ask(
            "POST", "/api/auth/plain/refresh/", content=b'{"refresh": ', headers=as_json
        ),
        "a huge id": ask("GET", f"/api/books/{'9' * 40}/", headers=bearer),
        "a page that is none": ask("GET", "/api/books/?page=no", headers=bearer),
        BROKEN_QUERY: ask("GET", "/api/books/?search=%ff%fe", headers=bearer),
        "another host": lambda: wire.get(stage.url, "/", f"Host: {EVIL}"),
        "a large body": ask("POST", login, content=b"x" * 1_100_000, headers=as_json),
        "a body in chunks": ask("POST", login, content=iter([b"{}"]), headers=as_json),
    }


def errors(stage: Stage) -> Outcome:
    """W-10."""
    return judged([_error(name, send()) for name, send in _mistakes(stage).items()])


def _error(name: str, found: wire.Reply | httpx2.Response) -> Check:
    status = found.status if isinstance(found, wire.Reply) else found.status_code
    body = found.body if isinstance(found, wire.Reply) else found.content
    text = body.decode(errors="replace")
    leak = next((sign for sign in LEAKS if sign in text), None)
    told = "" if _is_object(text) else ", no JSON"
    ok = status in WANTED.get(name, range(400, 500)) and not leak and not told
    return Check(name=name, ok=ok, detail=f"{status}{told}{f', shows {leak!r}' if leak else ''}")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def deployment_checks(stage: Stage) -> Outcome:
    """W-11."""
    arguments = ["manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    code, said = inside.run(stage, arguments, environment=scripts.PRODUCTION)
    last = said.strip().splitlines()[-1] if said.strip() else f"exit code {code}"
    return passed(last) if code == 0 else failed(last, "expected no issue")


def versions(stage: Stage) -> Outcome:
    """W-12."""
    asked = {
        path: wire.get(stage.url, path, OUR_HOST) for path in ("/healthz", "/nothing-here", "/static/no")
    }
    asked["a broken request"] = wire.send(stage.url, b"NONSENSE\r\n\r\n")
    told = {
        value
        for found in asked.values()
        for name, value in found.headers.items()
        if name in TELLING and VERSION.search(value)
    }
    if told:
        return failed(", ".join(sorted(told)), "expected no version")
    names = {value for found in asked.values() if (value := found.headers.get("server"))}
    return passed(", ".join(sorted(names)) or "no Server header")


ATTACKS = (
    Attack(
        "W-01",
        "another Host",
        "400; what else claims a host is not heard",
        foreign_hosts,
        "guarded",
        beside=HARMLESS,
    ),
    Attack(
        "W-02", "paths out of the static files", "400, 403 or 404, and no file", traversal, beside=HARMLESS
    ),
    Attack("W-03", "status pages, directory listings, ports", "not there", back_doors, beside=HARMLESS),
    Attack(
        "W-10", "errors of every kind", "4xx, JSON, nothing of the inside", errors, "guarded", beside=HARMLESS
    ),
    Attack(
        "W-11",
        "check --deploy with production settings, in the image",
        "no issue",
        deployment_checks,
        beside=UNSERVED,
    ),
    Attack("W-12", "versions in headers", "none", versions, beside=HARMLESS),
)
