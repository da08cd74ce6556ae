"""Sessions: the key, what a cross-site request cannot do, and where they are kept."""

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.models import User
from tests.app.ways import Way

pytestmark = pytest.mark.django_db

SESSION, CSRF = "__Host-sessionid", "__Host-csrftoken"  # so named, no neighbour can plant them
SIGN_UP = {"username": "writer", "email": "writer@example.org", "password": "staple-battery-42"}


@pytest.fixture
def session(user):
    """One who has signed in with a session."""
    way = Way("session")
    assert way.log_in().status_code == 200
    return way


def key(way):
    """Return the session key that the client holds."""
    return way.client.cookies[SESSION].value


def test_the_key_is_new_after_log_in(user):
    """A4-01: whoever planted a key before has nothing."""
    way = Way("session")
    way.client.session.save()
    planted = key(way)
    way.log_in()
    assert key(way) != planted
    attacker = Client()
    attacker.cookies[SESSION] = planted
    assert attacker.get("/api/auth/session/me/").status_code == 401


def test_an_invented_key_is_not_adopted(user):
    """Nor one that the app never made."""
    way = Way("session")
    way.client.cookies[SESSION] = "a" * 32
    way.log_in()
    assert key(way) != "a" * 32


def test_the_key_is_no_good_after_log_out(session):
    """A4-02: the row is gone, not only the cookie."""
    kept = key(session)
    session.log_out()
    assert not Session.objects.exists()
    thief = Client()
    thief.cookies[SESSION] = kept
    assert thief.get("/api/auth/session/me/").status_code == 401


def test_a_new_password_gives_this_session_a_new_key_and_ends_the_others(session):
    """A4-02, the other half."""
    other, before = Way("session"), key(session)
    other.log_in()
    assert session.change_password().status_code == 204
    assert key(session) != before
    assert (session.me().status_code, other.me().status_code) == (200, 401)


def test_the_cookie_is_for_http_only_and_for_this_site(session):
    """And, unless the settings say that there is no TLS, only for TLS."""
    cookie = session.client.cookies[SESSION]
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["path"]) == (
        True,
        "Lax",
        True,
        "/",
    )
    token = session.client.cookies[CSRF]
    assert (token["samesite"], token["secure"]) == ("Lax", True)


FOREIGN = {
    "nothing": {},
    "a wrong token": {"X-CSRFToken": "a" * 64},
    "a token of another format": {"X-CSRFToken": "x"},
    "an empty token": {"X-CSRFToken": ""},
    "a garbage bearer": {"Authorization": "Bearer a.b.c"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("path", ["login", "signup", "logout", "logout-everywhere", "password"])
def test_nothing_is_done_without_the_token(session, path, headers):
    """A4-03, A4-05, A4-07: 403 in JSON, and nothing has changed; signing in and up want it as well."""
    body = SIGN_UP | {"old_password": "correct-horse-battery", "new_password": "another-staple-42"}
    session.csrf()
    answer = session.client.post(
        f"/api/auth/session/{path}/", body, content_type="application/json", headers=headers
    )
    assert answer.status_code == 403
    assert answer.json() == {"detail": "CSRF check failed. Get a token from /api/auth/csrf/."}
    assert session.me().status_code == 200
    assert User.objects.count() == 1


def test_a_token_of_another_browser_is_none(session, user):
    """A4-03: header and cookie have to belong together."""
    foreign = Way("session").csrf()
    answer = session.client.post("/api/auth/session/logout/", headers={"X-CSRFToken": foreign})
    assert answer.status_code == 403


def test_the_token_of_before_the_log_in_is_none_afterwards(user):
    """Django makes a new one, in case the old one was planted."""
    way = Way("session")
    planted = way.csrf()
    way.log_in()
    answer = way.client.post("/api/auth/session/logout/", headers={"X-CSRFToken": planted})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver"},
        {"Origin": "https://testserver.evil.example"},
        {"Referer": "https://evil.example/"},
        {},
    ],
    ids=["origin", "null", "scheme", "suffix", "referer", "neither"],
)
def test_over_tls_a_foreign_page_is_refused_even_with_the_token(session, headers):
    """A4-04: Origin decides, or else Referer, and one of them has to be there."""
    token = session.client.get("/api/auth/csrf/", secure=True).json()["csrf_token"]
    answer = session.client.post(
        "/api/auth/session/logout/", headers={"X-CSRFToken": token} | headers, secure=True
    )
    assert answer.status_code == 403
    home = {"X-CSRFToken": token, "Origin": "https://testserver"}
    assert session.client.post("/api/auth/session/logout/", headers=home, secure=True).status_code == 204


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_the_catalogue_wants_the_token_with_a_session_too(session, headers):
    """A4-03, A4-07: 403, or 401 for a token that is wrong; never a write."""
    User.objects.update(role="admin")
    session.csrf()
    body = {"name": "New", "city": "Rome"}
    answer = session.client.post("/api/publishers/", body, content_type="application/json", headers=headers)
    assert answer.status_code == (401 if "Authorization" in headers else 403)
    good = {"X-CSRFToken": session.csrf()}
    answer = session.client.post("/api/publishers/", body, content_type="application/json", headers=good)
    assert answer.status_code == 201


def test_a_bearer_needs_no_csrf_token(user):
    """A4-06: no browser sends it by itself."""
    User.objects.update(role="admin")
    way = Way("jwt")
    way.log_in()
    answer = way.client.post(
        "/api/publishers/",
        {"name": "New", "city": "Rome"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {way.access}"},
    )
    assert answer.status_code == 201


def test_a_foreign_bearer_beside_a_session_decides(session, django_user_model):
    """A4-07: the header goes first, whether it is good or not; the session is not asked any more."""
    other = Way("jwt", session.client)
    django_user_model.objects.create_user("other", password="correct-horse-battery")
    other.log_in("other")
    bearer = {"Authorization": f"Bearer {other.access}"}
    assert session.client.get("/api/auth/jwt/me/", headers=bearer).json()["username"] == "other"
    assert session.client.get("/api/publishers/", headers={"Authorization": "Bearer x"}).status_code == 401


def test_sessions_may_be_kept_in_the_shared_cache(settings, user):
    """No row of the session table; one browser's log-out is no other's."""
    settings.SESSION_ENGINE = "config.sessions"
    here, there = Way("session"), Way("session")
    here.log_in()
    there.log_in()
    assert not Session.objects.exists()
    kept = key(here)
    assert here.log_out().status_code == 204
    here.client.cookies[SESSION] = kept
    assert (here.me().status_code, there.me().status_code) == (401, 200)


def test_the_csrf_token_is_for_this_browser_only(client):
    """The answer is in no cache, and sets the cookie that the token belongs to."""
    answer = client.get("/api/auth/csrf/")
    assert list(answer.json()) == ["csrf_token"]
    assert "no-store" in answer["Cache-Control"]
    assert "Cookie" in answer["Vary"]
    assert len(answer.cookies[CSRF].value) == 32
