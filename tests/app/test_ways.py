"""What holds for all ways of signing in alike."""

import json

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from tests.app.ways import PASSWORD, WAYS, Way

pytestmark = pytest.mark.django_db

GOOD = {"username": "writer", "email": "writer@example.org", "password": "staple-battery-42"}
CHALLENGES = {"session": 'Session realm="api"', "jwt": 'Bearer realm="api"', "plain": 'Bearer realm="api"'}


def assert_refused(answer, way):
    """Hold an answer against what a refusal must be."""
    assert answer.status_code == 401, answer.content
    assert answer["WWW-Authenticate"] == CHALLENGES[way.name.split()[0]]
    assert list(answer.json()) == ["detail"]


def test_from_sign_up_to_log_out(way):
    """The same answers, whichever way; only tokens that the client carries itself are in the body, too."""
    signed_up = way.sign_up(**GOOD)
    who = {"id": User.objects.get().pk, "username": "writer", "role": "reader"}
    assert (signed_up.status_code, signed_up.json()) == (201, who)
    assert_refused(way.me(), way)

    signed_in = way.log_in("writer", GOOD["password"])
    assert signed_in.status_code == 200
    body = signed_in.json()
    assert body.pop("user") == who
    carried = set() if way.ambient else {"access", "refresh"}
    assert set(body) == carried | (set() if way.name == "session" else {"expires_in"})
    assert body.get("expires_in", 600) == 600

    me = way.me()
    assert (me.status_code, me.json()) == (200, who)

    signed_out = way.log_out()
    assert (signed_out.status_code, signed_out.content) == (204, b"")
    if way.name == "plain in headers":
        assert way.me().status_code == 200, "no access token is on record: it goes on until it expires"
        assert_refused(way.refresh(), way)
    else:
        assert_refused(way.me(), way)


def test_refusals_tell_nothing_about_who_has_an_account(way, user, django_user_model):
    """Wrong password, unknown user, inactive user: byte for byte the same, by all ways."""
    django_user_model.objects.create_user("gone", password=PASSWORD, is_active=False)
    refused = [way.log_in("reader", "wrong"), way.log_in("nobody", PASSWORD), way.log_in("gone")]
    for answer in refused:
        assert_refused(answer, way)
        assert answer.json() == {"detail": "No active account has these credentials."}
        assert (answer.content, answer.headers) == (refused[0].content, refused[0].headers)


def test_an_inactive_user_is_refused_at_once(way, user):
    """What was issued before is no good any longer."""
    way.log_in()
    User.objects.update(is_active=False)
    assert_refused(way.me(), way)
    assert_refused(way.log_in(), way)
    if way.name != "session":
        assert_refused(way.refresh(), way)


def test_a_deleted_user_is_refused(way, user):
    """Nothing outlives its user, and nothing crashes for want of one."""
    way.log_in()
    user.delete()
    assert_refused(way.me(), way)
    if way.name != "session":
        assert_refused(way.refresh(), way)


@pytest.mark.parametrize("ending", ["change_password", "log_out_everywhere"])
@pytest.mark.parametrize("name", WAYS)
def test_password_and_log_out_everywhere_end_what_all_ways_issued(sign_in_by, user, name, ending):
    """Also what another way issued, and what the same way issued elsewhere; a new password is the only way in."""
    acting = sign_in_by(name)  # decides how plain tokens are carried
    plain = "plain in cookies" if name == "plain in cookies" else "plain in headers"
    others = [sign_in_by("session"), sign_in_by("jwt"), sign_in_by(plain)]
    for way in (acting, *others):
        assert way.log_in().status_code == 200
        assert way.me().status_code == 200

    assert getattr(acting, ending)().status_code == 204

    for way in others:
        assert_refused(way.me(), way)
        if way.name != "session":
            assert_refused(way.refresh(), way)
    if (name, ending) == ("session", "change_password"):
        assert acting.me().status_code == 200, "this one session knows both passwords"
    else:
        assert_refused(acting.me(), acting)
    assert acting.log_in(password=PASSWORD).status_code == (401 if ending == "change_password" else 200)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("wrong", "another-staple-42", "old_password"),
        (PASSWORD, "short", "new_password"),
        (PASSWORD, "reader@example.org", "new_password"),
    ],
)
def test_a_new_password_that_is_refused_changes_nothing(way, user, old, new, field):
    """By field, and the sign-in goes on."""
    way.log_in()
    answer = way.change_password(old, new)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert way.me().status_code == 200
    user.refresh_from_db()
    assert (user.check_password(PASSWORD), user.token_version) == (True, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("password", "12345678"),
        ("password", "short"),
        ("password", "writer@example.org"),
        ("password", "x" * 1025),
        ("password", "nul-\0-nul-nul"),
        ("password", ""),
        ("username", ""),
        ("username", "a" * 151),
        ("username", "with space"),
        ("username", "reader"),
        ("email", "nobody"),
        ("email", ""),
    ],
)
def test_a_poor_sign_up_is_refused_by_field(way, user, field, value):
    """The same fields are poor in all ways."""
    answer = way.sign_up(**GOOD | {field: value})
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert User.objects.count() == 1


