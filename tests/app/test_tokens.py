"""Which tokens are refused: forged ones, by both ways that take tokens, and never with a server error."""

import hashlib

import pytest

from accounts.claims import is_canonical
from tests.app.odd import KNOWN_TO_THE_DATABASE, ODD_CLAIMS, ODD_ENDS, ODD_HEADERS, ODD_NAMES

pytestmark = pytest.mark.django_db

BOTH = pytest.mark.parametrize("name", ["jwt", "plain"])
SECRET_KEY = "v3ry-l0ng-4nd-r4nd0m-En0ugh-F0r-Th3-Ch3cks-0f-Dj4ng0-Its3lf"


@pytest.fixture
def ask(client):
    """Show a token at an address of one of the ways."""

    def send(name, path, token):
        if path == "me":
            headers = {"Authorization": f"Bearer {token}".encode("latin-1", "replace").decode("latin-1")}
            return client.get(f"/api/auth/{name}/me/", headers=headers)
        body = {"token" if path == "verify" else "refresh": token}
        return client.post(f"/api/auth/{name}/{path}/", body, content_type="application/json")

    return send


def assert_refused(answer):
    """Hold an answer against what a refusal must be."""
    assert answer.status_code == 401, answer.content
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    assert list(answer.json()) == ["detail"]


@BOTH
@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_the_control_for_all_forgeries_is_accepted(ask, forged, name, kind):
    """Proves that the forgeries fail for their own fault."""
    token = forged(way=name, kind=kind)
    assert ask(name, "verify", token).status_code == 200
    assert ask(name, "me" if kind == "access" else "refresh", token).status_code == 200


@BOTH
@pytest.mark.parametrize("changed", (ODD_CLAIMS | ODD_NAMES).values(), ids=(ODD_CLAIMS | ODD_NAMES).keys())
def test_a_signed_access_token_with_odd_claims_is_refused(ask, forged, name, changed):
    """A right signature does not excuse wrong claims."""
    token = forged(**({"way": name} | changed))
    assert_refused(ask(name, "me", token))
    assert_refused(ask(name, "verify", token))


FORMS = {what: claim for what, claim in (ODD_CLAIMS | ODD_NAMES).items() if what not in KNOWN_TO_THE_DATABASE}


@BOTH
@pytest.mark.parametrize("changed", FORMS.values(), ids=FORMS.keys())
def test_odd_claims_are_refused_without_a_database_too(ask, forged, settings, name, changed):
    """All but those that only the database knows to be wrong."""
    settings.JWT_VERIFY = "stateless"
    assert_refused(ask(name, "me", forged(**({"way": name} | changed))))


@BOTH
@pytest.mark.parametrize("changed", (ODD_CLAIMS | ODD_ENDS).values(), ids=(ODD_CLAIMS | ODD_ENDS).keys())
def test_a_signed_refresh_token_with_odd_claims_is_refused(ask, forged, name, changed):
    """Everywhere it could be shown."""
    token = forged(**({"way": name, "kind": "refresh"} | changed))
    for path in ("refresh", "verify", "logout"):
        assert_refused(ask(name, path, token))


@BOTH
@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"null", b'"x"', b"{", b"\xff", b'{"a":' * 50_000, '{"iss":1}'.encode("utf-16")]
)
def test_a_signed_token_that_holds_no_object_is_refused(ask, user, forge, name, payload):
    """Neither does it excuse a payload that is no object."""
    token = forge(payload)
    for path in ("me", "refresh", "verify", "logout"):
        assert_refused(ask(name, path, token))


@BOTH
@pytest.mark.parametrize("header", ODD_HEADERS.values(), ids=ODD_HEADERS.keys())
@pytest.mark.parametrize("signed", [True, False])
def test_a_token_with_an_odd_header_is_refused(ask, forged, name, header, signed):
    """One algorithm and the names of our keys are accepted, whatever else the header says."""
    token = forged(way=name, header=header)
    assert_refused(ask(name, "me", token if signed else token[: token.rindex(".") + 1]))


@BOTH
@pytest.mark.parametrize(
    "other", [{"jku": "http://127.0.0.1:9/"}, {"x5u": "http://127.0.0.1:9/"}, {"jwk": {}}]
)
def test_a_key_that_a_token_brings_along_is_ignored(ask, forged, name, other):
    """Neither asked for nor used: with our key it is accepted as without, with another refused."""
    header = {"alg": "HS256"} | other
    assert ask(name, "me", forged(way=name, header=header)).status_code == 200
    assert_refused(ask(name, "me", forged(way=name, header=header, key="the key that it brings along")))


