"""The live feed: its messages, and how a socket ends with its credential."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction
from django.utils import timezone

from accounts.models import RefreshFamily, User
from catalogue.idempotency import current_key
from catalogue.models import Author
from realtime import feed
from realtime.credentials import Credential
from realtime.messages import Pace
from realtime.models import Way
from tests.app.sockets import ALL_WAYS, PASSWORD, SignedIn, a_feed, opened

APP = Path(feed.__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _feed(settings):
    with a_feed(settings):
        yield


@pytest.fixture
def sign_in(user):
    return SignedIn


def said_to(sign_in, *messages):
    """The answers to the messages, and the close code if the socket was closed."""
    ticket = sign_in("jwt").ticket()

    async def talk():
        line = await opened(ticket)
        heard = []
        for message in messages:
            await line.send_input({"type": "websocket.receive"} | message)
            heard.append(await line.hear())
        await line.disconnect()
        return heard

    return async_to_sync(talk)()


def test_a_ping_is_answered_with_its_echo(sign_in):
    pings = [{"text": '{"type": "ping", "echo": "é1"}'}, {"text": '{"type": "ping"}'}]
    assert said_to(sign_in, *pings) == [{"type": "pong", "echo": "é1"}, {"type": "pong", "echo": ""}]


@pytest.mark.parametrize(
    "message",
    [
        {"text": ""},
        {"text": "{"},
        {"text": "[" * 4000},
        {"text": "[]"},
        {"text": "1e999"},
        {"text": '{"type": "subscribe"}'},
        {"text": '{"type": ["ping"]}'},
        {"text": '{"type": "ping", "echo": 1}'},
        {"text": json.dumps({"type": "ping", "echo": "x" * 65})},
        {"bytes": b"\x00\xff"},
    ],
)
def test_what_makes_no_sense_is_answered_with_an_error(sign_in, message):
    error, pong = said_to(sign_in, message, {"text": '{"type": "ping", "echo": "on"}'})
    assert set(error) == {"type", "detail"}
    assert error["type"] == "error"
    assert pong == {"type": "pong", "echo": "on"}


@pytest.mark.parametrize("message", [{"text": "x" * 4097}, {"text": "é" * 2049}, {"bytes": b"x" * 4097}])
def test_a_message_above_four_kib_closes_the_socket(sign_in, message):
    assert said_to(sign_in, message) == [feed.Close.TOO_LARGE]


def test_a_message_of_exactly_four_kib_is_read(sign_in):
    ((answer),) = said_to(sign_in, {"text": '{"type": "ping"}'.ljust(4096)})
    assert answer == {"type": "pong", "echo": ""}


def test_the_twenty_first_message_within_ten_seconds_closes_the_socket(sign_in):
    heard = said_to(sign_in, *[{"text": '{"type": "ping"}'}] * 21)
    assert heard == [{"type": "pong", "echo": ""}] * 20 + [feed.Close.TOO_MANY]


def test_the_pace_is_counted_over_any_span_of_time():
    pace = Pace(most=2, within_s=10)
    assert [pace.allows(moment) for moment in (0, 9, 9.9, 10, 18, 19)] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]


# Changes


@pytest.mark.django_db(transaction=True)
def test_subscribers_hear_of_changes_after_their_commit_and_of_no_others(sign_in):
    ticket = sign_in("jwt").ticket()

    def change():
        author = Author.objects.create(name="One", born=1900)
        with transaction.atomic():
            Author.objects.create(name="Never", born=1900)
            transaction.set_rollback(True)
        key = current_key.set("key-1")
        author.save()
        current_key.reset(key)
        number = author.pk
        author.delete()
        return number

    async def listen():
        line = await opened(ticket)
        number = await sync_to_async(change)()
        heard = [await line.hear() for _ in range(3)]
        assert await line.receive_nothing(timeout=0.05)
        await line.disconnect()
        return number, heard

    number, heard = async_to_sync(listen)()
    assert all(type(change.pop("at")) is float for change in heard)
    common = {"type": "change", "model": "author", "id": number}
    assert heard == [
        common | {"action": "created", "token": None},
        common | {"action": "updated", "token": "key-1"},
        common | {"action": "deleted", "token": None},
    ]


@pytest.mark.django_db(transaction=True)
def test_a_write_stands_when_nobody_can_be_told(settings, caplog):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "tests.app.deaf_layer.DeafLayer"}}
    Author.objects.create(name="One", born=1900)
    assert Author.objects.count() == 1
    assert "Error calling" in caplog.text


# The end of a credential


def end_of(sign_in, way, event):
    """The close code that a socket gets from an event."""
    member = sign_in(way)
    ticket = member.ticket()

    async def wait():
        line = await opened(ticket)
        await sync_to_async(event)(member)
        closed = await line.hear()
        await line.disconnect()
        return closed

    return async_to_sync(wait)()


def change_password(member):
    content = {"old_password": PASSWORD, "new_password": "another-horse-battery"}
    assert member.post(f"/api/auth/{member.way}/password/", content).status_code == 204


def log_out_everywhere(member):
    assert member.post(f"/api/auth/{member.way}/logout-everywhere/").status_code == 204


def reuse_the_refresh_token(member):
    content = {"refresh": member.tokens["refresh"]}
    statuses = [member.post("/api/auth/jwt/refresh/", content).status_code for _ in range(2)]
    assert statuses == [200, 401]


REVOKING = [
    *[(way, event) for way in ALL_WAYS for event in (change_password, log_out_everywhere)],
    ("jwt", SignedIn.log_out),
    ("session", SignedIn.log_out),
    ("jwt", reuse_the_refresh_token),
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("way", "event"), REVOKING)
def test_a_revoked_credential_ends_its_socket_at_once(sign_in, monkeypatch, way, event):
    monkeypatch.setattr(feed, "CHECK_EVERY_S", 60.0)
    assert end_of(sign_in, way, event) == feed.Close.REVOKED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ALL_WAYS)
def test_what_nobody_tells_of_is_noticed_by_looking(sign_in, user, monkeypatch, way):
    monkeypatch.setattr(feed, "CHECK_EVERY_S", 0.05)

    def deactivate(_):
        User.objects.filter(pk=user.pk).update(is_active=False)

    assert end_of(sign_in, way, deactivate) == feed.Close.REVOKED


@pytest.mark.django_db(transaction=True)
def test_the_log_out_of_another_session_leaves_a_socket_open(sign_in):
    ticket, other = sign_in("session").ticket(), sign_in("session")

    async def stay():
        line = await opened(ticket)
        await sync_to_async(other.log_out)()
        silent = await line.receive_nothing(timeout=0.2)
        await line.disconnect()
        return silent

    assert async_to_sync(stay)()


@pytest.mark.django_db(transaction=True)
def test_a_socket_ends_with_the_life_of_its_credential(sign_in, settings):
    settings.ACCESS_LIFETIME = timedelta(seconds=1)
    assert end_of(sign_in, "jwt", lambda _: None) == feed.Close.ENDED


@pytest.mark.django_db(transaction=True)
def test_a_socket_whose_credential_cannot_be_checked_is_closed(sign_in, monkeypatch):
    monkeypatch.setattr(feed, "CHECK_EVERY_S", 0.05)

    def break_the_store(_):
        monkeypatch.setattr(Credential, "holder", unreachable)

    def unreachable(_):
        raise feed.DatabaseError("no")

    assert end_of(sign_in, "jwt", break_the_store) == feed.Close.UNKNOWN


def test_a_credential_is_read_by_one_query_where_tokens_are_jwts(user, django_assert_num_queries):
    now = timezone.now()
    RefreshFamily.objects.create(id="f" * 32, user=user, current_jti="j", expires_at=now, ends_at=now)
    for way in (Way.JWT, Way.PLAIN):
        credential = Credential(user_id=user.pk, way=way, anchor="f" * 32, version=0, ends_at=now)
        with django_assert_num_queries(1):
            assert credential.holder() == user


@pytest.mark.parametrize(("switch", "listeners"), [("off", "0 0 0"), ("on", "3 3 1")])
def test_nothing_listens_to_writes_where_there_is_no_feed(app_environment, switch, listeners):
    code = (
        "import django; django.setup(); from django.db.models.signals import post_save, post_delete;"
        "from accounts.signals import credentials_ended as ended;"
        "print(len(post_save.receivers), len(post_delete.receivers), len(ended.receivers))"
    )
    environment = app_environment | {"LAB_REALTIME": switch}
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, cwd=APP, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == listeners
