"""The same questions to every server, direct and behind the edge.

What a variant leaves unanswered is what its ``server.toml`` declares, no more and no less. All in one module, because
each module starts every target once.
"""

from __future__ import annotations

import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from itertools import cycle, islice

import httpx2
import pytest

from serverlab import probe
from serverlab.catalog import Catalog
from serverlab.cli.context import CHECKOUT
from serverlab.compose import Container, Engine, StackSettings
from serverlab.model.definitions import Track, Unanswered
from serverlab.runner.trial import expectation
from tests.bad_requests import BAD_REQUESTS, NO_TEXT, UNREAD, all_refused, refused
from tests.contract.schema import CLOSED, EDGE_SAYS, ask_everything

ADMIN = "user10"
SERVICES = ("app", "edge")
GIBIBYTE = 1 << 30
SITE = CHECKOUT / "app" / "page" / "site"
TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
MANY = 200
LARGE_HEAD_BYTES = 4096
"""What a server answers that declares no bound of its own."""
TRIES = 100
PING = b"GET /api/ping/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
STALLED = (
    "PATCH /api/books/237/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n"
    'Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{{"pages":'
)
ARRIVED_S = 0.3
HELD_UP_S = 1.0


@pytest.fixture
def containers(engine: Engine, stack: StackSettings) -> list[Container]:
    found = [container for service in SERVICES for container in engine.containers(service)]
    assert len(found) == stack.replicas + (stack.target.edge is not None)
    return found


@pytest.fixture(scope="module")
def visitor() -> Iterator[httpx2.Client]:
    """A client with a connection for each request, which keeps nothing; to make one takes longer than an answer."""
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    with httpx2.Client(limits=probe.ONE_REQUEST_EACH, verify=False, cookies=no_cookies) as visitor:
        yield visitor


@pytest.fixture
def member(url: str, visitor: httpx2.Client) -> dict[str, str]:
    """Headers of a seeded user."""
    credentials = {"username": probe.USER, "password": probe.PASSWORD}
    answer = visitor.post(f"{url}/api/auth/jwt/login/", json=credentials)
    return {"Authorization": f"Bearer {answer.json()['access']}"}


@pytest.fixture
def client(url: str) -> Iterator[httpx2.Client]:
    """A client of an admin, with a connection for each request."""
    credentials = {"username": ADMIN, "password": probe.PASSWORD}
    with httpx2.Client(base_url=url, timeout=10, limits=probe.ONE_REQUEST_EACH, verify=False) as client:
        client.headers["Authorization"] = (
            f"Bearer {client.post(probe.LOGIN, json=credentials).json()['access']}"
        )
        yield client


@pytest.fixture
def unanswered(stack: StackSettings, catalog: Catalog) -> Unanswered:
    """What the variant declares that it does not answer."""
    return catalog.variant(stack.target).unanswered


def test_a_target_proves_its_identity_its_answers_and_its_refusals(
    engine: Engine, stack: StackSettings, catalog: Catalog
) -> None:
    proof = probe.prove(engine, expectation(catalog, stack))
    assert probe.failed_checks(proof) == []
    assert proof.server_version


def test_containers_run_as_a_numeric_user_who_is_not_root(containers: list[Container]) -> None:
    for container in containers:
        user = container.attrs["Config"]["User"].split(":")[0]
        assert user.isdigit()
        assert int(user) > 0


def test_no_process_of_a_container_has_any_capability(containers: list[Container]) -> None:
    for container in containers:
        assert container.attrs["HostConfig"]["CapDrop"] == ["ALL"]
        status = container.exec_run(["cat", "/proc/1/status"]).output.decode()
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status


def test_the_root_file_system_cannot_be_written(containers: list[Container]) -> None:
    for container in containers:
        tried = container.exec_run(["touch", "/app-was-here"])
        assert tried.exit_code != 0
        assert b"Read-only file system" in tried.output


def test_memory_processes_and_cores_are_limited(containers: list[Container], stack: StackSettings) -> None:
    for container in containers:
        limits = container.attrs["HostConfig"]
        assert 0 < limits["Memory"] <= GIBIBYTE
        assert limits["PidsLimit"] > 0
        assert limits["CpusetCpus"] == stack.split.stack


def test_every_container_network_and_volume_carries_the_run_as_its_label(
    engine: Engine, stack: StackSettings
) -> None:
    networks = engine.client.networks.list(filters={"label": f"org.serverlab={stack.label}"})
    volumes = engine.client.volumes.list(filters={"label": f"org.serverlab={stack.label}"})
    assert engine.labels() == {stack.label}
    assert (len(networks), len(volumes) >= 1) == (1, True)


