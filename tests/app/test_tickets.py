"""Tickets for the live feed, and the handshakes in which they are spent."""

import json
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone

from accounts.models import User
from realtime import feed, tickets
from realtime.models import Ticket
from tests.app.sockets import ALL_WAYS, SAME_ORIGIN, TICKET, SignedIn, Socket, a_feed, is_accepted


@pytest.fixture(autouse=True)
def _feed(settings):
    with a_feed(settings):
        yield


@pytest.fixture
def sign_in(user):
    return SignedIn


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


def test_a_handshake_is_refused_where_nobody_can_be_subscribed(sign_in, settings, caplog):
    ticket = sign_in("jwt").ticket()
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "tests.app.deaf_layer.DeafLayer"}}
    assert not is_accepted(ticket)
    assert "cannot be checked" in caplog.text


def test_a_ticket_whose_credential_ended_in_between_opens_nothing(sign_in):
    member = sign_in("jwt")
    ticket = member.ticket()
    member.log_out()
    assert not is_accepted(ticket)
