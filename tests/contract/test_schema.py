"""Every server answers as the schema says, and refuses bad input with a 4xx and a JSON reason.

Both in one module, because each module starts every target once.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
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
from tests.bad_requests import all_refused

ADMIN = "user10"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 4  # of each operation, fitting ones and others each
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


def test_bad_input_is_refused_in_json(client: httpx2.Client) -> None:
    assert all_refused(client) == []


def test_answers_are_as_the_schema_says(url: str, client: httpx2.Client) -> None:
    bearer = {"Authorization": client.headers["Authorization"]}
    schema = schemathesis.openapi.from_url(f"{url}/api/schema/").exclude(path_regex=ENDS_ALL_TOKENS)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        takes_anything = operation.body or any(
            operation.iter_parameters()
        )  # else nothing about it can be wrong
        for mode in GenerationMode if takes_anything else [GenerationMode.POSITIVE]:
            ask(operation, mode, bearer)


def ask(operation: schemathesis.APIOperation, mode: GenerationMode, bearer: dict[str, str]) -> None:
    """Send a few requests, the same ones every time, and hold each answer against the schema."""

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
        case.call_and_validate(headers=bearer, checks=CHECKS)

    asked()
