"""Every server answers as the schema says, whatever fits the schema or does not (schemathesis)."""

from __future__ import annotations

import httpx2
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

ADMIN = "user10"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 4  # of each operation, fitting ones and others each
ENDS_ALL_TOKENS = "/(password|logout-everywhere)/$"  # of the admin who asks


def test_answers_are_as_the_schema_says(url: str) -> None:
    credentials = {"username": ADMIN, "password": probe.PASSWORD}
    bearer = {"Authorization": f"Bearer {httpx2.post(url + probe.LOGIN, json=credentials).json()['access']}"}
    schema = schemathesis.openapi.from_url(f"{url}/api/schema/").exclude(path_regex=ENDS_ALL_TOKENS)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:
        for mode in GenerationMode:
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
