"""How a stack is set up while it is attacked: each attack names the profile that it needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import KeySet, RSAKey

from serverlab.model.definitions import Target
from serverlab.model.stacks import Cache, Database

ACCESS_LIFETIME_S = 4
"""Of the profile `guarded`: short enough to wait for its end."""

CORS_ORIGIN = "https://app.example"
"""The one other origin whose scripts the profile `guarded` lets in."""

SPLIT = "gunicorn:gthread+nginx"
"""Where it is asked what holds with Daphne beside a server that speaks no WebSocket."""

BOTH_INTERFACES = (SPLIT, "daphne:production+nginx")
"""Where it is asked what two replicas have in common, and what a browser sends: one target of each interface."""

DIRECT = ("runserver:threaded", "gunicorn:gthread", "uwsgi:http", "apache:daemon", "daphne:production")
EDGED = (
    "runserver:threaded+nginx",
    "gunicorn:gthread+nginx",
    "uwsgi:uwsgi+nginx",
    "apache:daemon+nginx",
    "daphne:production+nginx",
)
"""One variant of each server; what leads to HTTPS is the app, what can differ is how a server tells it the scheme."""


@dataclass(frozen=True)
class Profile:
    """``title`` says it to people; each call of ``app`` makes LAB_ variables with new keys, see StackSettings.app.

    ``targets`` are those that it has a meaning for (none: all); the rest says how they are started.
    """

    title: str
    app: Callable[[], Mapping[str, str]]
    targets: tuple[str, ...] = ()
    replicas: int | None = None
    shared_data: bool = True
    database: Database = Database.SQLITE
    cache: Cache = Cache.DATABASE
    realtime: bool = False

    def stack(self) -> dict[str, Any]:
        """What a stack of this profile is made of, by fields of StackSettings; replicas depend on the target, too."""
        return {
            "app": self.app(),
            "shared_data": self.shared_data,
            "database": self.database,
            "cache": self.cache,
            "realtime": self.realtime,
        }

    def images(self) -> set[str]:
        """What a stack of this profile has beside its server and its edge, by the names of images."""
        beside = {"daphne", Cache.REDIS.value} if self.realtime else set()
        return {self.database.value, self.cache.value} | beside

    def fits(self, target: Target) -> bool:
        """Whether attacks of this profile are put to the target."""
        return not self.targets or str(target) in self.targets


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
        "LAB_ACCESS_LOG": "on",
        "LAB_ALLOWED_HOSTS": "127.0.0.1,localhost",
    }


def _https_only() -> Mapping[str, str]:
    return {
        "LAB_SSL_REDIRECT": "true",
        "LAB_SECURE_COOKIES": "true",
        "LAB_ALLOWED_HOSTS": "127.0.0.1,localhost",
    }


def _unchecked() -> Mapping[str, str]:
    return {
        "LAB_CSRF_CHECK": "off",
        "LAB_PLAIN_TOKENS": "cookie",
        "LAB_ALLOWED_HOSTS": ".localhost,127.0.0.1",
        "LAB_ACCESS_LOG": "on",
    }


def _stateless() -> Mapping[str, str]:
    return {"LAB_JWT_VERIFY": "stateless", "LAB_SESSION_STORE": "cache"}


def _in_redis() -> Mapping[str, str]:
    return {"LAB_SESSION_STORE": "cache", "LAB_LOGIN_LIMITS": "on"}


def _split() -> Mapping[str, str]:
    return {"LAB_ACCESS_LIFETIME_S": str(ACCESS_LIFETIME_S), "LAB_ACCESS_LOG": "on"}


def _new_rsa_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "alg": "RS256", "use": "sig"}, private=True)


PROFILES = {
    "open": Profile(
        "as while measuring: HS256, the user read for each token, tokens in headers, no limits on signing in",
        _open,
    ),
    "guarded": Profile(
        "two RS256 keys, tokens believed without a query for 4 s, plain tokens in secure cookies, one CORS origin, "
        "limits, Argon2id, access logs",
        _guarded,
    ),
    "https-only": Profile(
        "as open, plain HTTP leads to HTTPS or is refused, secure cookies; one variant of each server",
        _https_only,
        targets=(*DIRECT, *EDGED),
    ),
    "services": Profile(
        "as open, PostgreSQL in the place of SQLite, sessions and limits in Redis",
        _in_redis,
        database=Database.POSTGRES,
        cache=Cache.REDIS,
    ),
    "split": Profile(
        "as open, Daphne beside the server for WebSockets, tokens that live for 4 s, access logs",
        _split,
        targets=(SPLIT,),
        realtime=True,
    ),
    "replicated": Profile(
        "as open, two replicas with one database", _open, targets=BOTH_INTERFACES, replicas=2
    ),
    "unshared": Profile(
        "as open, two replicas with a database each",
        _open,
        targets=BOTH_INTERFACES,
        replicas=2,
        shared_data=False,
    ),
    "unshared-stateless": Profile(
        "two replicas with a database each and in it a cache each, which has the sessions; tokens believed without a "
        "query",
        _stateless,
        targets=BOTH_INTERFACES,
        replicas=2,
        shared_data=False,
    ),
    "unchecked": Profile(
        "as open, plain tokens in cookies, no CSRF check, access logs", _unchecked, targets=BOTH_INTERFACES
    ),
}
"""By name; a stack keeps the keys that were made for it, so the attacker of the lab can sign as the stack does."""
