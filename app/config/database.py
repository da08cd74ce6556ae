"""What the project asks of its database, whichever it is."""

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any

from django.core.signals import request_started
from django.db import connection

SQLITE_BUSY_TIMEOUT_S = 20
POOL_WAIT_S = 2
CONNECT_TIMEOUT_S = 2

_held: list[sqlite3.Connection] = []
_holding = threading.Lock()


def tuned(parsed: dict[str, Any], *, pool_size: int, password: str = "") -> dict[str, Any]:
    """Return a copy of a parsed DATABASE_URL with the options of its engine, and with the password if there is one.

    Connections live no longer than a request: under ASGI every request has a thread of its own, so a
    connection that is kept for the thread would never be used again. For PostgreSQL a pool per process (at most
    `pool_size` connections) takes the place of kept connections.
    """
    options = _sqlite() if parsed["ENGINE"].endswith("sqlite3") else _postgresql(pool_size)
    return {
        **parsed,
        "PASSWORD": password or parsed.get("PASSWORD", ""),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**options, **parsed.get("OPTIONS", {})},
    }


def close_pool() -> None:
    """Close this process's pool, if its database has one; afterwards no thread of it is left."""
    if connection.vendor == "postgresql":
        connection.close()
        connection.close_pool()


def hold_open(**_: object) -> None:
    """Open one idle connection to an SQLite file, once per process; do nothing for any other database.

    The last connection that closes writes the whole log back and removes it, and the next one makes it anew. As
    connections live no longer than a request, a server that answers one request at a time would pay for that each
    time (0.26 ms against 0.11 ms per connection), one that answers many at once would not: a difference between
    servers that no project whose processes keep connections has. An idle connection holds no lock.
    """
    request_started.disconnect(hold_open)
    file = Path(connection.settings_dict["NAME"])
    with _holding:
        if connection.vendor == "sqlite" and file.is_file() and not _held:
            # It is only ever an economy: no request fails for want of it.
            with contextlib.suppress(sqlite3.Error):
                _held.append(_idle(file))


def let_go() -> None:
    """Close what `hold_open` opened."""
    with _holding:
        while _held:
            _held.pop().close()


def _idle(file: Path) -> sqlite3.Connection:
    """Return a read-only connection that has read once: before that SQLite has not opened the file."""
    opened = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    opened.execute("SELECT count(*) FROM sqlite_master").fetchall()
    return opened


def _sqlite() -> dict[str, Any]:
    return {
        # A transaction that begins with a read and then writes cannot wait for its lock: it fails at once.
        "transaction_mode": "IMMEDIATE",
        "timeout": SQLITE_BUSY_TIMEOUT_S,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    }


def _postgresql(pool_size: int) -> dict[str, Any]:
    # A database that is away is told to the client soon (config.errors). By itself the pool would try again ever more
    # rarely, for minutes; here it gives up as soon as its clients do, and the next one has it connect at once.
    pool = {
        "min_size": 1,
        "max_size": max(2, pool_size),
        "timeout": POOL_WAIT_S,
        "reconnect_timeout": POOL_WAIT_S,
    }
    return {"pool": pool, "connect_timeout": CONNECT_TIMEOUT_S}
