"""Two limits on signing in, one behind the other: the app's, then the edge's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx2

from serverlab import probe
from serverlab.catalog import Catalog
from serverlab.compose import Engine, StackSettings

Start = Callable[..., AbstractContextManager[StackSettings]]

MOST = 150
"""The edge lets 30 in at once and one more each second, so that a slow machine sends more before it is refused."""


def flood(url: str) -> list[httpx2.Response]:
    """What wrong log-ins are answered, up to the first that the edge answers."""
    answers: list[httpx2.Response] = []
    with httpx2.Client() as client:
        while len(answers) < MOST and not (answers and is_by_edge(answers[-1])):
            answers.append(client.post(url, json={"username": probe.USER, "password": "wrong"}))
    return answers


def is_by_edge(answer: httpx2.Response) -> bool:
    """Whether the app has not seen the request: what it answers, it forbids to keep."""
    return "Cache-Control" not in answer.headers


def test_a_flood_of_log_ins_ends_at_the_edge_after_the_app_has_begun_to_refuse(
    start: Start, catalog: Catalog, engine: Engine
) -> None:
    with start(catalog.target("uwsgi:uwsgi+nginx"), app={"LAB_LOGIN_LIMITS": "on"}) as stack:
        url = probe.front_url(engine, stack)
        answers = flood(f"{url}/api/auth/jwt/login/")
        by_edge = [is_by_edge(answer) for answer in answers]
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {401, 429}
        assert 10 <= statuses[401] <= 20  # ten a minute for an account, and the minute may turn meanwhile
        for answer in answers:
            assert (answer.status_code == 429) is ("Retry-After" in answer.headers)
            assert list(answer.json()) == ["detail"]
        assert not any(by_edge[:31])
        assert by_edge[-1]
        assert httpx2.get(f"{url}/ws/feed/").status_code == 404  # the uwsgi protocol upgrades nothing