def test_ports_are_published_on_loopback_only(containers: list[Container]) -> None:
    bound = [
        each["HostIp"]
        for container in containers
        for ports in container.attrs["NetworkSettings"]["Ports"].values()
        for each in ports or []
    ]
    assert bound
    assert set(bound) == {"127.0.0.1"}


@pytest.mark.leaves_rows
def test_lists_are_paginated_and_created_rows_are_found_again(
    url: str, visitor: httpx2.Client, member: dict[str, str]
) -> None:
    author = visitor.post(f"{url}/api/authors/", json={"name": "Ada Contract", "born": 1815}, headers=member)
    assert author.status_code == 201
    publisher = visitor.post(
        f"{url}/api/publishers/", json={"name": "Contract Press", "city": "Turin"}, headers=member
    )
    assert publisher.status_code == 201, publisher.text
    book = {
        "title": "Contract",
        "author_id": author.json()["id"],
        "publisher_ids": [publisher.json()["id"]],
        "isbn": "9780000009999",
    }
    book |= {"published": "2026-01-01", "pages": 42}
    created = visitor.post(f"{url}/api/books/", json=book, headers=member)
    assert created.status_code == 201, created.text
    found = visitor.get(f"{url}/api/books/{created.json()['id']}/", headers=member).json()
    assert (found["title"], found["author"]["name"]) == ("Contract", "Ada Contract")
    page = visitor.get(f"{url}/api/books/?page=2", headers=member).json()
    assert len(page["results"]) == 20


def test_a_refresh_token_works_once(url: str, visitor: httpx2.Client) -> None:
    credentials = {"username": probe.USER, "password": probe.PASSWORD}
    first = visitor.post(f"{url}/api/auth/jwt/login/", json=credentials).json()
    second = visitor.post(f"{url}/api/auth/jwt/refresh/", json={"refresh": first["refresh"]})
    again = visitor.post(f"{url}/api/auth/jwt/refresh/", json={"refresh": first["refresh"]})
    assert (second.status_code, again.status_code) == (200, 401)
    assert second.json()["refresh"] != first["refresh"]


def test_malformed_json_is_the_clients_mistake(url: str, visitor: httpx2.Client) -> None:
    answer = visitor.post(
        f"{url}/api/auth/jwt/login/", content=b'{"username": ', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()


def test_an_unknown_path_is_a_404_without_a_debug_page(url: str, visitor: httpx2.Client) -> None:
    answer = visitor.get(f"{url}/api/nothing-here/")
    assert answer.status_code == 404
    assert "DEBUG" not in answer.text


def test_static_files_are_served_exactly_where_the_target_says_so(
    url: str, visitor: httpx2.Client, stack: StackSettings, catalog: Catalog
) -> None:
    answer = visitor.get(f"{url}/static/lab/sample.css")
    can = "static" in catalog.capabilities(stack.target)
    assert answer.status_code == (200 if can else 404)
    if can:
        assert answer.headers["content-type"].startswith("text/css")


def test_the_page_and_its_files_are_served_as_they_are(url: str, visitor: httpx2.Client) -> None:
    wanted = {f"/site/{path.name}": path for path in SITE.iterdir()} | {"/": SITE / "index.html"}
    answers = {address: visitor.get(f"{url}{address}") for address in wanted}
    assert len(wanted) > 10
    for address, path in wanted.items():
        answer = answers[address]
        found = (answer.status_code, answer.headers["content-type"].partition(";")[0], answer.content)
        assert found == (200, TYPES[path.suffix], path.read_bytes()), address


def test_a_connection_is_kept_or_said_to_be_closed_unless_the_variant_is_known_to_close_it_silently(
    url: str, stack: StackSettings, catalog: Catalog
) -> None:
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5) as connection:
        says_so = b"connection: close" in head_of_answer(connection)
        if stack.target.edge is None and not catalog.variant(stack.target).keeps_connections:
            assert (says_so, is_closed(connection)) == (False, True)
        else:
            assert says_so or b"http/1.1 200" in head_of_answer(connection)


def test_behind_an_edge_no_request_is_lost_to_a_connection_that_the_server_closes(
    url: str, stack: StackSettings
) -> None:
    if stack.target.edge:
        with httpx2.Client(base_url=url, timeout=10, verify=False) as client:
            statuses = Counter(client.get("/api/ping/").status_code for _ in range(MANY))
        assert statuses == {200: MANY}


def head_of_answer(connection: socket.socket) -> bytes:
    """The status and headers of an answer to a ping, in small letters; its body is read as well."""
    connection.sendall(PING)
    read = b""
    while not read.endswith(b"}"):
        more = connection.recv(4096)
        assert more, f"closed after {read!r}"
        read += more
    return read.partition(b"\r\n\r\n")[0].lower()


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side ends the connection by itself; TimeoutError if it does not."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_client_cannot_forge_its_address(url: str, visitor: httpx2.Client, stack: StackSettings) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    seen = visitor.get(f"{url}/lab/identity", headers=forged).json()
    assert seen["client"] != "203.0.113.9", stack.target


