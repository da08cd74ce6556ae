"""Ask the server of this container for /healthz, in the protocol that its variant speaks; leave with 0 if it is well.

Standard library only, and little of it: while a server starts this runs every quarter of a second on its cores.
"""

import os
import socket
import struct
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SERVER_FILE = Path("/lab/server.toml")
ADDRESS = ("127.0.0.1", 8000)
TIMEOUT_S = 2.0


def request(server: Mapping[str, Any], environment: Mapping[str, str]) -> bytes:
    """Return the bytes that ask for /healthz, for a host that the app allows."""
    variant = server["variants"][environment.get("LAB_VARIANT") or server["default_variant"]]
    allowed = environment.get("DJANGO_ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".")
    host = "localhost" if allowed in ("", "*") else allowed
    return _uwsgi(host) if variant.get("protocol") == "uwsgi" else _http(host)


def _http(host: str) -> bytes:
    return f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


def _uwsgi(host: str) -> bytes:
    # https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html: a header of 4 bytes, then names and values
    names = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/healthz",
        "SCRIPT_NAME": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": host,
        "SERVER_PORT": "8000",
        "HTTP_HOST": host,
    }
    words = [word.encode() for pair in names.items() for word in pair]
    body = b"".join(struct.pack("<H", len(word)) + word for word in words)
    return struct.pack("<BHB", 0, len(body), 0) + body


def status_line(asked: bytes) -> bytes:
    """Send `asked` to the server and return the first line of its answer.

    Raises:
        OSError: the server refuses the connection or is silent for two seconds.
    """
    with socket.create_connection(ADDRESS, TIMEOUT_S) as connection:
        connection.sendall(asked)
        return connection.makefile("rb").readline(1024)


def main() -> None:
    """Leave with 0, or with 1 and what was answered instead."""
    try:
        line = status_line(request(tomllib.loads(SERVER_FILE.read_text()), os.environ))
    except OSError as error:
        sys.exit(f"health: {error}")
    if line.split()[1:2] != [b"200"]:
        sys.exit(f"health: {line!r}")


if __name__ == "__main__":
    main()
