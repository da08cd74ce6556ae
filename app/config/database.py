"""What the project asks of its database, whichever it is."""

from typing import Any

from django.db import connection

SQLITE_BUSY_TIMEOUT_S = 20
POOL_WAIT_S = 10


def tuned(parsed: dict[str, Any], *, pool_size: int) -> dict[str, Any]:
    """Return a copy of a parsed DATABASE_URL with the options of its engine.

    Connections live no longer than a request: under ASGI every request has a thread of its own, so a
    connection that is kept for the thread would never be used again. For PostgreSQL a pool per process (at most
    `pool_size` connections) takes the place of kept connections.
    """
    options = _sqlite() if parsed["ENGINE"].endswith("sqlite3") else _postgresql(pool_size)
    return {
        **parsed,
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**options, **parsed.get("OPTIONS", {})},
    }


def close_pool() -> None:
    """Close this process's pool, if its database has one; afterwards no thread of it is left."""
    if connection.vendor == "postgresql":
        connection.close()
        connection.close_pool()


def _sqlite() -> dict[str, Any]:
    return {
        # A transaction that begins with a read and then writes cannot wait for its lock: it fails at once.
        "transaction_mode": "IMMEDIATE",
        "timeout": SQLITE_BUSY_TIMEOUT_S,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    }


def _postgresql(pool_size: int) -> dict[str, Any]:
    return {"pool": {"min_size": 1, "max_size": max(2, pool_size), "timeout": POOL_WAIT_S}}
