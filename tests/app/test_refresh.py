"""The life of a token: renewed, spent, revoked, and what the database keeps of it."""

import hashlib
import json
import logging
import time
from datetime import timedelta

import jwt as pyjwt
import pytest
from django.core import serializers
from django.db.models import F
from django.test import Client

from accounts import claims
from accounts.models import RefreshFamily, User
from accounts.signals import credentials_ended
from tests.app.ways import Way

pytestmark = pytest.mark.django_db

WITH_TOKENS = ("jwt", "plain in headers", "plain in cookies")


@pytest.fixture(params=WITH_TOKENS)
def way(request, sign_in_by, user):
    """Somebody who has signed in, once for each way that hands out tokens."""
    way = sign_in_by(request.param)
    assert way.log_in().status_code == 200
    return way


def refresh_token(way):
    """Return the refresh token that the way's client holds."""
    return way.refresh_token or way.client.cookies["serverlab_refresh"].value


def access_token(way):
    """Return the access token that the way's client holds."""
    return way.access or way.client.cookies["serverlab_access"].value


def hold(way, refresh):
    """Give the way's client another refresh token."""
    if way.name == "plain in cookies":
        way.client.cookies["serverlab_refresh"] = refresh
    else:
        way.refresh_token = refresh


def usable(way, refresh):
    """Whether the app says that the token could be used."""
    return way.post("verify", token=refresh).status_code == 200


def events(caplog):
    """Return what was logged about reuse."""
    return [record for record in caplog.records if "reused" in record.getMessage()]


def read(token):
    """Return what a token says."""
    return pyjwt.decode(token, options={"verify_signature": False})


def test_a_refresh_token_buys_the_next_pair_once(way):
    """The same family, another token; the access token of before goes on."""
    before, old_access = refresh_token(way), access_token(way)
    answer = way.refresh()
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 600
    after = refresh_token(way)
    assert read(before)["fam"] == read(after)["fam"]
    assert read(before)["jti"] != read(after)["jti"]
    assert (usable(way, before), usable(way, after), usable(way, old_access)) == (False, True, True)
    assert way.me().status_code == 200


def test_reuse_revokes_the_family_and_is_logged_once_without_the_token(way, caplog):
    """The copy is refused; the successor, too; another sign-in of the same user stays."""
    caplog.set_level(logging.WARNING)
    chain = [refresh_token(way)]
    for _ in range(9):
        assert way.refresh().status_code == 200
        chain.append(refresh_token(way))
    other = Way("jwt")
    other.log_in()

    for copied in (chain[2], chain[2], chain[-1], chain[0]):
        hold(way, copied)
        assert way.refresh().status_code == 401
        assert not usable(way, copied)

    (event,) = events(caplog)
    assert (event.user_id, event.family) == (User.objects.get().pk, read(chain[0])["fam"])
    assert all(token not in json.dumps(event.__dict__, default=str) for token in chain)
    assert other.refresh().status_code == 200


def test_signing_in_again_ends_the_plain_family_of_before_and_no_family_of_drfs_way(way):
    """The plain way has one column per user, DRF's way a row per sign-in."""
    first = refresh_token(way)
    assert Way(way.name, way.client).log_in().status_code == 200
    assert usable(way, first) is (way.name == "jwt")


@pytest.mark.parametrize("name", ["plain in headers", "plain in cookies"])
def test_a_token_of_another_family_than_the_present_is_no_reuse(sign_in_by, user, caplog, name):
    """An old sign-in's token ends nothing: it may just have been forgotten in a drawer."""
    way = sign_in_by(name)
    way.log_in()
    first = refresh_token(way)
    way.log_in()
    second = refresh_token(way)
    hold(way, first)
    assert way.refresh().status_code == 401
    assert usable(way, second)
    assert events(caplog) == []


