"""The live feed: tickets, handshakes, messages, and how a socket ends with its credential."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.test import Client
from django.utils import timezone

from accounts.models import RefreshFamily, User
from accounts.signals import credentials_ended
from catalogue.idempotency import current_key
from catalogue.models import Author
from config.asgi import application
from realtime import feed, publishing, tickets
from realtime.credentials import Credential
from realtime.messages import Pace
from realtime.models import Ticket, Way

APP = Path(feed.__file__).resolve().parents[1]
PASSWORD = "correct-horse-battery"
TICKET = "/api/realtime/ticket/"
SAME_ORIGIN = [(b"host", b"testserver"), (b"origin", b"http://testserver")]
ALL_WAYS = ("jwt", "plain", "session")


@pytest.fixture(autouse=True)
def realtime(settings):
    """A server with a feed."""
    settings.REALTIME = True
    settings.LAB_LOGIN_LIMITS = False
    publishing.begin()
    yield
    for model in publishing.MODELS:
        post_save.disconnect(sender=model, dispatch_uid=publishing.FEED)
        post_delete.disconnect(sender=model, dispatch_uid=publishing.FEED)
    credentials_ended.disconnect(dispatch_uid=publishing.FEED)


class SignedIn:
    """A client that signed in one of the three ways."""

    def __init__(self, way):
        self.way, self.client = way, Client()
        answer = self.post(f"/api/auth/{way}/login/", {"username": "reader", "password": PASSWORD})
        self.tokens = answer.json()
        if way != "session":
            self.client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {self.tokens['access']}"

    def post(self, path, content=None):
        return self.client.post(path, content or {}, content_type="application/json")

    def ticket(self):
        answer = self.post(TICKET)
        assert answer.status_code == 201, answer.content
        return answer.json()["ticket"]

    def log_out(self):
        content = None if self.way == "session" else {"refresh": self.tokens["refresh"]}
        assert self.post(f"/api/auth/{self.way}/logout/", content).status_code == 204


@pytest.fixture
def sign_in(user):
    return SignedIn


class Socket(ApplicationCommunicator):
    """The client's end of a WebSocket, without a server in between."""

    def __init__(self, ticket, *, headers=SAME_ORIGIN, path="/ws/feed/", protocols=None):
        offered = [feed.PROTOCOL, f"ticket.{ticket}"] if protocols is None else protocols
        path, _, query = path.partition("?")
        scope = {"type": "websocket", "path": path, "query_string": query.encode(), "headers": headers}
        super().__init__(application, scope | {"subprotocols": offered})

    async def connect(self):
        """The protocol that was picked, None for a handshake that was refused."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output()
        assert answer["type"] in ("websocket.accept", "websocket.close")
        return answer.get("subprotocol")

    async def disconnect(self):
        await self.send_input({"type": "websocket.disconnect", "code": 1005})
        await self.wait()

    async def hear(self):
        answer = await self.receive_output()
        return answer["code"] if answer["type"] == "websocket.close" else json.loads(answer["text"])


async def opened(ticket):
    """A socket of the feed after its welcome."""
    line = Socket(ticket)
    assert await line.connect() == feed.PROTOCOL
    assert (await line.hear())["type"] == "welcome"
    return line


def is_accepted(ticket, **options):
    async def ask():
        line = Socket(ticket, **options)
        protocol = await line.connect()
        await line.disconnect()
        return protocol is not None

    return async_to_sync(ask)()


# Tickets


@pytest.mark.parametrize("way", ALL_WAYS)
def test_any_credential_buys_a_ticket_of_which_only_the_hash_is_kept(sign_in, user, way):
    answer = sign_in(way).post(TICKET)
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert answer.json() == {"ticket": answer.json()["ticket"], "expires_in": 30}
    (row,) = Ticket.objects.values()
    assert (row["user_id"], row["way"], row["version"]) == (user.pk, way, 0)
    assert answer.json()["ticket"] not in json.dumps(row, default=str)
    assert len(row["digest"]) == 64


def test_nobody_gets_a_ticket_for_nothing(client, db):
    answer = client.post(TICKET)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')


def test_a_session_needs_its_csrf_token_to_get_a_ticket(sign_in):
    cookies = sign_in("session").client.cookies
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = cookies
    assert strict.post(TICKET, content_type="application/json").status_code == 403


def test_where_there_is_no_feed_there_are_no_tickets(sign_in, settings):
    settings.REALTIME = False
    answer = sign_in("jwt").post(TICKET)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("way", ["jwt", "plain"])
def test_a_revoked_token_buys_nothing_even_where_tokens_are_believed(sign_in, user, settings, way):
    settings.JWT_VERIFY = "stateless"
    member = sign_in(way)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert member.post(TICKET).status_code == 401


def test_a_ticket_is_good_once(sign_in, user):
    ticket = sign_in("jwt").ticket()
    assert tickets.redeem(ticket).user_id == user.pk
    assert tickets.redeem(ticket) is None


def test_a_ticket_is_good_for_thirty_seconds_and_cleared_away_by_the_next(sign_in):
    member = sign_in("jwt")
    ticket = member.ticket()
    Ticket.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert tickets.redeem(ticket) is None
    assert Ticket.objects.count() == 1
    member.ticket()
    assert Ticket.objects.count() == 1


@pytest.mark.parametrize("odd", ["", "x" * 10_000, "\ud800", "٣"])
def test_what_was_never_a_ticket_is_none(db, odd):
    assert tickets.redeem(odd) is None


# Handshakes


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ALL_WAYS)
def test_a_ticket_opens_one_socket(sign_in, user, way):
    ticket = sign_in(way).ticket()

    async def first():
        line = Socket(ticket)
        assert await line.connect() == feed.PROTOCOL
        welcome = await line.hear()
        await line.disconnect()
        return welcome

    assert async_to_sync(first)() == {
        "type": "welcome",
        "user": {"id": user.pk, "username": "reader", "role": "reader"},
    }
    assert not is_accepted(ticket)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"testserver")],
        [*SAME_ORIGIN, (b"origin", b"http://testserver")],
        [(b"host", b"testserver"), (b"origin", b"null")],
        [(b"host", b"testserver"), (b"origin", b"https://testserver")],
        [(b"host", b"testserver"), (b"origin", b"http://testserver:81")],
        [(b"host", b"testserver"), (b"origin", b"http://testserver.evil.example")],
        [(b"host", b"testserver"), (b"origin", b"http://evil.example")],
        [(b"host", b"testserver"), (b"origin", b"https://front.example.org.evil.example")],
        [(b"host", b"evil.example"), (b"origin", b"http://evil.example")],
        [(b"host", b""), (b"origin", b"http://")],
        [(b"origin", b"http://testserver")],
    ],
)
def test_another_origin_or_host_is_refused_and_spends_no_ticket(sign_in, headers):
    ticket = sign_in("jwt").ticket()
    assert not is_accepted(ticket, headers=headers)
    assert Ticket.objects.count() == 1


def test_any_host_allowed_does_not_mean_any_origin(sign_in, settings):
    settings.ALLOWED_HOSTS = ["*"]
    foreign = [(b"host", b"lab:8000"), (b"origin", b"http://evil.example")]
    assert not is_accepted(sign_in("jwt").ticket(), headers=foreign)
    own = [(b"host", b"lab:8000"), (b"origin", b"http://lab:8000")]
    assert is_accepted(sign_in("jwt").ticket(), headers=own)


def test_an_origin_that_cors_lets_in_may_subscribe(sign_in):
    listed = [(b"host", b"testserver"), (b"origin", b"https://front.example.org")]
    assert is_accepted(sign_in("jwt").ticket(), headers=listed)


@pytest.mark.parametrize(("believed", "accepted"), [(True, True), (False, False)])
def test_the_edge_tells_the_scheme_and_only_the_edge_is_believed(sign_in, settings, believed, accepted):
    settings.TRUSTED_PROXY = believed
    over_tls = [
        (b"host", b"testserver"),
        (b"origin", b"https://testserver"),
        (b"x-forwarded-proto", b"https"),
    ]
    assert is_accepted(sign_in("jwt").ticket(), headers=over_tls) is accepted


def test_a_handshake_needs_the_protocol_and_exactly_one_ticket(sign_in):
    member = sign_in("jwt")
    one, other = member.ticket(), member.ticket()
    for protocols in (
        [],
        [feed.PROTOCOL],
        [f"ticket.{one}"],
        [feed.PROTOCOL, f"ticket.{one}", f"ticket.{other}"],
        [feed.PROTOCOL, one],
        [feed.PROTOCOL, f"ticket.{member.tokens['access']}"],
    ):
        assert not is_accepted("", protocols=protocols)
    assert is_accepted(one)


def test_a_token_in_the_address_opens_nothing(sign_in):
    member = sign_in("jwt")
    query = f"/ws/feed/?ticket={member.ticket()}&token={member.tokens['access']}"
    assert not is_accepted("", path=query, protocols=[feed.PROTOCOL])


def test_other_addresses_and_servers_without_a_feed_refuse(sign_in, settings):
    ticket = sign_in("jwt").ticket()
    assert not is_accepted(ticket, path="/ws/other/")
    settings.REALTIME = False
    assert not is_accepted(ticket)
    assert Ticket.objects.count() == 1


def test_a_ticket_whose_credential_ended_in_between_opens_nothing(sign_in):
    member = sign_in("jwt")
    ticket = member.ticket()
    member.log_out()
    assert not is_accepted(ticket)


# Messages


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