def test_a_client_can_claim_to_have_come_over_tls_only_where_it_is_known(
    url: str, visitor: httpx2.Client, stack: StackSettings
) -> None:
    believes_anyone = stack.target.server == "uwsgi" and stack.target.edge is None  # deploy/uwsgi/server.toml
    seen = visitor.get(f"{url}/lab/identity", headers={"X-Forwarded-Proto": "https"}).json()
    assert seen["scheme"] == ("https" if believes_anyone else "http")


def test_bad_input_is_refused_in_json(client: httpx2.Client) -> None:
    assert all_refused(client, [bad for bad in (*BAD_REQUESTS, *NO_TEXT) if bad not in UNREAD]) == []


def test_a_client_that_stops_in_a_body_holds_up_the_writes_of_others_only_where_it_has_the_only_slot(
    url: str, client: httpx2.Client, stack: StackSettings, catalog: Catalog
) -> None:
    """Locks are taken once a body has been read. An edge passes none on before its end."""
    variant = catalog.variant(stack.target)
    slots = variant.workers.for_cpus(stack.cpus) * variant.threads
    only_one = slots == 1 and stack.target.edge is None
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5) as stalled:
        stalled.sendall(STALLED.format(authorization=client.headers["Authorization"]).encode())
        time.sleep(ARRIVED_S)
        try:
            answer = client.patch("/api/books/4711/", json={}, timeout=HELD_UP_S if only_one else 10)
        except httpx2.ReadTimeout:
            status = None
        else:
            status = answer.status_code
    assert status == (None if only_one else 404)


def test_a_body_that_is_refused_unread_costs_the_answer_where_that_is_declared_and_only_there(
    client: httpx2.Client, stack: StackSettings, unanswered: Unanswered
) -> None:
    """Chance decides each time, so it is tried until it happens; the edge refuses such a body itself."""
    if stack.target.edge or not unanswered.unread_bodies:
        assert all_refused(client, UNREAD) == []
        return
    tried = (refused(client, bad) for bad in islice(cycle(UNREAD), TRIES))
    wrong = "; ".join(next((found for found in tried if found), ["every one was answered"]))
    assert any(f": {closed.__name__}: " in wrong for closed in CLOSED), wrong


def test_a_large_head_is_answered_unless_the_opposite_is_declared(
    client: httpx2.Client, unanswered: Unanswered
) -> None:
    bytes_large = unanswered.head_bytes or LARGE_HEAD_BYTES
    assert is_answered(client, bytes_large) is (unanswered.head_bytes is None)


def is_answered(client: httpx2.Client, bytes_large: int) -> bool:
    """Whether a request with so large a head got its answer; else the connection was closed, or so the edge says."""
    try:
        answer = client.get("/api/ping/", headers={"X-Padding": "x" * bytes_large})
    except CLOSED:
        return False
    if answer.status_code == 502:
        assert answer.json() == EDGE_SAYS
        return False
    assert answer.json() == {"ping": "pong"}
    return True


@pytest.mark.leaves_rows
def test_answers_are_as_the_schema_says(
    url: str, client: httpx2.Client, stack: StackSettings, unanswered: Unanswered
) -> None:
    bearer = {"Authorization": client.headers["Authorization"]}
    ask_everything(url, bearer, target=str(stack.target), largest_head_bytes=unanswered.head_bytes)


def drains(stack: StackSettings, catalog: Catalog) -> bool:
    """Whether the target claims it: the capability is that of the production track."""
    claimed = "graceful_stop" in catalog.servers[stack.target.server].capabilities
    return claimed and catalog.variant(stack.target).track is Track.PRODUCTION


@pytest.mark.ends_stack
def test_a_request_in_flight_is_answered_before_a_server_that_drains_stops(
    url: str, stack: StackSettings, catalog: Catalog, engine: Engine
) -> None:
    if not drains(stack, catalog):
        return
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=20) as client:
        client.sendall(b"GET /lab/wait?ms=2000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answered, _, _ = select.select([client], [], [], 0.5)
        assert not answered, "the request is no longer in flight"
        for container in engine.containers("app"):
            # as `docker stop` does, but for the wait until it has stopped: the answer comes before
            container.kill(signal=container.attrs["Config"]["StopSignal"])
        answered, _, _ = select.select([client], [], [], 0)
        assert not answered, "answered or closed before every container had been told to stop"
        assert client.recv(64).split(b" ")[1] == b"200"
