"""Tokens that the lab signs itself with a stack's own key: one to be accepted, and others to be refused."""

from __future__ import annotations

import json
import time
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import JWKRegistry, Key, OctKey

from serverlab.model.stacks import StackSettings

OF_ANOTHER_KEY: Mapping[str, int | str] = {"oct": 512, "RSA": 2048, "OKP": "Ed25519"}
"""What a key of each type is generated with, in bits or as a curve."""


@dataclass(frozen=True)
class Signer:
    """A key and the header of the tokens that it signs."""

    header: Mapping[str, str]
    key: Key

    def signed(self, claims: Mapping[str, Any]) -> str:
        """A token that says this, rightly signed."""
        return _encoded(self.header, claims, self.key)

    def another(self) -> Signer:
        """One that writes the same header but has a new key."""
        kind = self.key.key_type
        return replace(self, key=JWKRegistry.generate_key(kind, OF_ANOTHER_KEY[kind]))


def signer_of(settings: StackSettings) -> Signer:
    """What signs as the stack does: with the first key of its JWK Set, or else with its shared key by HS256."""
    if "LAB_JWT_KEYS" not in settings.app:
        return Signer({"alg": "HS256", "typ": "JWT"}, OctKey.import_key(settings.jwt_key))
    first = json.loads(settings.app["LAB_JWT_KEYS"])["keys"][0]
    return Signer(
        {"alg": first["alg"], "kid": first["kid"], "typ": "JWT"}, JWKRegistry.import_key(dict(first))
    )


def control_token(claims: Mapping[str, Any], signer: Signer) -> str:
    """A token of ours that has to be accepted: the wrong ones are refused for nothing else than what is wrong."""
    return signer.signed({**claims, "jti": uuid.uuid4().hex})


def wrong_tokens(claims: Mapping[str, Any], signer: Signer) -> dict[str, str]:
    """Tokens that have to be refused, by what is wrong with them; in all else they say what an issued one says."""
    expired = {**claims, "iat": int(time.time()) - 900, "exp": int(time.time()) - 60}
    return {
        "token signed with another key": signer.another().signed(claims),
        "expired token": signer.signed(expired),
        "token with alg none": _encoded({"alg": "none"}, claims, OctKey.generate_key()),
    }


def _encoded(header: Mapping[str, str], claims: Mapping[str, Any], key: Key) -> str:
    with warnings.catch_warnings():
        # none is deprecated: that is why it is sent; EdDSA is in name only (RFC 9864), and what the app calls it
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.encode(dict(header), dict(claims), key, algorithms=[header["alg"]])
