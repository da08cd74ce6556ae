"""How often a password may be shown: for an account, for an address, and for nobody who invents addresses."""

import logging

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.db import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from accounts.limits import PER_ACCOUNT, PER_ADDRESS, WINDOW_S
from tests.app.ways import PASSWORD

pytestmark = pytest.mark.django_db

BEGINNING = 1_800_000_000 // WINDOW_S * WINDOW_S


@pytest.fixture
def clock(monkeypatch):
    """Ten seconds into a window; a test may move it on."""
    now = [BEGINNING + 10.0]
    monkeypatch.setattr("accounts.limits.time.time", lambda: now[0])
    return now


@pytest.fixture
def attempt(way, user, clock):
    """Show a password from an address."""

    def send(username="reader", password="wrong", address="192.0.2.1", **headers):
        way.client.defaults["REMOTE_ADDR"] = address
        body = {"username": username, "password": password}
        sent = way.headers() | headers
        path = f"{way.prefix}/login/"
        return way.client.post(path, body, content_type="application/json", headers=sent)

    return send


def assert_limited(answer):
    """Hold an answer against what a refusal of one too many must be: the same by all ways."""
    assert answer.status_code == 429, answer.content
    assert answer.json() == {"detail": "Too many attempts to sign in."}
    assert answer["Retry-After"] == "50"


def test_an_account_is_limited_whatever_the_address(attempt):
    """A5-04, A5-08: the right password is refused as well; other accounts are not."""
    for n in range(PER_ACCOUNT):
        assert attempt(address=f"192.0.2.{n}").status_code == 401
    assert_limited(attempt(address="192.0.2.100"))
    assert_limited(attempt(password=PASSWORD, address="192.0.2.101"))
    assert_limited(attempt(username="READER", password=PASSWORD, address="192.0.2.102"))
    assert attempt(username="nobody", address="192.0.2.103").status_code == 401


def test_an_address_is_limited_whatever_the_account(attempt):
    """A5-08: one password for many names; other addresses are not."""
    for n in range(PER_ADDRESS):
        assert attempt(username=f"user{n}").status_code == 401
    assert_limited(attempt(username="another"))
    assert_limited(attempt(password=PASSWORD))
    assert attempt(password=PASSWORD, address="192.0.2.2").status_code == 200


def test_nobody_is_locked_out_for_longer_than_the_window(attempt, clock):
    """What Retry-After promises is true."""
    for _ in range(PER_ACCOUNT):
        attempt()
    refused = attempt(password=PASSWORD)
    clock[0] += int(refused["Retry-After"]) - 0.001
    assert attempt(password=PASSWORD).status_code == 429
    clock[0] += 0.001
    assert attempt(password=PASSWORD).status_code == 200


FORGED = {
    "X-Forwarded-For": "203.0.113.{n}",
    "X-Real-IP": "203.0.113.{n}",
    "Forwarded": "for=203.0.113.{n}",
    "X-Client-IP": "203.0.113.{n}",
    "True-Client-IP": "203.0.113.{n}",
}


def test_directly_no_header_makes_another_address(attempt):
    """A5-05: nobody in front has set it."""
    for n in range(PER_ADDRESS):
        forged = {name: value.format(n=n) for name, value in FORGED.items()}
        assert attempt(username=f"user{n}", **forged).status_code == 401
    assert_limited(attempt(username="another", **{"X-Forwarded-For": "203.0.113.77"}))


def test_behind_the_edge_its_header_is_the_address(attempt, settings):
    """It sets the header itself; the connection is its own, for everybody."""
    settings.TRUSTED_PROXY = True
    for n in range(PER_ADDRESS):
        assert attempt(username=f"user{n}", **{"X-Forwarded-For": "203.0.113.1"}).status_code == 401
    assert_limited(attempt(username="another", **{"X-Forwarded-For": "203.0.113.1"}))
    assert attempt(username="another", **{"X-Forwarded-For": "203.0.113.2"}).status_code == 401


def test_a_refused_attempt_costs_no_hash(attempt, monkeypatch):
    """A5-11: counting comes first."""
    hashed = []
    monkeypatch.setattr(MD5PasswordHasher, "verify", lambda *args: hashed.append(args) or False)
    for _ in range(PER_ACCOUNT + 5):
        attempt()
    assert len(hashed) == PER_ACCOUNT


@pytest.mark.parametrize("error", [OperationalError("planted"), RedisConnectionError("planted")])
def test_what_cannot_be_counted_is_refused(attempt, monkeypatch, caplog, error):
    """A5-09: closed, and never a server error; the log says why."""

    def failing(*args, **options):
        raise error

    monkeypatch.setattr(type(cache._connections["default"]), "incr", failing)
    caplog.set_level(logging.ERROR)
    assert_limited(attempt(password=PASSWORD))
    assert "cannot be counted" in caplog.text


def test_showing_the_present_password_to_get_a_new_one_is_an_attempt(way, user, request):
    """A stolen token is no place to guess the password from."""
    way.log_in()
    request.getfixturevalue("clock")
    for _ in range(PER_ACCOUNT):
        assert way.change_password(old="wrong").status_code == 400
    assert_limited(way.change_password())


def test_while_the_lab_measures_nothing_is_counted(attempt, settings):
    """And nothing is asked of the cache."""
    settings.LAB_LOGIN_LIMITS = False
    settings.CACHES = {"default": {"BACKEND": "nowhere"}}
    for _ in range(PER_ADDRESS + 5):
        assert attempt().status_code == 401
    assert attempt(password=PASSWORD).status_code == 200