def test_a_family_ends_for_good_however_often_it_is_renewed(way, settings):
    """The absolute end is written into each token of it, and no refresh moves it."""
    settings.FAMILY_LIFETIME = timedelta(seconds=100)
    way.log_in()
    first = read(refresh_token(way))
    assert first["exp"] == first["end"] == first["iat"] + 100
    settings.FAMILY_LIFETIME = timedelta(days=30)
    way.refresh()
    later = read(refresh_token(way))
    assert (later["exp"], later["end"]) == (first["end"], first["end"])


def test_log_out_ends_the_family(way):
    """At once for refresh tokens; for access tokens at once where the family is on record."""
    held, access = refresh_token(way), access_token(way)
    assert way.log_out().status_code == 204
    assert not usable(way, held)
    assert usable(way, access) is (way.name != "jwt")


def test_a_spent_token_can_still_log_out(way):
    """Whoever lost the race for a refresh must be able to leave."""
    spent = refresh_token(way)
    way.refresh()
    present = refresh_token(way)
    hold(way, spent)
    assert way.log_out().status_code == 204
    assert not usable(way, present)


@pytest.mark.parametrize("ending", ["family", "reuse", "everywhere"])
def test_access_tokens_of_a_revoked_family_end_at_once_in_mode_user(sign_in_by, user, settings, ending):
    """DRF's way reads family and user in one query; in mode `stateless` they go on until they expire."""
    way = sign_in_by("jwt")
    way.log_in()
    spent, access = way.refresh_token, way.access
    if ending == "everywhere":
        way.log_out_everywhere()
    elif ending == "family":
        way.log_out()
    else:
        way.refresh()
        hold(way, spent)
        way.refresh()
    assert way.me().status_code == 401
    way.access = access
    assert way.me().status_code == 401
    settings.JWT_VERIFY = "stateless"
    assert way.me().status_code == 200


@pytest.mark.parametrize(
    "cost",
    [
        ("user", "jwt", 1),
        ("user", "plain in headers", 1),
        ("user", "plain in cookies", 1),
        ("user", "session", 2),
        ("stateless", "jwt", 0),
        ("stateless", "plain in headers", 0),
        ("stateless", "plain in cookies", 0),
    ],
)
def test_what_it_costs_to_know_who_asks(sign_in_by, user, settings, django_assert_num_queries, cost):
    """Mode `user` asks once, a session in the database twice, mode `stateless` never."""
    settings.JWT_VERIFY, name, queries = cost
    way = sign_in_by(name)
    way.log_in()
    headers = way.headers()
    with django_assert_num_queries(queries):
        answer = way.client.get(f"{way.prefix}/me/", headers=headers)
    assert answer.json() == {"id": user.pk, "username": "reader", "role": "reader"}


def test_without_a_database_passwords_and_sign_ins_are_still_held_against_it(way, settings):
    """A stateless token of before the end cannot change the account."""
    settings.JWT_VERIFY = "stateless"
    User.objects.update(token_version=F("token_version") + 1)
    assert way.me().status_code == 200
    assert way.change_password().status_code == 401
    assert way.log_out_everywhere().status_code == 401
    assert way.refresh().status_code == 401


def test_a_role_that_changes_counts_at_once_in_mode_user_and_with_the_next_token_else(way, settings):
    """Without a database the token's word is all there is."""
    User.objects.update(role="admin")
    assert way.me().json()["role"] == "admin"
    settings.JWT_VERIFY = "stateless"
    assert way.me().json()["role"] == "reader"
    way.refresh()
    assert way.me().json()["role"] == "admin"


def test_no_token_is_stored(way):
    """Who reads the database cannot sign in with what is there: it holds ids, and one hash."""
    way.refresh()
    kept = serializers.serialize("json", [*User.objects.all(), *RefreshFamily.objects.all()])
    for token in (refresh_token(way), access_token(way)):
        assert token not in kept
        assert token.split(".")[2] not in kept
    row = User.objects.get()
    if way.name != "jwt":
        assert row.refresh_token_hash == hashlib.sha256(refresh_token(way).encode()).hexdigest()
        hold(way, row.refresh_token_hash)
        assert way.refresh().status_code == 401


