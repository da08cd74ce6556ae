"""What only the edge can do: end TLS, speak HTTP/2, balance replicas, keep limits."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import httpx2
import pytest

from serverlab import probe
from serverlab.catalog import Catalog
from serverlab.compose import Container, Engine, StackSettings
from serverlab.faults.fault import await_effect

Start = Callable[..., AbstractContextManager[StackSettings]]


@pytest.fixture(scope="module")
def pair(start: Start, catalog: Catalog) -> Iterator[StackSettings]:
    """Two replicas behind nginx."""
    with start(catalog.target("gunicorn:gthread+nginx"), replicas=2) as settings:
        yield settings


def test_two_replicas_share_the_requests(engine: Engine, pair: StackSettings) -> None:
    url = probe.front_url(engine, pair)
    hosts = Counter(httpx2.get(f"{url}/lab/identity").json()["hostname"] for _ in range(40))
    assert len(hosts) == 2
    assert min(hosts.values()) >= 10


def waiting(edge: Container) -> int:
    """How many clients the edge has a connection with, over HTTP."""
    rows = [row.split() for row in edge.exec_run(["cat", "/proc/net/tcp"]).output.decode().splitlines()[1:]]
    return sum(row[1].endswith(f":{8080:04X}") and row[3] == "01" for row in rows)


def test_a_replica_that_is_out_is_asked_nothing_and_what_it_was_asked_is_answered(
    engine: Engine, pair: StackSettings
) -> None:
    """By the script that the edge's image ships, run as docs/deploys.md has it."""
    edge, url = engine.service("edge"), probe.front_url(engine, pair)
    first, second = sorted(engine.containers("app"), key=lambda each: str(each.name))

    def drain(*words: str) -> int:
        return int(edge.exec_run(["python3", "/lab/drain.py", *words]).exit_code)

    def asked() -> set[str]:
        return {httpx2.get(f"{url}/lab/identity").json()["hostname"] for _ in range(10)}

    with ThreadPoolExecutor(4) as clients:
        slow = [clients.submit(httpx2.get, f"{url}/lab/wait?ms=1500") for _ in range(4)]
        await_effect("four clients wait", lambda: "they do" if waiting(edge) == 4 else None)
        assert drain("out", first.name) == 0
        assert [each.done() and each.result().status_code for each in slow] == [200] * 4
    assert asked() == {second.id[:12]}
    assert drain("out", second.name) == 2
    assert asked() == {second.id[:12]}
    assert drain("in") == 0
    assert asked() == {first.id[:12], second.id[:12]}


def test_https_speaks_http2_and_tells_the_app_so(engine: Engine, pair: StackSettings) -> None:
    url = engine.url("edge", port=8443, scheme="https")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    port = int(url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain) as secure,
    ):
        assert secure.selected_alpn_protocol() == "h2"
        assert secure.version() in ("TLSv1.2", "TLSv1.3")
    seen = httpx2.get(f"{url}/lab/identity", verify=False).json()
    assert seen["scheme"] == "https"


def test_a_body_above_the_limit_is_refused(engine: Engine, pair: StackSettings) -> None:
    url = probe.front_url(engine, pair)
    answer = httpx2.post(f"{url}/api/auth/jwt/login/", content=b"x" * (20 << 20))
    assert answer.status_code == 413


def test_its_own_errors_are_json_and_carry_the_headers(engine: Engine, pair: StackSettings) -> None:
    url = probe.front_url(engine, pair)
    too_large = httpx2.post(f"{url}/api/ping/", content=b"x" * (3 << 20))
    not_there = httpx2.get(f"{url}/static/nothing-here.css")
    refused = httpx2.get(f"{url}/healthz", headers={"X-Long": "x" * 9000})
    assert [answer.status_code for answer in (too_large, not_there, refused)] == [413, 404, 400]
    for answer in (too_large, not_there, refused):
        assert list(answer.json()) == ["detail"]
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_no_header_of_the_app_is_sent_twice(engine: Engine, pair: StackSettings) -> None:
    answer = httpx2.get(f"{probe.front_url(engine, pair)}/api/ping/")
    names = Counter(name.lower() for name, _ in answer.headers.multi_items())
    assert [name for name, count in names.items() if count > 1] == []
    assert {"content-security-policy", "x-frame-options", "referrer-policy"} <= set(names)