def test_nobody_signs_up_as_more_than_a_reader(way):
    """Fields that are not offered are not taken."""
    wanted = {"role": "admin", "is_staff": "true", "token_version": "7", "refresh_token_hash": "0" * 64}
    assert way.sign_up(**GOOD | wanted).status_code == 201
    made = User.objects.get()
    assert (made.role, made.is_staff, made.token_version, made.refresh_token_hash) == (
        "reader",
        False,
        0,
        None,
    )


def test_two_sign_ups_for_names_that_are_stored_alike(way):
    """Names are normalised when they are stored, after the field was checked: the database has the last word."""
    assert way.sign_up(**GOOD | {"username": "ﬁnn"}).status_code == 201  # with the ligature
    answer = way.sign_up(**GOOD | {"username": "ﬁnn"})
    assert answer.status_code == 400
    assert list(answer.json()) == ["username"]


ODD_BODIES = {
    "cut": b"{",
    "no UTF-8": b"\xff\xfe",
    "broken surrogate": b'{"username": "\\ud800", "password": "x"}',
    "a list": b"[]",
    "null": b"null",
    "a text": b'"x"',
    "a huge number": b"1" * 5000,
    "deep": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "wrong types": b'{"username": [], "password": {}, "email": 5, "refresh": 7, "token": true, "old_password": 1}',
    "nulls": b'{"username": null, "password": null, "refresh": null, "token": null}',
    "NUL": b'{"username": "a\\u0000", "password": "x"}',
    "empty": b"",
    "empty object": b"{}",
}


@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES.keys())
@pytest.mark.parametrize("name", ["signup", "login", "refresh", "verify", "logout", "password"])
def test_an_odd_body_is_refused_in_json(way, user, name, body):
    """With 400, 401 without a credential, 404 where the way has no such address, 415 where nothing is sent."""
    path = f"{way.prefix}/{name}/"
    answer = way.client.post(path, body, content_type="application/json", headers=way.headers())
    assert answer.status_code in (400, 401, 404, 415)
    assert isinstance(answer.json(), dict)


def test_a_form_is_no_json(way, user):
    """A browser sends forms to anybody without asking; this content type it does not."""
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"):
        body = json.dumps({"username": "reader", "password": PASSWORD})
        answer = way.client.generic(
            "POST", f"{way.prefix}/login/", body, content_type=kind, headers=way.headers()
        )
        assert answer.status_code == 415
        assert list(answer.json()) == ["detail"]


@pytest.mark.parametrize(
    ("method", "name"), [("GET", "login"), ("PUT", "login"), ("POST", "me"), ("DELETE", "me")]
)
def test_another_method_is_refused_with_the_right_one(way, user, method, name):
    """405, in JSON; who needs a credential is told that first."""
    way.log_in()
    answer = way.client.generic(method, f"{way.prefix}/{name}/", headers=way.headers())
    assert (answer.status_code, list(answer.json())) == (405, ["detail"])
    assert ("GET" if name == "me" else "POST") in answer["Allow"]


def test_who_may_get_may_also_ask_for_the_head(way, user):
    """The same answer without a body."""
    way.log_in()
    answer = way.client.head(f"{way.prefix}/me/", headers=way.headers())
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("name", ["login", "me"])
def test_answers_about_accounts_are_in_no_cache(way, user, name):
    """Neither a browser's nor a proxy's."""
    signed_in = way.log_in()
    assert "no-store" in (signed_in if name == "login" else way.me())["Cache-Control"]


def test_seeded_users_sign_in_without_writing_a_new_hash(way, capsys):
    """A hash that is made anew at the first sign-in would be measured with it."""
    call_command("seed")
    before = User.objects.get(username="user07")
    assert way.log_in("user07", "lab-password").status_code == 200
    assert User.objects.get(username="user07").password == before.password
    assert before.password.startswith("md5$")


def test_nobody_is_signed_in_by_another_ways_credential(user):
    """Audiences keep the two kinds of token apart; a session opens the session's addresses only."""
    jwt, plain = Way("jwt"), Way("plain in headers")
    jwt.log_in()
    plain.log_in()
    jwt.access, plain.access = plain.access, jwt.access
    jwt.refresh_token, plain.refresh_token = plain.refresh_token, jwt.refresh_token
    for way in (jwt, plain):
        assert_refused(way.me(), way)
        assert_refused(way.refresh(), way)
        assert_refused(way.log_out(), way)
        assert_refused(way.post("verify", token=way.access), way)


def test_without_any_credential_each_way_says_how_to_authenticate(way, user):
    """401 with a challenge, at every address that needs somebody."""
    stranger = Way(way.name, Client())
    for answer in (stranger.me(), stranger.change_password(), stranger.log_out_everywhere()):
        assert_refused(answer, way)
