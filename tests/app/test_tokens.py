"""Tokens, asked only over HTTP."""

import time

import pytest
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts import tokens

pytestmark = pytest.mark.django_db

PROFILE = "/api/auth/profile/"


@pytest.fixture
def post(client):
    """POST under /api/auth/."""

    def send(path, **body):
        return client.post(f"/api/auth/{path}", body, content_type="application/json")

    return send


def assert_refused(answer):
    """Hold an answer against what a refusal must be."""
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    assert "detail" in answer.json()


def test_a_pair_opens_the_profile(bearer, pair, user):
    """The access token of a fresh pair is accepted."""
    assert set(pair) == {"access", "refresh"}
    answer = bearer(PROFILE, pair["access"])
    assert answer.status_code == 200
    body = answer.json()
    assert (body["id"], body["username"], body["email"]) == (user.pk, "reader", "reader@example.org")
    assert "password" not in body


def test_without_a_token_there_is_no_profile(client, user):
    """The challenge says what is missing."""
    assert_refused(client.get(PROFILE))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Token x",
        "Basic eDp5",
        "Bearer ü",
        "Bearer \0",
        "Bearer ..",
        "x",
    ],
)
def test_an_odd_authorization_header_is_refused(client, user, header):
    """Refused, not misread and not a crash."""
    assert_refused(client.get(PROFILE, headers={"Authorization": header}))


ODD_CLAIMS = {
    "exp in the past": {"exp": 1},
    "exp now": {"exp": int(time.time())},
    "exp missing": {"exp": ...},
    "exp null": {"exp": None},
    "exp negative": {"exp": -1},
    "exp a word": {"exp": "never"},
    "exp a numeric string": {"exp": "4000000000"},
    "exp huge": {"exp": 10**20},
    "exp absurd": {"exp": 10**400},
    "exp a fraction": {"exp": 4000000000.5},
    "exp infinite": {"exp": float("inf")},
    "exp not a number": {"exp": float("nan")},
    "exp true": {"exp": True},
    "exp a list": {"exp": [4000000000]},
    "nbf in the future": {"nbf": 4000000000},
    "nbf a word": {"nbf": "later"},
    "iat in the future": {"iat": 4000000000},
    "iat a list": {"iat": []},
    "iat infinite": {"iat": float("inf")},
    "user missing": {"user_id": ...},
    "user null": {"user_id": None},
    "user a list": {"user_id": [1]},
    "user a dict": {"user_id": {"a": 1}},
    "user a word": {"user_id": "abc"},
    "user empty": {"user_id": ""},
    "user with NUL": {"user_id": "1\0"},
    "user with spaces": {"user_id": " 1 "},
    "user with a line end": {"user_id": "1\n"},
    "user in Arabic digits": {"user_id": "\N{ARABIC-INDIC DIGIT ONE}"},
    "user true": {"user_id": True},
    "user a fraction": {"user_id": 1.5},
    "user negative": {"user_id": "-1"},
    "user zero": {"user_id": "0"},
    "user huge": {"user_id": 10**30},
    "user huge in text": {"user_id": "9" * 19},
    "user absurd in text": {"user_id": "9" * 5000},
    "user unknown": {"user_id": "4711"},
    "type missing": {"token_type": ...},
    "type refresh": {"token_type": "refresh"},
    "type in capitals": {"token_type": "Access"},
    "type a list": {"token_type": ["access"]},
    "id missing": {"jti": ...},
    "id a number": {"jti": 5},
    "id a list": {"jti": ["0" * 32]},
    "sub a number": {"sub": 5},
}


@pytest.mark.parametrize("changed", ODD_CLAIMS.values(), ids=ODD_CLAIMS.keys())
@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_a_signed_token_with_odd_claims_is_refused_everywhere(bearer, post, forged, changed, kind):
    """A right signature does not excuse wrong claims."""
    token = forged(**({"token_type": kind} | changed))
    assert_refused(bearer(PROFILE, token))
    assert_refused(post("token/refresh/", refresh=token))


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b'"x"', b"{", b"\xff", b'{"a":' * 50_000])
def test_a_signed_token_that_holds_no_object_is_refused(bearer, post, user, forge, payload):
    """Neither does it excuse a payload that is no object."""
    token = forge(payload)
    assert_refused(bearer(PROFILE, token))
    assert_refused(post("token/refresh/", refresh=token))
    assert_refused(post("token/verify/", token=token))


ODD_HEADERS = {
    **{f"alg {alg!r}": {"alg": alg} for alg in ("none", "None", "NONE", "none ", "", "HS384", "RS256")},
    **{f"alg {alg!r}": {"alg": alg} for alg in (None, [], 5, {"a": 1}, ["HS256"])},
    "alg missing": {"typ": "JWT"},
    "critical extension": {"alg": "HS256", "crit": ["unknown"], "unknown": 1},
    "kid a number": {"alg": "none", "kid": 5},
    "no object": b"[]",
    "deep": b'{"alg":' * 50_000,
}


