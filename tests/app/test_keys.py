"""Keys for tokens: what is fit to start with, which one verifies what, and what others may know."""

import base64
import json

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.exceptions import ImproperlyConfigured
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey
from jwt.algorithms import RSAAlgorithm

from config.keys import key_ring
from tests.app.ways import Way

# joserfc points to RFC 9864, which would rather say Ed25519 than EdDSA.
pytestmark = pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")

SECRET = "django's own secret, which is another"
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1", "alg": "RS256"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed-1", "alg": "EdDSA"})
OCT = OctKey.generate_key(256, {"kid": "oct-1", "alg": "HS256"})
SHORT_RSA = RSAAlgorithm.to_jwk(rsa.generate_private_key(65_537, 1024), as_dict=True)  # noqa: S505 - to be refused
BY_ALGORITHM = {"HS256": OCT, "RS256": RSA, "EdDSA": ED}


def private_set(*keys):
    """Return a private JWK Set, as DJANGO_JWT_KEYS wants it; a key may be a dict already."""
    return json.dumps({"keys": [key if isinstance(key, dict) else key.as_dict(private=True) for key in keys]})


def ring_of(*keys, algorithm=None):
    """Return the keys of a private set; the first one's algorithm is the one that is set."""
    chosen = algorithm or keys[0].as_dict()["alg"]
    return key_ring({"DJANGO_JWT_KEYS": private_set(*keys), "DJANGO_JWT_ALGORITHM": chosen}, secret=SECRET)


@pytest.fixture
def signed_in(settings, user):
    """Sign in by one of the ways while these keys are set."""

    def make(name, *keys):
        settings.JWT_KEYS = ring_of(*keys)
        way = Way(name)
        assert way.log_in().status_code == 200
        return way

    return make


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["jwt", "plain in headers"])
@pytest.mark.parametrize("algorithm", BY_ALGORITHM)
def test_each_algorithm_signs_and_verifies_for_both_ways(signed_in, name, algorithm):
    """The header says which key; a foreign library makes the same of it."""
    way = signed_in(name, BY_ALGORITHM[algorithm])
    assert way.me().status_code == 200
    assert way.refresh().status_code == 200
    header = pyjwt.get_unverified_header(way.access)
    assert header == {"alg": algorithm, "typ": "JWT", "kid": BY_ALGORITHM[algorithm].kid}
    read = joserfc_jwt.decode(way.access, BY_ALGORITHM[algorithm], algorithms=[algorithm])
    assert read.claims["name"] == "reader"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["jwt", "plain in headers"])
def test_keys_overlap_during_a_rotation(signed_in, settings, name):
    """A3-15: the next key signs, the one of before still verifies until it is taken out; then nothing of it is good."""
    way = signed_in(name, RSA)
    old = way.access
    settings.JWT_KEYS = ring_of(ED, RSA)
    assert way.me().status_code == 200
    assert way.refresh().status_code == 200
    assert pyjwt.get_unverified_header(way.access)["kid"] == "ed-1"
    assert way.me().status_code == 200
    settings.JWT_KEYS = ring_of(ED)
    assert way.me().status_code == 200
    way.access = old
    assert way.me().status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["jwt", "plain in headers"])
def test_what_the_published_keys_verify_is_what_was_issued(signed_in, client, name):
    """Whoever knows only /.well-known/jwks.json can verify our tokens, with another library; never make one."""
    way = signed_in(name, ED, RSA, OCT)
    answer = client.get("/.well-known/jwks.json")
    assert answer.status_code == 200
    published = answer.json()
    assert [(key["kid"], key["alg"], key["use"]) for key in published["keys"]] == [
        ("ed-1", "EdDSA", "sig"),
        ("rsa-1", "RS256", "sig"),
    ]
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & {part for key in published["keys"] for part in key}
    read = joserfc_jwt.decode(way.access, KeySet.import_key_set(published), algorithms=["EdDSA", "RS256"])
    assert read.claims["iss"] == "serverlab"


def test_a_shared_secret_is_never_published(client):
    """With HS256 there is nothing that others could verify with."""
    assert client.get("/.well-known/jwks.json").json() == {"keys": []}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["jwt", "plain in headers"])
