"""How a stack is set up while it is attacked: each attack names the profile that it needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from joserfc.jwk import KeySet, RSAKey

ACCESS_LIFETIME_S = 4
"""Of the profile `guarded`: short enough to wait for its end."""

CORS_ORIGIN = "https://app.example"
"""The one other origin whose scripts the profile `guarded` lets in."""


@dataclass(frozen=True)
class Profile:
    """``title`` says it to people; each call of ``app`` makes LAB_ variables with new keys, see StackSettings.app."""

    title: str
    app: Callable[[], Mapping[str, str]]


def _open() -> Mapping[str, str]:
    return {}


def _guarded() -> Mapping[str, str]:
    keys = KeySet([_new_rsa_key("second"), _new_rsa_key("first")])
    return {
        "LAB_JWT_ALGORITHM": "RS256",
        "LAB_JWT_KEYS": json.dumps(keys.as_dict(private=True)),
        "LAB_JWT_VERIFY": "stateless",
        "LAB_PLAIN_TOKENS": "cookie",
        "LAB_LOGIN_LIMITS": "on",
        "LAB_ACCESS_LIFETIME_S": str(ACCESS_LIFETIME_S),
        "LAB_CHEAP_HASHER": "off",
        "LAB_SECURE_COOKIES": "true",
        "LAB_CORS_ORIGINS": CORS_ORIGIN,
    }


def _new_rsa_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "alg": "RS256", "use": "sig"}, private=True)


PROFILES = {
    "open": Profile(
        "as while measuring: HS256, the user read for each token, tokens in headers, no limits on signing in",
        _open,
    ),
    "guarded": Profile(
        "two RS256 keys, tokens believed without a query for 4 s, plain tokens in secure cookies, one CORS origin, "
        "limits, Argon2id",
        _guarded,
    ),
}
"""By name; a stack keeps the keys that were made for it, so the attacker of the lab can sign as the stack does."""
