"""The secrets of the project, and what makes them fit to start with."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.exceptions import ImproperlyConfigured
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

JWT_KEY_MIN_BYTES = 32  # RFC 7518, section 3.2: at least as long as the hash of HS256
RSA_MIN_BITS = 2048  # RFC 7518, section 3.3
RSA_NEW_BITS = 3072
ALGORITHMS = ("HS256", "RS256", "EdDSA")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Key:
    """A key for tokens and the one algorithm that it is for.

    `signing` and `verifying` are the same bytes for HS256, a private and a public key otherwise.
    """

    kid: str
    algorithm: str
    signing: Any = field(repr=False)
    verifying: Any = field(repr=False)

    def public_jwk(self) -> dict[str, Any] | None:
        """Return what others may know to verify with (RFC 7517), None for a shared secret."""
        if self.algorithm == "HS256":
            return None
        of = RSAAlgorithm if self.algorithm == "RS256" else OKPAlgorithm
        return {
            **of.to_jwk(self.verifying, as_dict=True),
            "kid": self.kid,
            "alg": self.algorithm,
            "use": "sig",
        }


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys that tokens are verified with; the first one also signs. Two or more overlap during a rotation."""

    keys: tuple[Key, ...]

    @property
    def signing(self) -> Key:
        """The key that signs new tokens."""
        return self.keys[0]

    def of(self, header: Mapping[str, Any]) -> Key | None:
        """Return the key that a token with this header has to be signed with, None when there is none.

        A token without a `kid` is taken for one of the signing key. `alg` has to be that of the key: a key is for
        one algorithm (RFC 8725, section 3.1).
        """
        kid = header.get("kid", self.signing.kid)
        return next((key for key in self.keys if key.kid == kid and key.algorithm == header.get("alg")), None)

    def public(self) -> dict[str, Any]:
        """Return the JWK Set of all public keys."""
        return {"keys": [jwk for key in self.keys if (jwk := key.public_jwk())]}


def secret_key(environment: Mapping[str, str]) -> str:
    """Return Django's SECRET_KEY.

    Raises:
        ImproperlyConfigured: it is missing, or its file cannot be read.
    """
    return _secret(environment, "DJANGO_SECRET_KEY")


def optional(environment: Mapping[str, str], name: str) -> str:
    """Return the text of a variable, or of the file that the one with _FILE behind its name says; "" without both.

    Raises:
        ImproperlyConfigured: the file cannot be read, or is empty.
    """
    return _secret(environment, name) if environment.get(f"{name}_FILE") else environment.get(name, "")


def key_ring(environment: Mapping[str, str], *, secret: str) -> KeyRing:
    """Return the keys for tokens: those of the JWK Set in DJANGO_JWT_KEYS, or the one in DJANGO_JWT_KEY (HS256).

    Each of the variables may also be one with _FILE behind its name: then it says where the secret lies.

    Raises:
        ImproperlyConfigured: a key is missing, unfit for its algorithm, or the same as `secret`. The message never
            contains a secret.
    """
    algorithm = environment.get("DJANGO_JWT_ALGORITHM") or "HS256"
    if algorithm not in ALGORITHMS:
        raise ImproperlyConfigured(
            f"DJANGO_JWT_ALGORITHM={algorithm}: must be one of {', '.join(ALGORITHMS)}"
        )
    if environment.get("DJANGO_JWT_KEYS") or environment.get("DJANGO_JWT_KEYS_FILE"):
        ring = KeyRing(_keys_in(_secret(environment, "DJANGO_JWT_KEYS")))
    elif algorithm == "HS256":
        ring = KeyRing((shared_key(_secret(environment, "DJANGO_JWT_KEY"), named="DJANGO_JWT_KEY"),))
    else:
        raise ImproperlyConfigured(
            f"DJANGO_JWT_ALGORITHM={algorithm} needs DJANGO_JWT_KEYS (or DJANGO_JWT_KEYS_FILE), a private JWK Set. "
            f"Make one with: manage.py jwt --new-key {algorithm}"
        )
    if ring.signing.algorithm != algorithm:
        raise ImproperlyConfigured(
            f"DJANGO_JWT_KEYS: its first key is for {ring.signing.algorithm}, "
            f"but DJANGO_JWT_ALGORITHM is {algorithm}"
        )
    if any(key.verifying == secret.encode() for key in ring.keys):
        raise ImproperlyConfigured(
            "DJANGO_JWT_KEY equals DJANGO_SECRET_KEY; give tokens a key of their own, "
            "so that a leak of one does not open the other"
        )
    return ring


