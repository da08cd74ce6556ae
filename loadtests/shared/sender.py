"""What senders do alike: they find whom they send to within bounds, tell lines on stdout, and say why they end."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shared import bounds

Write = Callable[[str], object]


class SettingsError(ValueError):
    """A variable of the environment does not hold what it should."""


def address_of(
    url: str, *, lookup: bounds.Lookup | None = None, routes: Path = bounds.ROUTES
) -> tuple[str, int] | None:
    """Where the URL's host is now, as an IPv4 address with its port; None where nobody knows the host.

    The name is looked up once: what is returned has been checked itself.

    Raises:
        OutOfBounds: the host has an address that is on no network of ours.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = list((lookup or _ipv4_of)(host))
    bounds.check_addresses(host, found, routes=routes)
    return (found[0], parts.port or 80) if found else None


def run(name: str, work: Callable[[Write], Coroutine[Any, Any, None]]) -> None:
    """Have the sender called ``name`` do its work, which hands each line that it tells to what it is given: stdout.

    Raises:
        SystemExit: it may not send there (EXIT_REFUSED), or was told wrongly; why is on stderr.
    """
    try:
        asyncio.run(work(_print))
    except bounds.OutOfBounds as refused:
        sys.stderr.write(f"{name}: {refused}\n")
        sys.exit(bounds.EXIT_REFUSED)
    except SettingsError as wrong:
        sys.exit(f"{name}: {wrong}")


def _ipv4_of(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(each[4][0]) for each in found]


def _print(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()
