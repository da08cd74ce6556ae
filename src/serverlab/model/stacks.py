"""What a stack is, before anything of it runs: the compose files that make it up, and what they are filled in with."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from serverlab.model.definitions import Protocol, Target
from serverlab.model.records import CoreSplit

EQUAL = {
    "LAB_MEMORY": "1g",
    "LAB_TIMEOUT": "30",
    "LAB_KEEPALIVE": "75",
    "LAB_ACCESS_LOG": "off",
    "LAB_CHEAP_HASHER": "on",
    "LAB_LOGIN_LIMITS": "off",
}
"""What every target gets alike, stated beside the tables."""


class Database(enum.Enum):
    """Where the app keeps its rows."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class Cache(enum.Enum):
    """Where the app keeps what its processes share: rate limits, cached sessions, the feed."""

    DATABASE = "database"
    REDIS = "redis"


class Proxied(enum.Enum):
    """Which way of a stack leads through the fault proxy."""

    DATABASE = "database"
    UPSTREAM = "upstream"
    FRONT = "front"


def _key() -> str:
    return secrets.token_urlsafe(48)


@dataclass(frozen=True)
class StackSettings:
    """Everything that decides what a stack is; ``label`` is the run, or "up" for one that was started by hand.

    ``keeps_connections`` is false where an edge may keep no connections to the server. ``realtime`` puts Daphne beside
    the server for ``/ws/`` only, and Redis between them; ``app`` holds the LAB_ variables of the app that this stack
    does not leave at their defaults. ``workers`` are the worker processes of each copy of the server, None where its
    variant's formula says how many. ``proxied`` puts the fault proxy between the app and its database, the edge and the
    app, or the client and all of it.
    """

    target: Target
    protocol: Protocol
    cpus: int
    replicas: int
    split: CoreSplit
    label: str
    keeps_connections: bool = True
    database: Database = Database.SQLITE
    cache: Cache = Cache.DATABASE
    realtime: bool = False
    shared_data: bool = True
    app: Mapping[str, str] = field(default_factory=dict)
    workers: int | None = None
    overlays: tuple[str, ...] = ()
    proxied: Proxied | None = None
    port: int = 0
    tls_port: int = 0
    secret_key: str = field(default_factory=_key)
    jwt_key: str = field(default_factory=_key)
    database_password: str = field(default_factory=_key)

    def files(self) -> list[str]:
        """The compose files that make up the stack."""
        front = f"{'edge' if self.target.edge else 'direct'}.yml"
        overlays = {
            "postgres.yml": self.database is Database.POSTGRES,
            "redis.yml": self.cache is Cache.REDIS or self.realtime,
            "realtime.yml": self.realtime,
            "unshared.yml": not self.shared_data,
            "faultproxy.yml": self.proxied is not None,
            "dbproxy.yml": self.proxied is Proxied.DATABASE,
            "upstreamproxy.yml": self.proxied is Proxied.UPSTREAM,
        }
        return ["stack.yml", front, *(name for name, wanted in overlays.items() if wanted), *self.overlays]

    def variables(self) -> dict[str, str]:
        """The variables that the compose files are filled in with."""
        beside = {"LAB_DATABASE_URL": self._database_url()} if self.realtime else {}
        return {
            **EQUAL,
            **beside,
            "LAB_SERVER": self.target.server,
            "LAB_VARIANT": self.target.variant,
            "LAB_CPUS": str(self.cpus),
            "LAB_CPUSET": self.split.stack,
            "LAB_LOAD_CPUSET": self.split.generator,
            "LAB_REPLICAS": str(self.replicas),
            "LAB_UPSTREAM": self.protocol.value,
            "LAB_UPSTREAM_KEEPALIVE": "on" if self.keeps_connections else "off",
            "LAB_PORT": str(self.port),
            "LAB_TLS_PORT": str(self.tls_port),
            "LAB_RUN": self.label,
            **({"LAB_WORKERS": str(self.workers)} if self.workers else {}),
            **({"LAB_ALLOWED_HOSTS": ".localhost,127.0.0.1"} if self.shows_debug_pages else {}),
            **self.app,
        } | ({"LAB_JWT_KEYS": "on"} if self.secrets()["jwt_keys"] else {})

    def secrets(self) -> dict[str, str]:
        """What the stack's containers read from files, by the names of the files; empty where it has none."""
        return {
            "secret_key": self.secret_key,
            "jwt_key": self.jwt_key,
            "jwt_keys": self.app.get("LAB_JWT_KEYS", ""),
            "database_password": self.database_password,
        }

    def _database_url(self) -> str:
        """Where Daphne beside the server finds the rows of the app; the app itself is told by its overlay."""
        if self.database is Database.SQLITE:
            return "sqlite:////data/db.sqlite3"
        return "postgres://lab@db:5432/lab"

    @property
    def shows_debug_pages(self) -> bool:
        """Whether the app runs with DEBUG, which it does for names of this machine only."""
        return self.app.get("LAB_DEBUG") == "on"

    @property
    def inner_url(self) -> str:
        """Where the stack answers on its own network; through the fault proxy if that stands in front of it."""
        service, port = ("edge", 8080) if self.target.edge else ("app", 8000)
        host = "faultproxy" if self.proxied is Proxied.FRONT else service
        return f"http://{host}{'.localhost' if self.shows_debug_pages else ''}:{port}"


@dataclass(frozen=True)
class NullSettings(StackSettings):
    """A server that does nothing in the place of the app: what the generator gets out of it is the generator's own."""

    def files(self) -> list[str]:
        """The compose files that make up the stack."""
        return ["null.yml"]