@BOTH
@pytest.mark.parametrize("key", ["", "x", "secret", "changeme", "your-256-bit-secret", SECRET_KEY])
def test_a_token_signed_with_another_key_is_refused(ask, forged, name, key):
    """Django's own secret is another key too."""
    assert_refused(ask(name, "me", forged(way=name, key=key)))


@BOTH
@pytest.mark.parametrize("alg", ["HS384", "HS512"])
def test_another_algorithm_is_refused_even_with_the_right_key(ask, forged, name, alg):
    """A key is for one algorithm."""
    digest = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
    assert_refused(ask(name, "me", forged(way=name, header={"alg": alg}, digest=digest)))


@BOTH
@pytest.mark.parametrize(
    "cut",
    [
        lambda token: token[: token.rindex(".") + 1],
        lambda token: token[:-10],
        lambda token: token.rpartition(".")[0],
        lambda token: token.partition(".")[0],
        lambda token: f"{token}.",
        lambda token: f"{token}.a.b",
        lambda token: f".{token}",
        lambda token: token.replace(".", ""),
        lambda token: token[:60] + ("A" if token[60] != "A" else "B") + token[61:],
        lambda token: token[:-5] + ("A" if token[-5] != "A" else "B") + token[-4:],
    ],
)
def test_a_token_that_is_cut_or_changed_is_refused(ask, forged, name, cut):
    """Any one character of it."""
    assert_refused(ask(name, "me", cut(forged(way=name))))


@BOTH
@pytest.mark.parametrize("path", ["refresh", "verify", "logout"])
def test_only_one_spelling_of_a_token_is_accepted(ask, forged, name, path):
    """Decoders take padding, and anything in the last character's unused bits: a spent token could come again."""
    token = forged(way=name, kind="refresh")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]  # 32 bytes leave two bits unused
    for other in (f"{token}=", f" {token}", f"{token} ", f"{token}\n", f"{token}%0a", twin):
        assert_refused(ask(name, path, other))
    assert ask(name, path, token).status_code in (200, 204)


@pytest.mark.parametrize("text", ["", ".", "..", "...", "a.b", "a.b.c.d", "é.é.é", "AA+A.AA/A.AAAA", "A.A.A"])
def test_what_is_no_compact_token_is_not_canonical(text):
    """Whatever it is instead."""
    assert not is_canonical(text)


@BOTH
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
def test_an_odd_authorization_header_is_refused(client, user, name, header):
    """Refused, not misread and not a crash."""
    assert_refused(client.get(f"/api/auth/{name}/me/", headers={"Authorization": header}))


@BOTH
@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_the_scheme_may_be_written_in_any_case(client, forged, name, scheme):
    """RFC 9110, section 11.1."""
    headers = {"Authorization": f"{scheme} {forged(way=name)}"}
    assert client.get(f"/api/auth/{name}/me/", headers=headers).status_code == 200


@BOTH
def test_a_token_is_taken_from_the_header_only(client, forged, name):
    """Not from the address, where it would be logged, and not from a cookie unless that is how tokens are carried."""
    token = forged(way=name)
    client.cookies["serverlab_access"] = token
    assert_refused(client.get(f"/api/auth/{name}/me/?access={token}&token={token}"))
    twice = {"Authorization": f"Bearer {token}, Bearer {token}"}
    assert_refused(client.get(f"/api/auth/{name}/me/", headers=twice))


@BOTH
def test_a_refresh_token_is_no_access_token_and_the_reverse(ask, forged, name):
    """Each kind has one use."""
    access, refresh = forged(way=name), forged(way=name, kind="refresh")
    assert_refused(ask(name, "me", refresh))
    assert_refused(ask(name, "refresh", access))
    assert_refused(ask(name, "logout", access))


@BOTH
def test_the_catalogue_takes_either_kind_of_token_and_refuses_the_forged(client, ask, forged, name):
    """One view, both ways; what is wrong stays wrong, whichever is asked first."""

    def get(token):
        return client.get("/api/publishers/", headers={"Authorization": f"Bearer {token}"})

    assert get(forged(way=name)).status_code == 200
    for token in (
        forged(way=name, exp=1),
        forged(way=name, aud="x"),
        forged(way=name, key="x"),
        "a.b.c",
        "x",
    ):
        assert_refused(get(token))
    assert_refused(get(forged(way=name, kind="refresh")))
