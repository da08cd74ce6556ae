"""Requests made from a server's schema, and whether each is answered as the schema says."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass

import httpx2
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serverlab.probe import PASSWORD

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 4  # of each operation, fitting ones and others each
COUNTED_TWICE = 2
"""The address, by servers that hand it on whole and in parts."""
ADDED_BYTES = 1024
"""What servers and the edge add to a head, and more."""
CLOSED = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError, requests.ConnectionError)
NO_GOOD_ANSWER = (FailureGroup, AssertionError, requests.RequestException, httpx2.HTTPError, TimeoutError)
EDGE_SAYS = {"detail": "The app does not answer."}
ENDS_ALL_TOKENS = re.compile(r"/api/auth/(\w+)/(password|logout-everywhere)/$")
"""What nobody else's tokens may be asked with: all of them would end."""


MADE: dict[str, list[schemathesis.Case]] = {}
"""By schema: it takes seconds to make them, and they are the same every time."""


def ask_everything(url: str, bearer: dict[str, str], *, target: str, largest_head_bytes: int | None) -> None:
    """Ask each operation of the server's schema, rightly and wrongly, and hold every answer against the schema.

    Of requests that were made for a target before, all are sent, and AssertionError names each that ``target``
    answers otherwise; of requests that are still to be made, the first such answer ends it.

    A request that may be too large for ``largest_head_bytes`` is made so for certain, and has to stay without an
    answer.
    """
    schema = schemathesis.openapi.from_url(f"{url}/api/schema/")
    holders = Holders(url, bearer)
    said = json.dumps(schema.raw_schema, sort_keys=True)
    if said not in MADE:
        MADE[said] = made_while_asking(schema, holders, largest_head_bytes=largest_head_bytes)
    else:
        asked = (
            (case, wrong_about(case, holders, largest_head_bytes=largest_head_bytes, url=url))
            for case in MADE[said]
        )
        wrong = [f"{target}: {case.operation.label}: {found}" for case, found in asked if found]
        assert not wrong, "\n\n".join(wrong)
    end_all_tokens(schema, holders)


@dataclass
class Holders:
    """Whose tokens requests carry: an admin's, and a newcomer's where all tokens of who asks end.

    The newcomer signs in anew for each such operation; by the session's way, which takes no token, as by jwt's.
    """

    url: str
    bearer: dict[str, str]
    username: str = ""
    signed_in: tuple[str, dict[str, str]] | None = None

    def bearer_for(self, operation: schemathesis.APIOperation) -> dict[str, str]:
        """The header that a request of the operation carries."""
        ends = ENDS_ALL_TOKENS.search(operation.path)
        if ends is None:
            return self.bearer
        if not self.username:
            self.username = f"spare-{secrets.token_hex(6)}"
            self._post("jwt/signup", email=f"{self.username}@example.org")
        if self.signed_in is None or self.signed_in[0] != operation.label:
            said = self._post(f"{'plain' if ends[1] == 'plain' else 'jwt'}/login")
            self.signed_in = operation.label, {"Authorization": f"Bearer {said['access']}"}
        return self.signed_in[1]

    def _post(self, action: str, **fields: str) -> dict[str, str]:
        given = {"username": self.username, "password": PASSWORD, **fields}
        answer = httpx2.post(f"{self.url}/api/auth/{action}/", json=given, verify=False, timeout=10)
        found: dict[str, str] = answer.raise_for_status().json()
        return found


def end_all_tokens(schema: schemathesis.schemas.BaseSchema, holders: Holders) -> None:
    """End the newcomer's tokens of both kinds in each way that there is, and see that the admin's were not.

    Made requests cannot: they never have the password, and whether they had a token that was good does not show.
    """
    for way in ("jwt", "plain"):
        for action, fields in (
            ("logout-everywhere", {}),
            ("password", {"old_password": PASSWORD, "new_password": PASSWORD}),
        ):
            operation = schema[f"/api/auth/{way}/{action}/"]["POST"]
            given = {"body": fields, "media_type": "application/json"} if fields else {}
            holders.signed_in = None
            bearer = holders.bearer_for(operation)
            answer = operation.Case(**given).call_and_validate(
                base_url=holders.url, headers=bearer, checks=CHECKS
            )
            assert answer.status_code == 204, operation.label
    mine = httpx2.get(f"{holders.url}/api/auth/jwt/me/", headers=holders.bearer, verify=False, timeout=10)
    assert mine.status_code == 200, "the admin's token ended before"


