"""How the app may be set by a workload or an attack, and what a stack must then say of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Switch:
    """A LAB_ variable: the key under which /lab/identity states it, and what it states for each value.

    The first value is that of a stack for which nothing else was asked.
    """

    identity: str
    states: Mapping[str, str]


SWITCHES: Mapping[str, Switch] = {
    "LAB_SESSION_STORE": Switch("session_store", {"database": "database", "cache": "cache"}),
    "LAB_JWT_VERIFY": Switch("jwt_verify", {"user": "user", "stateless": "stateless"}),
    "LAB_JWT_ALGORITHM": Switch("jwt_algorithm", {"HS256": "HS256", "RS256": "RS256", "EdDSA": "EdDSA"}),
    "LAB_PLAIN_TOKENS": Switch("plain_tokens", {"header": "header", "cookie": "cookie"}),
    "LAB_CHEAP_HASHER": Switch("password_hasher", {"on": "md5", "off": "argon2"}),
    "LAB_LOGIN_LIMITS": Switch("login_limits", {"off": "False", "on": "True"}),
    "LAB_DEBUG": Switch("debug", {"off": "False", "on": "True"}),
    "LAB_STATIC": Switch("static_files", {"none": "none", "app": "whitenoise"}),
}
"""Every variable whose effect a stack can be asked for."""

OF_WORKLOADS = (
    "LAB_SESSION_STORE",
    "LAB_JWT_VERIFY",
    "LAB_PLAIN_TOKENS",
    "LAB_CHEAP_HASHER",
    "LAB_DEBUG",
    "LAB_STATIC",
)
"""What a workload may set: no secrets are needed for it, and it does not make the app refuse the load."""


def to_be_stated(app: Mapping[str, str]) -> dict[str, str]:
    """What /lab/identity must say, by key, of a stack whose app is set so; the rest is at its first value."""
    return {
        switch.identity: switch.states[app.get(name, next(iter(switch.states)))]
        for name, switch in SWITCHES.items()
    }
