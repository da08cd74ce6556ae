"""Tokens of the lab's own, judged by PyJWT, which the app stands on."""

from __future__ import annotations

import json
import time

import joserfc.jwt
import jwt
import pytest
from joserfc.jwk import JWKRegistry, OctKey

from serverlab.tokens import control_token, signer_of, wrong_tokens
from tests.fake_app import KEY
from tests.unit.test_compose import stack_settings

TYPES = {"HS256": ("oct", 256), "RS256": ("RSA", 2048), "EdDSA": ("OKP", "Ed25519")}


def jwk_set(algorithm):
    """A private JWK Set of two new keys, as LAB_JWT_KEYS takes it."""
    made = [
        JWKRegistry.generate_key(*TYPES[algorithm], {"kid": kid, "alg": algorithm})
        for kid in ("first", "second")
    ]
    return json.dumps({"keys": [key.as_dict(private=True) for key in made]})


def key_pair(kept):
    """The key that signs, and the one to verify with, as PyJWT takes them."""
    signing = jwt.PyJWK(json.loads(kept)["keys"][0]).key
    return signing, signing if isinstance(signing, bytes) else signing.public_key()


@pytest.fixture(params=["shared key", *TYPES])
def stack(request):
    """A stack's settings, its algorithm, the key to verify with, and the header of its tokens."""
    if request.param == "shared key":
        return stack_settings(jwt_key=KEY), "HS256", KEY, {"alg": "HS256", "typ": "JWT"}
    kept = jwk_set(request.param)
    settings = stack_settings(app={"LAB_JWT_ALGORITHM": request.param, "LAB_JWT_KEYS": kept})
    header = {"alg": request.param, "kid": "first", "typ": "JWT"}
    return settings, request.param, key_pair(kept)[1], header


def issued():
    """What a token that the app issued says."""
    now = int(time.time())
    return {
        "token_type": "access",
        "user_id": "1",
        "jti": "0" * 32,
        "fam": "f" * 32,
        "iat": now,
        "exp": now + 600,
    }


def test_the_control_token_is_a_right_one(stack):
    settings, algorithm, key, header = stack
    said = issued()
    token = control_token(said, signer_of(settings))
    claims = jwt.decode(token, key, algorithms=[algorithm])
    assert claims.pop("jti") != said.pop("jti")
    assert claims == said
    assert jwt.get_unverified_header(token) == header


def test_the_token_of_another_key_is_wrong_only_in_its_signature(stack):
    settings, algorithm, key, header = stack
    token = wrong_tokens(issued(), signer_of(settings))["token signed with another key"]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, key, algorithms=[algorithm])
    assert unverified(token).keys() == issued().keys()
    assert unverified(token)["exp"] > unverified(token)["iat"]
    assert jwt.get_unverified_header(token) == header


def test_the_expired_token_is_wrong_only_in_its_time(stack):
    settings, algorithm, key, _ = stack
    token = wrong_tokens(issued(), signer_of(settings))["expired token"]
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(token, key, algorithms=[algorithm])
    claims = jwt.decode(token, key, algorithms=[algorithm], options={"verify_exp": False})
    assert claims["user_id"] == "1"


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_the_token_with_alg_none_has_no_signature_and_would_be_taken_by_an_app_that_allows_none(stack):
    settings, algorithm, key, _ = stack
    token = wrong_tokens(issued(), signer_of(settings))["token with alg none"]
    assert jwt.get_unverified_header(token)["alg"] == "none"
    assert token.endswith(".")
    with pytest.raises(jwt.InvalidAlgorithmError):
        jwt.decode(token, key, algorithms=[algorithm])
    decoded = joserfc.jwt.decode(token, OctKey.generate_key(), algorithms=["none"])
    assert decoded.claims["token_type"] == "access"


def unverified(token):
    return jwt.decode(token, options={"verify_signature": False})