def wrong_about(
    case: schemathesis.Case, holders: Holders, *, largest_head_bytes: int | None, url: str
) -> str | None:
    """What is wrong about the answer of the server at ``url`` to a request that was made before."""
    try:
        bearer = holders.bearer_for(case.operation)
        if largest_head_bytes and may_exceed(case, bearer, largest_head_bytes, url=url):
            padding = {"X-Padding": "x" * largest_head_bytes}
            return None if is_unanswered(case, bearer | padding, url=url) else "answered, though too large"
        case.call_and_validate(base_url=url, headers=bearer, checks=CHECKS)
    except NO_GOOD_ANSWER as error:
        return f"{type(error).__name__}: {error}"
    return None


def made_while_asking(
    schema: schemathesis.schemas.BaseSchema, holders: Holders, *, largest_head_bytes: int | None
) -> list[schemathesis.Case]:
    """Ask as `ask_everything` does, with requests that are made meanwhile, and return these."""
    cases: list[schemathesis.Case] = []
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        takes_anything = operation.body or any(
            operation.iter_parameters()
        )  # else nothing about it can be wrong
        bearer = holders.bearer_for(operation)
        for mode in GenerationMode if takes_anything else [GenerationMode.POSITIVE]:
            kept: list[schemathesis.Case] = []
            ask(Keeping(operation, kept), mode, bearer, largest_head_bytes=largest_head_bytes)
            assert 1 <= len(kept) <= EXAMPLES, f"{operation.label}, {mode.value}: {len(kept)} requests"
            cases += kept
    assert len(cases) > 5 * len(operations), f"{len(cases)} requests for {len(operations)} operations"
    return cases


@dataclass(frozen=True)
class Keeping:
    """An operation of which every request that is made is kept."""

    operation: schemathesis.APIOperation
    kept: list[schemathesis.Case]

    def as_strategy(self, mode: GenerationMode) -> SearchStrategy[schemathesis.Case]:
        """The operation's own."""
        return self.operation.as_strategy(mode).map(self._keep)

    def _keep(self, case: schemathesis.Case) -> schemathesis.Case:
        self.kept.append(case)
        return case


def ask(
    operation: Keeping,
    mode: GenerationMode,
    bearer: dict[str, str],
    *,
    largest_head_bytes: int | None,
) -> None:
    """Send a few requests, the same ones every time, and hold each answer against the schema.

    Which ones these are hangs on the text of ``asked``.
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


def may_exceed(
    case: schemathesis.Case, headers: dict[str, str], largest_head_bytes: int, *, url: str | None = None
) -> bool:
    """Whether a server may count more than so many bytes for the request's line and headers.

    It is the one at ``url``, or that which the schema is of.
    """
    given = case.as_transport_kwargs(base_url=url, headers=headers)
    prepared = requests.Request(
        "GET", given["url"], headers=given["headers"], params=given.get("params")
    ).prepare()
    head = len(prepared.url or "") + sum(len(name) + len(value) for name, value in prepared.headers.items())
    return COUNTED_TWICE * head + ADDED_BYTES > largest_head_bytes


def is_unanswered(case: schemathesis.Case, headers: dict[str, str], *, url: str | None = None) -> bool:
    """Whether the connection was closed without an answer, or the edge says that it was."""
    try:
        answer = case.call(base_url=url, headers=headers)
    except CLOSED:
        return True
    return answer.status_code == 502 and answer.json() == EDGE_SAYS
