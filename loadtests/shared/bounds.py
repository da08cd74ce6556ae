"""Where load may go: to this network namespace's loopback and the networks that it is on itself, and nowhere else.

A generator in the lab's container is on the lab's network alone, so that nobody who runs it can put load on a stranger,
by a slip of the pen or on purpose.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

ROUTES = Path("/proc/net/route")
EXIT_REFUSED = 2

Lookup = Callable[[str], Iterable[str]]


class OutOfBounds(ValueError):
    """Load was to be put on somebody who is not on a network of ours."""


def check(url: str, *, lookup: Lookup | None = None, routes: Path = ROUTES) -> None:
    """Return if every address of the URL's host is within bounds; a name that nobody knows has none.

    Raises:
        OutOfBounds: one is not; with the address and the networks that are.
    """
    host = urlsplit(url).hostname or ""
    check_addresses(host, (lookup or addresses_of)(host), routes=routes)


def check_addresses(host: str, addresses: Iterable[str], *, routes: Path = ROUTES) -> None:
    """As check, where the host's addresses are known."""
    ours = list(own_networks(routes.read_text(encoding="ascii")))
    for text in addresses:
        if not _is_within(ip_address(text), ours):
            known = ", ".join(map(str, ours)) or "no network"
            raise OutOfBounds(
                f"{host} ({text}) is neither loopback nor on a network of this container ({known})"
            )


def own_networks(table: str) -> Iterator[IPv4Network]:
    """The networks of a routing table, as /proc/net/route prints it, that are reached without a gateway."""
    for line in table.splitlines()[1:]:
        _, network, gateway, _, _, _, _, mask, *_ = line.split()
        if int(gateway, 16) == 0 and int(mask, 16) != 0:
            yield IPv4Network(f"{_address(network)}/{_address(mask)}")


def addresses_of(host: str) -> list[str]:
    """The host's addresses; none where its name is not known."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(each[4][0]) for each in found]


def _is_within(address: IPv4Address | IPv6Address, networks: Iterable[IPv4Network]) -> bool:
    return address.is_loopback or any(address in network for network in networks)


def _address(text: str) -> IPv4Address:
    """The kernel prints addresses as numbers of the machine's own byte order."""
    return IPv4Address(int(text, 16).to_bytes(4, sys.byteorder))
