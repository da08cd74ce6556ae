"""What a TLS server agrees to, asked of it piece by piece.

Versions and ciphers are asked with this machine's OpenSSL. Groups for the key exchange are asked with a ClientHello of
our own (RFC 8446, 4.1.2): it offers one group and no key share, so that a server that knows the group has to say which
one it wants (HelloRetryRequest), whatever this machine's OpenSSL knows.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import warnings
from collections.abc import Iterable

TIMEOUT_S = 5.0
GROUPS = {
    "X25519MLKEM768": 0x11EC,
    "X25519": 29,
    "prime256v1": 23,
    "secp384r1": 24,
    "secp521r1": 25,
    "X448": 30,
}
VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random number that makes a ServerHello a HelloRetryRequest (RFC 8446, 4.1.3)."""

EVERYTHING = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"


def client(version: str, *, ciphers: str = EVERYTHING) -> ssl.SSLContext:
    """A client for one version, which takes what no client should and believes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what is asked for
        context.minimum_version = context.maximum_version = VERSIONS[version]
    return context


def connected(port: int, context: ssl.SSLContext, *, name: str = "localhost") -> ssl.SSLSocket:
    """A connection whose handshake is done, to be closed by the caller.

    Raises:
        ssl.SSLError: the server refuses.
    """
    plain = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def agrees(port: int, context: ssl.SSLContext) -> bool:
    """Whether the server finishes the handshake."""
    try:
        connected(port, context).close()
    except (ssl.SSLError, ConnectionError):
        return False
    return True


def versions(port: int) -> set[str]:
    """The versions that the server speaks, of those that this machine's OpenSSL knows."""
    return {name for name in VERSIONS if agrees(port, client(name))}


def ciphers(port: int) -> set[str]:
    """The suites of TLS 1.2 that the server takes, each offered alone."""
    known = [each["name"] for each in client("TLSv1.2").get_ciphers() if each["protocol"] != "TLSv1.3"]
    return {name for name in known if agrees(port, client("TLSv1.2", ciphers=f"{name}:@SECLEVEL=0"))}


def preferred(port: int, offered: Iterable[str]) -> str:
    """The suite of TLS 1.2 that the server picks from an ordered offer."""
    with connected(port, client("TLSv1.2", ciphers=f"{':'.join(offered)}:@SECLEVEL=0")) as secure:
        cipher = secure.cipher()
    return cipher[0] if cipher else ""


def groups(port: int) -> set[str]:
    """The groups of GROUPS that the server exchanges keys in."""
    return {name for name, number in GROUPS.items() if _wanted_group(_answer(port, hello(number))) == number}


def hello(group: int) -> bytes:
    """A ClientHello for TLS 1.3 that knows one group, and brings no key for it."""
    extensions = b"".join(
        (
            _extension(0x2B, b"\x02\x03\x04"),  # supported_versions: TLS 1.3
            _extension(0x0A, struct.pack("!HH", 2, group)),  # supported_groups
            _extension(0x0D, struct.pack("!HHHH", 6, 0x0403, 0x0804, 0x0401)),  # signature_algorithms
            _extension(0x33, b"\x00\x00"),  # key_share: none
        )
    )
    suites = struct.pack("!HHH", 4, 0x1301, 0x1302)
    body = (
        b"\x03\x03"
        + os.urandom(32)
        + b"\x00"
        + suites
        + b"\x01\x00"
        + struct.pack("!H", len(extensions))
        + extensions
    )
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def _extension(kind: int, content: bytes) -> bytes:
    return struct.pack("!HH", kind, len(content)) + content


def _answer(port: int, sent: bytes) -> bytes:
    """The first record that the server sends; empty when it closes at once."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as plain:
        plain.sendall(sent)
        record = _exactly(plain, 5)
        return record + _exactly(plain, int.from_bytes(record[3:5], "big"))


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (more := connection.recv(size - len(found))):
        found += more
    return found


def _wanted_group(record: bytes) -> int | None:
    """The group that a HelloRetryRequest asks for; None for any other record."""
    if record[:1] != b"\x16" or record[11:43] != RETRY:
        return None
    extensions = record[43 + 1 + record[43] + 2 + 1 + 2 :]
    while len(extensions) >= 4:
        kind, size = struct.unpack("!HH", extensions[:4])
        if kind == 0x33:
            return int.from_bytes(extensions[4:6], "big")
        extensions = extensions[4 + size :]
    return None
