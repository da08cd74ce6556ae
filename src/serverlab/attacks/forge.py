"""Tokens that nobody should accept, made without a line of what verifies them: joserfc's keys and bare bytes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from joserfc.jwk import RSAKey

from serverlab.compose import StackSettings

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Key:
    """A signing key of a stack: the lab made it, so it can sign what the stack would never have signed."""

    kid: str
    algorithm: str
    sign: Callable[[bytes], bytes]
    public: RSAPublicKey | None = None

    @property
    def header(self) -> dict[str, str]:
        """The header that the stack itself writes."""
        return {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}


@dataclass(frozen=True)
class Forger:
    """Everything there is to know of one way's tokens: what a valid access token says, and the keys, first the signer.

    ``token`` is that valid token as it was issued.
    """

    token: str
    claims: Json
    keys: tuple[Key, ...]
    secret: bytes

    @cached_property
    def header(self) -> dict[str, str]:
        """The header of a token that is right."""
        return self.keys[0].header

    def signed(self, claims: object = None, header: object = None, *, key: Key | None = None) -> str:
        """A token signed with a right key, whatever else is wrong with it; what is absent is right.

        Header and claims are objects for JSON, or bytes that are taken as they are.
        """
        signed = f"{segment(self.header if header is None else header)}.{segment(claims or self.claims)}"
        return f"{signed}.{segment((key or self.keys[0]).sign(signed.encode()))}"

    def saying(self, **changes: object) -> str:
        """A rightly signed token whose claims differ from the valid ones in ``changes``; ``...`` leaves one out."""
        return self.signed(changed(self.claims, **changes))

    def headed(self, **changes: object) -> str:
        """A rightly signed token whose header differs from the right one in ``changes``; ``...`` leaves one out."""
        return self.signed(header=changed(self.header, **changes))


def forger_of(settings: StackSettings, token: str, claims: Json) -> Forger:
    """The forger for a stack, given a valid token of it and what that says."""
    return Forger(token=token, claims=claims, keys=keys_of(settings), secret=settings.jwt_key.encode())


def keys_of(settings: StackSettings) -> tuple[Key, ...]:
    """The keys that a stack was started with, the one that signs first."""
    if "LAB_JWT_KEYS" in settings.app:
        return tuple(_rsa(entry) for entry in json.loads(settings.app["LAB_JWT_KEYS"])["keys"])
    secret = settings.jwt_key.encode()
    # the name that the app gives to a shared key: it is no secret, every token tells it
    kid = hmac.new(secret, b"kid", hashlib.sha256).hexdigest()[:16]
    return (Key(kid, "HS256", lambda signed: hmac_of(secret, signed)),)


def _rsa(entry: Json) -> Key:
    private = RSAKey.import_key(dict(entry)).private_key
    assert isinstance(private, RSAPrivateKey)  # noqa: S101 - the profile made it
    return Key(
        kid=str(entry["kid"]),
        algorithm="RS256",
        sign=lambda signed: private.sign(signed, padding.PKCS1v15(), hashes.SHA256()),
        public=private.public_key(),
    )


def hmac_of(key: bytes, signed: bytes, *, digest: str = "sha256") -> bytes:
    """The bytes of an HMAC; any key will do, an empty one as well."""
    return hmac.new(key, signed, digest).digest()


def segment(content: object) -> str:
    """Base64url, unpadded, of bytes as they are or of anything else as JSON."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(claims: object, header: object, *, signature: str = "") -> str:
    """A token with any header and payload and the text of a signature."""
    return f"{segment(header)}.{segment(claims)}.{signature}"


def hmac_signed(claims: object, key: bytes, *, header: object = None, digest: str = "sha256") -> str:
    """A token signed with HMAC, whatever its header says."""
    signed = f"{segment({'alg': 'HS256', 'typ': 'JWT'} if header is None else header)}.{segment(claims)}"
    return f"{signed}.{segment(hmac_of(key, signed.encode(), digest=digest))}"


def changed(claims: Json, **changes: object) -> dict[str, Any]:
    """The claims with others in their place; a claim that is changed to ``...`` is left out."""
    return {name: value for name, value in {**claims, **changes}.items() if value is not ...}


def split(token: str) -> tuple[str, str, str]:
    """Header, payload and signature as they were sent."""
    header, payload, signature = token.split(".")
    return header, payload, signature
