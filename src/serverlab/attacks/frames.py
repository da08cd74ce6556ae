"""WebSocket handshakes and frames that no browser sends, byte by byte (RFC 6455)."""

from __future__ import annotations

import base64
import os
import socket
import struct
from urllib.parse import urlsplit

FEED = "/ws/feed/"
PATIENCE_S = 8.0
LIVES = 0
"""Stands for a socket that was not closed."""

DROPPED = 1006
"""Stands for a connection that ended without a code, which RFC 6455 (7.1.7) allows where the protocol was broken."""

TOO_LARGE = (1009, 4413)
"""Closed by the server's own limit, or by the app's lower one."""


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True) -> bytes:
    """A frame as a client sends it (RFC 6455, section 5.2); unmasked is what it must not send."""
    first = (0x80 if final else 0) | opcode
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head = struct.pack("!BB", first, bit | len(payload))
    elif len(payload) < 1 << 16:
        head = struct.pack("!BBH", first, bit | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, bit | 127, len(payload))
    # A mask of zeros is a mask: what follows is the payload as it is.
    return head + (bytes(4) if masked else b"") + payload


TEXT, CONTINUATION, PING = 0x1, 0x0, 0x9
SMALL_PING = b'{"type": "ping", "echo": "x"}'


def _fragments(count: int) -> bytes:
    middle = frame(CONTINUATION, b"x", final=False)
    return frame(TEXT, b"x", final=False) + middle * count + frame(CONTINUATION, b"x")


ODD_FRAMES: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "8 KiB": (frame(TEXT, b"x" * 8192), TOO_LARGE),
    "1 MiB": (frame(TEXT, b"x" * (1 << 20)), (*TOO_LARGE, DROPPED)),
    "10000 fragments": (_fragments(10_000), TOO_LARGE),
    "no mask": (frame(TEXT, SMALL_PING, masked=False), (1002, DROPPED)),
    "broken UTF-8": (frame(TEXT, b"\xff\xfe\xfd"), (1007, DROPPED)),
    "reserved opcode": (frame(0x3, b""), (1002, DROPPED)),
    "2000 pings": (frame(PING, b"x") * 2000, (LIVES,)),
    "40 messages": (frame(TEXT, SMALL_PING) * 40, (4408,)),
}
"""What is sent, and the codes that are right."""


def raw_handshake(url: str, *lines: bytes) -> int:
    """The status of a handshake with these header lines, as they are; 0 if the connection was closed instead.

    Raises:
        TimeoutError: neither came; it hangs.
    """
    at = urlsplit(url)
    head = [
        f"GET {FEED} HTTP/1.1".encode(),
        f"Host: {at.netloc}".encode(),
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)),
        *lines,
    ]
    with socket.create_connection((str(at.hostname), at.port or 80), timeout=PATIENCE_S) as link:
        link.sendall(b"\r\n".join(head) + b"\r\n\r\n")
        answer = link.recv(64).split(b" ", 2)
    return int(answer[1]) if len(answer) > 1 and answer[1].isdigit() else 0
