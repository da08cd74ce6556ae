"""The app on PostgreSQL in the place of SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import httpx2
import pytest

from serverlab import probe
from serverlab.catalog import Catalog
from serverlab.compose import Database, Engine, StackSettings
from serverlab.runner.trial import expectation
from tests.bad_requests import BAD_REQUESTS, NO_TEXT, all_refused

ADMIN = "user10"
AT_ONCE = 16


@pytest.fixture(scope="module", params=["gunicorn:gthread", "daphne:production+nginx"])
def stack(
    request: pytest.FixtureRequest,
    start: Callable[..., AbstractContextManager[StackSettings]],
    catalog: Catalog,
) -> Iterator[StackSettings]:
    with start(catalog.target(request.param), database=Database.POSTGRES) as settings:
        yield settings


@pytest.fixture
def client(url: str) -> Iterator[httpx2.Client]:
    """A client of an admin, with a connection for each request."""
    credentials = {"username": ADMIN, "password": probe.PASSWORD}
    with httpx2.Client(base_url=url, timeout=10, limits=probe.ONE_REQUEST_EACH) as client:
        client.headers["Authorization"] = (
            f"Bearer {client.post(probe.LOGIN, json=credentials).json()['access']}"
        )
        yield client


def test_postgresql_serves_the_same_answers(stack: StackSettings, catalog: Catalog, engine: Engine) -> None:
    proof = probe.prove(engine, expectation(catalog, stack))
    assert probe.failed_checks(proof) == []
    assert proof.identity["database"] == "postgresql"


def test_bad_input_is_refused_in_json(client: httpx2.Client) -> None:
    assert all_refused(client, (*BAD_REQUESTS, *NO_TEXT)) == []


def test_equal_writes_at_the_same_moment_make_one_row(client: httpx2.Client) -> None:
    def write(_: int) -> httpx2.Response:
        author = {"name": "Written Once", "born": 1980}
        return client.post("/api/authors/", json=author, headers={"Idempotency-Key": "at-once"})

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(write, range(AT_ONCE)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert client.get("/api/authors/?search=written+once").json()["count"] == 1
    assert len(client.get("/api/writes/?key=at-once").json()["writes"]) == 1
