"""What is answered when the database or the cache does not answer: 503, soon, and nothing about the inside."""

from contextlib import ExitStack

import pytest
from asgiref.sync import async_to_sync
from django.db import IntegrityError, InterfaceError, OperationalError, ProgrammingError, connection
from django.test import AsyncClient
from redis.exceptions import ConnectionError as RedisGone

from tests.app.ways import PASSWORD, Way

AWAY = (503, {"detail": "Temporarily unavailable."}, "5")
BROKEN = (500, {"detail": "Internal server error."}, None)


def told(answer):
    return answer.status_code, answer.json(), answer.get("Retry-After")


@pytest.fixture
def failing(client, db):
    """Have every statement fail with an error; it reaches the client as an answer, not as an exception."""
    with ExitStack() as statements:

        def fail(error):
            def execute(*args):
                raise error

            statements.enter_context(connection.execute_wrapper(execute))
            client.raise_request_exception = False

        yield fail


@pytest.mark.parametrize("error", [OperationalError("secret"), InterfaceError("secret")])
def test_every_view_is_unavailable_while_the_database_is_away(client, settings, pair, failing, error):
    """DRF's views and plain ones, for a token that is good and to sign in; what needs no database is as ever."""
    settings.LAB_LOGIN_LIMITS = False
    failing(error)
    bearer = {"Authorization": f"Bearer {pair['access']}"}
    log_in = {"username": "reader", "password": PASSWORD}
    answers = [
        client.get("/api/auth/jwt/me/", headers=bearer),
        client.get("/api/books/", headers=bearer),
        client.post("/api/auth/jwt/login/", log_in, "application/json"),
        client.post("/api/auth/plain/login/", log_in, "application/json"),
    ]
    assert [told(answer) for answer in answers] == [AWAY] * 4
    assert [client.get(path).status_code for path in ("/healthz", "/")] == [200, 200]


@pytest.mark.parametrize("error", [IntegrityError("secret"), ProgrammingError("secret")])
def test_a_mistake_of_ours_is_no_outage(client, pair, failing, error):
    """Who tries again gets the same."""
    failing(error)
    answer = client.get("/api/books/", headers={"Authorization": f"Bearer {pair['access']}"})
    assert told(answer) == BROKEN


@pytest.mark.parametrize(
    ("error", "expected"),
    [(OperationalError("secret"), AWAY), (RedisGone("secret"), AWAY), (RuntimeError("secret"), BROKEN)],
)
def test_an_asgi_server_gets_the_same_answers(monkeypatch, error, expected):
    """There the error is handled in another thread than the one that raised it."""

    def crash(*args):
        raise error

    monkeypatch.setattr("lab.views.identity_of", crash)
    client = AsyncClient(raise_request_exception=False)
    assert told(async_to_sync(client.get)("/lab/identity")) == expected


def test_sessions_in_a_cache_that_is_away_have_not_ended_and_tokens_are_not_asked(
    settings, pair, monkeypatch
):
    """401 would sign everybody out, by Django's own store; the session goes on when the cache is back."""
    settings.SESSION_ENGINE = "config.sessions"
    settings.LAB_LOGIN_LIMITS = False
    browser = Way("session")
    browser.client.raise_request_exception = False
    browser.log_in()

    def gone(*args, **kwargs):
        raise RedisGone("secret")

    with monkeypatch.context() as outage:
        for method in ("get", "add"):
            outage.setattr(f"django.core.cache.backends.db.DatabaseCache.{method}", gone)
        bearer = {"Authorization": f"Bearer {pair['access']}"}
        assert browser.client.get("/api/auth/jwt/me/", headers=bearer).status_code == 200
        assert told(browser.me()) == told(browser.client.get("/api/books/")) == AWAY
        assert told(browser.log_in()) == AWAY
    assert browser.me().status_code == 200


def test_a_key_that_the_cache_cannot_have_is_no_session(settings, monkeypatch, client, db):
    """It is the client's, who may write anything."""
    settings.SESSION_ENGINE = "config.sessions"

    def refuse(*args, **kwargs):
        raise ValueError("secret")

    monkeypatch.setattr("django.core.cache.backends.db.DatabaseCache.get", refuse)
    client.cookies[settings.SESSION_COOKIE_NAME] = "k" * 32
    assert client.get("/api/auth/session/me/").status_code == 401
