"""Bad input gets a 4xx with a JSON reason from every server, direct and behind the edge, and never a 500."""

from __future__ import annotations

import json

import httpx2

from serverlab import probe
from tests.bad_requests import BAD_REQUESTS, NO_TEXT, BadRequest, leaked

ADMIN = "user10"


def refused(client: httpx2.Client, bad: BadRequest) -> list[str]:
    """What is wrong with the refusal of a request; nothing if it is as it should be."""
    try:
        answer = client.request(bad.method, bad.path, content=bad.body, headers=bad.headers)
    except httpx2.HTTPError as broken:
        return [f"{bad}: {type(broken).__name__}: {broken}"]
    found = []
    if answer.status_code != bad.status:
        found.append(f"{bad}: status {answer.status_code}, not {bad.status}: {answer.text[:200]}")
    if answer.headers.get("content-type", "").partition(";")[0] != "application/json" or not _is_json(
        answer.content
    ):
        found.append(f"{bad}: no JSON: {answer.text[:200]}")
    if signs := leaked(answer.content):
        found.append(f"{bad}: speaks of {signs}")
    return found


def _is_json(body: bytes) -> bool:
    try:
        return bool(json.loads(body))
    except ValueError:
        return False


def test_bad_input_is_refused_in_json(url: str) -> None:
    credentials = {"username": ADMIN, "password": probe.PASSWORD}
    with httpx2.Client(base_url=url, timeout=10, limits=probe.ONE_REQUEST_EACH) as client:
        client.headers["Authorization"] = (
            f"Bearer {client.post(probe.LOGIN, json=credentials).json()['access']}"
        )
        wrong = [said for bad in (*BAD_REQUESTS, *NO_TEXT) for said in refused(client, bad)]
    assert wrong == []