@pytest.mark.parametrize("form", ["PEM", "PEM with CRLF", "PEM without its last line end", "DER", "JWK"])
def test_a_public_key_is_no_shared_secret(signed_in, forge, name, form):
    """A1-12: HS256 made with the bytes of the public key, in whatever spelling, is signed with no key of ours."""
    way = signed_in(name, RSA)
    pem = RSA.as_pem(private=False).decode()
    spelled = {
        "PEM": pem,
        "PEM with CRLF": pem.replace("\n", "\r\n"),
        "PEM without its last line end": pem.rstrip(),
        "DER": base64.b64decode("".join(pem.splitlines()[1:-1])).decode("latin-1"),
        "JWK": json.dumps(RSA.as_dict(private=False)),
    }[form]
    claims = pyjwt.decode(way.access, options={"verify_signature": False})
    for header in (
        {"alg": "HS256", "typ": "JWT"},
        {"alg": "HS256", "kid": "rsa-1"},
        {"alg": "RS256", "kid": "rsa-1"},
    ):
        way.access = forge(claims, key=spelled, header=header)
        assert way.me().status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["jwt", "plain in headers"])
def test_no_key_verifies_for_another_algorithm_or_name(signed_in, name):
    """A1-13: a right signature under a wrong header is none, and the other way round."""
    way = signed_in(name, RSA, ED)
    claims = pyjwt.decode(way.access, options={"verify_signature": False})
    crossed = [
        joserfc_jwt.encode({"alg": "EdDSA", "kid": "rsa-1"}, claims, ED, algorithms=["EdDSA"]),
        joserfc_jwt.encode({"alg": "RS256", "kid": "ed-1"}, claims, RSA),
        joserfc_jwt.encode({"alg": "EdDSA"}, claims, ED, algorithms=["EdDSA"]),
        joserfc_jwt.encode({"alg": "RS256", "kid": "rsa-1"}, claims, RSAKey.generate_key(2048)),
        joserfc_jwt.encode({"alg": "ES256", "kid": "rsa-1"}, claims, ECKey.generate_key("P-256")),
        f"{way.access[: way.access.rindex('.')]}.{'A' * 342}",
        f"{way.access[: way.access.rindex('.')]}.{'A' * 86}",
    ]
    for token in crossed:
        way.access = token
        assert way.me().status_code == 401
    way.access = joserfc_jwt.encode({"alg": "RS256", "kid": "rsa-1"}, claims, RSA)
    assert way.me().status_code == 200, "the control: the right key under its own name"


UNFIT = {
    "no JSON": "x",
    "no object": "[]",
    "no keys": "{}",
    "an empty set": '{"keys": []}',
    "a key that is none": '{"keys": [5]}',
    "a public key": json.dumps({"keys": [RSA.as_dict(private=False)]}),
    "a short RSA key": private_set({**SHORT_RSA, "kid": "a", "alg": "RS256"}),
    "no kid": private_set({**RSA.as_dict(private=True), "kid": None}),
    "an empty kid": private_set({**RSA.as_dict(private=True), "kid": ""}),
    "two of one name": private_set(RSA, {**ED.as_dict(private=True), "kid": "rsa-1"}),
    "no alg": private_set(
        {name: value for name, value in RSA.as_dict(private=True).items() if name != "alg"}
    ),
    "another alg": private_set({**RSA.as_dict(private=True), "alg": "RS512"}),
    "alg none": private_set({**RSA.as_dict(private=True), "alg": "none"}),
    "an alg of another kind of key": private_set({**RSA.as_dict(private=True), "alg": "EdDSA"}),
    "a short secret": private_set({"kty": "oct", "kid": "a", "alg": "HS256", "k": "c2hvcnQ"}),
    "a secret that is no text": private_set({"kty": "oct", "kid": "a", "alg": "HS256", "k": 5}),
}