def test_what_a_token_says(way, user):
    """No more than this, and times in seconds."""
    access, refresh = read(access_token(way)), read(refresh_token(way))
    common = {
        "iss": "serverlab",
        "aud": "serverlab" if way.name == "jwt" else "serverlab-plain",
        "user_id": str(user.pk),
        "ver": 0,
        "role": "reader",
        "fam": refresh["fam"],
    }
    own = {name: access.pop(name) for name in ("iat", "exp", "jti")}
    assert access == common | {"token_type": "access", "name": "reader"}
    assert own["exp"] - own["iat"] == 600
    assert abs(own["iat"] - time.time()) < 60
    later = {name: refresh.pop(name) for name in ("iat", "exp", "jti", "end")}
    assert refresh == common | {"token_type": "refresh"}
    assert (later["exp"] - later["iat"], later["end"] - later["iat"]) == (86_400, 2_592_000)
    assert len({own["jti"], later["jti"], refresh["fam"]}) == 3


@pytest.mark.parametrize("ending", ["log_out", "log_out_everywhere", "change_password"])
def test_others_are_told_when_credentials_end(way, user, ending):
    """Sockets that were opened with them want to know; a plain log-out ends no access token, so nothing of theirs."""
    told = []

    def listen(user_id, **_):
        told.append(user_id)

    credentials_ended.connect(listen)
    assert getattr(way, ending)().status_code == 204
    credentials_ended.disconnect(listen)
    ends_nothing_yet = way.name != "jwt" and ending == "log_out"
    assert told == ([] if ends_nothing_yet else [user.pk])


def test_a_refresh_that_fails_in_the_middle_leaves_the_token_usable(sign_in_by, user, monkeypatch):
    """Spending the old token and writing down the next one is one statement."""
    way = sign_in_by("jwt")
    way.log_in()
    way.client = Client(raise_request_exception=False)
    with monkeypatch.context() as broken:
        broken.setattr("accounts.claims.new_id", lambda: (_ for _ in ()).throw(RuntimeError("planted")))
        assert way.post("refresh", refresh=way.refresh_token).status_code == 500
    assert way.refresh().status_code == 200


@pytest.fixture
def meanwhile(monkeypatch):
    """Have something happen in the middle of the next refresh: after it has looked, and before it writes."""

    def interrupt(action):
        really = claims.refresh_claims

        def interrupted(*args, **options):
            monkeypatch.setattr(claims, "refresh_claims", really)
            action()
            return really(*args, **options)

        monkeypatch.setattr(claims, "refresh_claims", interrupted)

    return interrupt


def twin_of(way):
    """Return a second client that holds the same tokens."""
    twin = Way(way.name, access=way.access, refresh_token=way.refresh_token)
    twin.client.cookies.update(way.client.cookies)
    return twin


def test_of_two_refreshes_at_once_one_succeeds_and_the_family_ends(way, meanwhile, caplog):
    """A3-03: who came second has shown a spent token; nobody can tell which of the two was the thief."""
    first, second = way, twin_of(way)
    answers = []
    meanwhile(lambda: answers.append(second.refresh().status_code))
    answers.append(first.refresh().status_code)
    assert answers == [200, 401]
    assert not usable(second, refresh_token(second))
    assert len(events(caplog)) == 1


@pytest.mark.parametrize("ending", ["log_out", "log_out_everywhere", "change_password", "deactivate"])
def test_an_end_in_the_middle_of_a_refresh_is_an_end(way, meanwhile, ending):
    """A3-06: when both are done no token is left, whoever was first."""
    other, asked = twin_of(way), []

    def end():
        if ending == "deactivate":
            asked.append(User.objects.update(is_active=False))
        else:
            asked.append(getattr(other, ending)().status_code)

    meanwhile(end)
    way.refresh()
    assert asked in ([204], [1])
    assert not usable(way, refresh_token(way))
    if ending != "log_out" or way.name == "jwt":
        assert not usable(way, access_token(way))
    User.objects.update(is_active=True)
    if ending != "deactivate":
        assert not usable(way, refresh_token(way))
