"""Every server answers as the schema says, and refuses bad input with a 4xx and a JSON reason.

What a variant leaves unanswered is what its ``server.toml`` declares, no more and no less. All in one module, because
each module starts every target once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serverlab import probe
from serverlab.catalog import Catalog
from serverlab.compose import StackSettings
from serverlab.model.definitions import Unanswered
from tests.bad_requests import BAD_REQUESTS, NO_TEXT, UNREAD, all_refused, refused

ADMIN = "user10"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 4  # of each operation, fitting ones and others each
LARGE_HEAD_BYTES = 4096
"""What a server answers that declares no bound of its own."""
COUNTED_TWICE = 2
"""The address, by servers that hand it on whole and in parts."""
ADDED_BYTES = 1024
"""What servers and the edge add to a head, and more."""
CLOSED = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError, requests.ConnectionError)
EDGE_SAYS = {"detail": "The app does not answer."}
TRIES = 100
ENDS_ALL_TOKENS = "/(password|logout-everywhere)/$"  # of the admin who asks


@pytest.fixture
def client(url: str) -> Iterator[httpx2.Client]:
    """A client of an admin, with a connection for each request."""
    credentials = {"username": ADMIN, "password": probe.PASSWORD}
    with httpx2.Client(base_url=url, timeout=10, limits=probe.ONE_REQUEST_EACH) as client:
        client.headers["Authorization"] = (
            f"Bearer {client.post(probe.LOGIN, json=credentials).json()['access']}"
        )
        yield client


@pytest.fixture
def unanswered(stack: StackSettings, catalog: Catalog) -> Unanswered:
    """What the variant declares that it does not answer."""
    return catalog.variant(stack.target).unanswered


def test_bad_input_is_refused_in_json(client: httpx2.Client) -> None:
    assert all_refused(client, [bad for bad in (*BAD_REQUESTS, *NO_TEXT) if bad not in UNREAD]) == []


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


def test_answers_are_as_the_schema_says(url: str, client: httpx2.Client, unanswered: Unanswered) -> None:
    bearer = {"Authorization": client.headers["Authorization"]}
    schema = schemathesis.openapi.from_url(f"{url}/api/schema/").exclude(path_regex=ENDS_ALL_TOKENS)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        takes_anything = operation.body or any(
            operation.iter_parameters()
        )  # else nothing about it can be wrong
        for mode in GenerationMode if takes_anything else [GenerationMode.POSITIVE]:
            ask(operation, mode, bearer, largest_head_bytes=unanswered.head_bytes)


def ask(
    operation: schemathesis.APIOperation,
    mode: GenerationMode,
    bearer: dict[str, str],
    *,
    largest_head_bytes: int | None,
) -> None:
    """Send a few requests, the same ones every time, and hold each answer against the schema.

    One that may be too large for ``largest_head_bytes`` is made so for certain, and has to stay without an answer.
    """

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def asked(case: schemathesis.Case) -> None:
        if largest_head_bytes and may_exceed(case, bearer, largest_head_bytes):
            padding = {"X-Padding": "x" * largest_head_bytes}
            assert is_unanswered(case, bearer | padding)
        else:
            case.call_and_validate(headers=bearer, checks=CHECKS)

    asked()


def may_exceed(case: schemathesis.Case, headers: dict[str, str], largest_head_bytes: int) -> bool:
    """Whether a server may count more than so many bytes for the request's line and headers."""
    given = case.as_transport_kwargs(headers=headers)
    prepared = requests.Request(
        "GET", given["url"], headers=given["headers"], params=given.get("params")
    ).prepare()
    head = len(prepared.url or "") + sum(len(name) + len(value) for name, value in prepared.headers.items())
    return COUNTED_TWICE * head + ADDED_BYTES > largest_head_bytes


def is_unanswered(case: schemathesis.Case, headers: dict[str, str]) -> bool:
    """Whether the connection was closed without an answer, or the edge says that it was."""
    try:
        answer = case.call(headers=headers)
    except CLOSED:
        return True
    return answer.status_code == 502 and answer.json() == EDGE_SAYS