@pytest.mark.parametrize("content", UNFIT.values(), ids=UNFIT.keys())
def test_an_unfit_set_of_keys_stops_the_start(content):
    """In words, and without a part of a key in them."""
    environment = {"DJANGO_JWT_KEYS": content, "DJANGO_JWT_ALGORITHM": "RS256"}
    with pytest.raises(ImproperlyConfigured, match="DJANGO_JWT_KEYS") as refused:
        key_ring(environment, secret=SECRET)
    assert RSA.as_dict(private=True)["d"][:20] not in str(refused.value)
    assert "c2hvcnQ" not in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"DJANGO_JWT_ALGORITHM": "none"}, "DJANGO_JWT_ALGORITHM=none: must be one of HS256, RS256, EdDSA"),
        ({"DJANGO_JWT_ALGORITHM": "RS256"}, "Make one with: manage.py jwt --new-key RS256"),
        ({"DJANGO_JWT_ALGORITHM": "RS256", "DJANGO_JWT_KEY": "k" * 64}, "RS256 needs DJANGO_JWT_KEYS"),
        (
            {"DJANGO_JWT_KEYS": private_set(ED)},
            "its first key is for EdDSA, but DJANGO_JWT_ALGORITHM is HS256",
        ),
        ({}, "Set the environment variable DJANGO_JWT_KEY, or DJANGO_JWT_KEY_FILE"),
        ({"DJANGO_JWT_KEY": "k" * 31}, "DJANGO_JWT_KEY has 31 bytes; HS256 needs at least 32"),
        ({"DJANGO_JWT_KEY": SECRET}, "DJANGO_JWT_KEY equals DJANGO_SECRET_KEY"),
        ({"DJANGO_JWT_KEY_FILE": "/nowhere/key"}, "DJANGO_JWT_KEY_FILE: /nowhere/key cannot be read"),
    ],
)
def test_what_is_wrong_with_the_keys_is_said(environment, message):
    """And what to do about it."""
    with pytest.raises(ImproperlyConfigured, match=message):
        key_ring(environment, secret=SECRET)


def test_djangos_secret_in_a_set_of_keys_is_found_too():
    """Spelled in base64url, it is the same secret."""
    encoded = base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")
    same = {"kty": "oct", "kid": "a", "alg": "HS256", "k": encoded}
    with pytest.raises(ImproperlyConfigured, match="equals DJANGO_SECRET_KEY"):
        key_ring({"DJANGO_JWT_KEYS": private_set(same)}, secret=SECRET)


def test_secrets_may_lie_in_files(tmp_path):
    """As they are mounted; the line end that an editor leaves is no part of them."""
    secret, keys = tmp_path / "secret", tmp_path / "keys"
    secret.write_text("k" * 40 + "\n")
    keys.write_text(private_set(ED))
    assert key_ring({"DJANGO_JWT_KEY_FILE": str(secret)}, secret=SECRET).signing.signing == b"k" * 40
    environment = {"DJANGO_JWT_KEYS_FILE": str(keys), "DJANGO_JWT_ALGORITHM": "EdDSA"}
    assert key_ring(environment, secret=SECRET).signing.kid == "ed-1"


def test_the_name_of_a_shared_key_tells_nothing_of_it_and_is_the_same_everywhere():
    """Replicas agree on it without talking."""
    ring = key_ring({"DJANGO_JWT_KEY": "k" * 40}, secret=SECRET)
    assert ring.signing.kid == key_ring({"DJANGO_JWT_KEY": "k" * 40}, secret=SECRET).signing.kid
    assert ring.signing.kid == "0c900dfb202c2f09"
    assert repr(ring) == "KeyRing(keys=(Key(kid='0c900dfb202c2f09', algorithm='HS256'),))"


def test_a_token_without_a_name_is_held_against_the_signing_key_only():
    """Not against each in turn."""
    ring = ring_of(ED, RSA)
    assert ring.of({"alg": "EdDSA"}) == ring.signing
    assert ring.of({"alg": "RS256"}) is None
    assert ring.of({"alg": "RS256", "kid": "rsa-1"}) == ring.keys[1]
    assert ring.of({"alg": "RS256", "kid": "ed-1"}) is None
    assert ring.of({}) is None