def new_key(algorithm: str) -> dict[str, Any]:
    """Return a private JWK with a new key for the algorithm and a random name."""
    match algorithm:
        case "RS256":
            made = RSAAlgorithm.to_jwk(rsa.generate_private_key(65_537, RSA_NEW_BITS), as_dict=True)
        case "EdDSA":
            made = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
        case _:
            made = {"kty": "oct", "k": secrets.token_urlsafe(JWT_KEY_MIN_BYTES)}
    return {"kid": secrets.token_hex(8), "alg": algorithm, **made}


def shared_key(text: str, *, named: str) -> Key:
    """Return the HS256 key that consists of the bytes of `text`; `named` is what messages call it.

    Raises:
        ImproperlyConfigured: it is too short.
    """
    raw = text.encode()
    if len(raw) < JWT_KEY_MIN_BYTES:
        raise ImproperlyConfigured(
            f"{named} has {len(raw)} bytes; HS256 needs at least {JWT_KEY_MIN_BYTES}. "
            "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    kid = hmac.new(raw, b"kid", hashlib.sha256).hexdigest()[:16]
    return Key(kid=kid, algorithm="HS256", signing=raw, verifying=raw)


def _keys_in(text: str) -> tuple[Key, ...]:
    try:
        keys = tuple(_key(entry) for entry in json.loads(text)["keys"])
    except (ValueError, TypeError, KeyError, jwt.PyJWTError) as error:
        raise ImproperlyConfigured(
            f"DJANGO_JWT_KEYS is no private JWK Set whose keys have kid and alg ({type(error).__name__})"
        ) from None
    if not keys or len({key.kid for key in keys}) < len(keys):
        raise ImproperlyConfigured("DJANGO_JWT_KEYS needs one key or more, each with its own kid")
    return keys


def _key(entry: dict[str, Any]) -> Key:
    algorithm, kid = entry["alg"], entry["kid"]
    if algorithm not in ALGORITHMS or not isinstance(kid, str) or not kid:
        raise ValueError("unfit key")
    if algorithm == "HS256":
        raw = base64.urlsafe_b64decode(entry["k"] + "=" * (-len(entry["k"]) % 4))
        if entry["kty"] != "oct" or len(raw) < JWT_KEY_MIN_BYTES:
            raise ValueError("unfit key")
        return Key(kid=kid, algorithm=algorithm, signing=raw, verifying=raw)
    private = jwt.PyJWK(entry, algorithm).key
    if not hasattr(private, "private_bytes"):
        raise ValueError("not a private key")
    public = private.public_key()
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < RSA_MIN_BITS:
        raise ValueError("unfit key")
    return Key(kid=kid, algorithm=algorithm, signing=private, verifying=public)


def _secret(environment: Mapping[str, str], name: str) -> str:
    # Not through environ.Env: it takes a value that begins with "$" for the name of another variable, and
    # prints it when there is no such variable.
    file = environment.get(f"{name}_FILE", "")
    value = _read(Path(file), f"{name}_FILE").strip() if file else environment.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"Set the environment variable {name}, or {name}_FILE")
    return value


def _read(file: Path, name: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"{name}: {file} cannot be read ({type(error).__name__})") from None
