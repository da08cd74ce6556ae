"""What only the edge can do: end TLS, speak HTTP/2, balance replicas, keep limits."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import httpx2
import pytest

from serverlab import probe
from serverlab.catalog import Catalog
from serverlab.compose import Engine, StackSettings

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
