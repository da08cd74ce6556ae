"""The ways of a stack that lead through the fault proxy lead through nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import httpx2
import pytest

from serverlab import probe
from serverlab.catalog import Catalog
from serverlab.compose import Database, Engine, StackSettings
from serverlab.faults.proxy import API_PORT, SERVICE, FaultProxy, Toxic, proxy_of
from serverlab.model.stacks import Proxied

pytestmark = pytest.mark.contract
Start = Callable[..., AbstractContextManager[StackSettings]]
SLOW_MS = 300
SLOW = [Toxic("latency", attributes={"latency": SLOW_MS})]


@pytest.fixture(scope="module", params=[Proxied.DATABASE, Proxied.UPSTREAM], ids=lambda way: way.value)
def stack(request: pytest.FixtureRequest, start: Start, catalog: Catalog) -> Iterator[StackSettings]:
    way = request.param
    target = catalog.target("gunicorn:gthread" if way is Proxied.DATABASE else "gunicorn:gthread+nginx")
    database = Database.POSTGRES if way is Proxied.DATABASE else Database.SQLITE
    with start(target, database=database, proxied=way) as settings:
        yield settings


@pytest.fixture
def proxy(engine: Engine, stack: StackSettings) -> FaultProxy:
    return proxy_of(engine, stack)


def asked(url: str, path: str = "/readyz") -> tuple[int, float]:
    """Status and seconds."""
    began = time.monotonic()
    return httpx2.get(f"{url}{path}", timeout=10).status_code, time.monotonic() - began


def awaited(url: str, *, status: int) -> None:
    give_up = time.monotonic() + 10
    while asked(url)[0] != status:
        assert time.monotonic() < give_up, f"no {status} within 10 s"
        time.sleep(0.05)


def test_a_request_is_traffic_of_the_proxy(proxy: FaultProxy, url: str) -> None:
    before = proxy.traffic()
    assert asked(url)[0] == 200
    after = proxy.traffic()
    assert after.upstream_bytes > before.upstream_bytes
    assert after.downstream_bytes > before.downstream_bytes
    assert after.touched == before.touched


def test_what_it_does_to_the_way_is_felt_until_it_is_undone(proxy: FaultProxy, url: str) -> None:
    with proxy.harmed(SLOW):
        status, took_s = asked(url)
        assert status == 200
        assert took_s >= SLOW_MS / 1000
    assert asked(url)[1] < SLOW_MS / 1000


def test_when_it_is_down_nothing_gets_by_it(proxy: FaultProxy, stack: StackSettings, url: str) -> None:
    away = 503 if stack.proxied is Proxied.DATABASE else 502
    with proxy.down():
        assert asked(url)[0] == away
    awaited(url, status=200)


def test_a_client_may_ask_it_in_the_place_of_the_stack(engine: Engine, stack: StackSettings) -> None:
    container = engine.service(SERVICE)
    (network,) = container.attrs["NetworkSettings"]["Networks"].values()
    name, port = ("edge", 8080) if stack.target.edge else ("app", 8000)
    front = FaultProxy(engine.url(SERVICE, port=API_PORT), name)
    before = front.traffic().accepted
    assert asked(f"http://{network['IPAddress']}:{port}", "/healthz")[0] == 200
    assert front.traffic().accepted == before + 1


def test_the_proxy_itself_is_reached_from_this_machine_only(engine: Engine, stack: StackSettings) -> None:
    ports = engine.service(SERVICE).attrs["NetworkSettings"]["Ports"]
    published = [bound["HostIp"] for each in ports.values() for bound in each or ()]
    assert published == ["127.0.0.1"]
    assert probe.front_url(engine, stack).startswith("http://127.0.0.1:")