@pytest.mark.parametrize("header", ODD_HEADERS.values(), ids=ODD_HEADERS.keys())
@pytest.mark.parametrize("signed", [True, False])
def test_a_token_with_an_odd_header_is_refused(bearer, forged, header, signed):
    """One algorithm is accepted, whatever the header says."""
    token = forged(header=header)
    assert_refused(bearer(PROFILE, token if signed else token[: token.rindex(".") + 1]))


@pytest.mark.parametrize("key", ["", "x", "v3ry-l0ng-4nd-r4nd0m-En0ugh-F0r-Th3-Ch3cks-0f-Dj4ng0-Its3lf"])
def test_a_token_signed_with_another_key_is_refused(bearer, forged, key):
    """Django's own secret is another key too."""
    assert_refused(bearer(PROFILE, forged(key=key)))


def test_the_control_for_all_forgeries_is_accepted(bearer, forged):
    """Proves that the forgeries fail for their own fault."""
    assert bearer(PROFILE, forged()).status_code == 200


def test_a_deleted_user_is_refused(bearer, post, pair, user):
    """Tokens do not outlive their user."""
    user.delete()
    assert_refused(bearer(PROFILE, pair["access"]))
    assert_refused(post("token/refresh/", refresh=pair["refresh"]))
    assert_refused(post("token/verify/", token=pair["access"]))


def test_an_inactive_user_is_refused(bearer, post, pair, user):
    """At every address, at once."""
    user.is_active = False
    user.save()
    assert_refused(bearer(PROFILE, pair["access"]))
    assert_refused(post("token/refresh/", refresh=pair["refresh"]))
    assert_refused(post("token/verify/", token=pair["refresh"]))
    assert_refused(post("token/", username="reader", password="correct-horse-battery"))


def test_a_refresh_token_is_no_access_token_and_the_reverse(bearer, post, pair):
    """Each kind has one use."""
    assert_refused(bearer(PROFILE, pair["refresh"]))
    assert_refused(post("token/refresh/", refresh=pair["access"]))


def test_a_refresh_token_works_once(bearer, post, pair):
    """The next pair works, the spent token does not."""
    second = post("token/refresh/", refresh=pair["refresh"])
    assert second.status_code == 200
    assert set(second.json()) == {"access", "refresh"}
    assert bearer(PROFILE, second.json()["access"]).status_code == 200
    assert_refused(post("token/refresh/", refresh=pair["refresh"]))
    assert_refused(post("token/verify/", token=pair["refresh"]))
    assert post("token/refresh/", refresh=second.json()["refresh"]).status_code == 200


def test_another_spelling_of_a_spent_token_is_refused(post, pair):
    """Tokens are spent by their id, not by their text."""
    post("token/refresh/", refresh=pair["refresh"])
    assert_refused(post("token/refresh/", refresh=pair["refresh"] + "="))


def test_a_refused_refresh_leaves_the_token_usable(post, pair, monkeypatch):
    """Spending the old token and issuing the next one is one transaction."""
    with monkeypatch.context() as broken:
        broken.setattr(tokens, "issue", lambda user: (_ for _ in ()).throw(tokens.InvalidToken("planted")))
        assert_refused(post("token/refresh/", refresh=pair["refresh"]))
    assert post("token/refresh/", refresh=pair["refresh"]).status_code == 200


def test_no_raw_token_is_stored(pair):
    """Who reads the database cannot sign in with what is there."""
    assert list(OutstandingToken.objects.values_list("token", flat=True)) == [""]


def test_verify_accepts_both_kinds_and_refuses_the_rest(post, pair):
    """Usable is 200, unusable 401, nothing to judge 400."""
    assert post("token/verify/", token=pair["access"]).status_code == 200
    assert post("token/verify/", token=pair["refresh"]).json() == {}
    assert_refused(post("token/verify/", token="a.b.c"))
    assert post("token/verify/").status_code == 400


def test_wrong_password_and_unknown_user_get_the_same_refusal(post, user):
    """The answer does not tell who has an account."""
    wrong = post("token/", username="reader", password="wrong")
    unknown = post("token/", username="nobody", password="wrong")
    assert_refused(wrong)
    assert_refused(unknown)
    assert wrong.content == unknown.content


@pytest.mark.parametrize(
    "body",
    [{}, {"username": "reader"}, {"username": [], "password": {}}, {"username": "a\0", "password": "x"}],
)
def test_incomplete_credentials_are_a_bad_request(post, user, body):
    """They are not even tried."""
    assert post("token/", **body).status_code == 400


def test_a_token_reply_is_not_cached(post, user):
    """Neither by browsers nor by proxies."""
    answer = post("token/", username="reader", password="correct-horse-battery")
    assert answer["Cache-Control"] == "no-store"


def test_a_profile_takes_one_query(reader, django_assert_num_queries):
    """The user of the token, and nothing else."""
    with django_assert_num_queries(1):
        reader.get(PROFILE)
