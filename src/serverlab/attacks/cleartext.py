"""TLS spoken to an app server's own port, which is for plain HTTP: no handshake may come back (row W-33)."""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

from serverlab.attacks import wire
from serverlab.attacks.stage import (
    HARMLESS,
    LEAKS,
    Attack,
    Outcome,
    Stage,
    failed,
    not_applicable,
    passed,
    said,
)
from serverlab.model.security import Verdict

PATIENCE_S = 5.0
REST_S = 0.1
"""A server that does not close says no more when it was silent for so long, after its first two bytes."""

RECORDS = range(20, 25)
"""What a TLS record begins with: change_cipher_spec, alert, handshake, application_data, heartbeat (RFC 8446, 5.1)."""

HTML = re.compile(rb"\s*<(!doctype )?html\b", re.IGNORECASE)
"""What an answer without a status line begins with, as HTTP/0.9 had it."""


def hello() -> bytes:
    """A ClientHello as this machine's OpenSSL sends it, which offers all that it speaks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(received, sent, server_hostname="localhost").do_handshake()
    return sent.read()


def said_to_tls(url: str, *, patience_s: float) -> bytes | None:
    """What the port of ``url`` says to a ClientHello: empty if it closes, None if nothing comes in time.

    The other side is told that nothing follows: a server of plain HTTP would else wait for the end of a line.
    """
    at = urlsplit(url)
    with socket.create_connection((at.hostname or "", at.port or 80), timeout=patience_s) as connection:
        with suppress(OSError):  # reset, before it was told
            connection.sendall(hello())
            connection.shutdown(socket.SHUT_WR)
        return heard(connection)


def heard(connection: socket.socket) -> bytes | None:
    """All that the other side says, until it closes or has said two bytes and then nothing for a while."""
    found = b""
    try:
        while len(found) < wire.ENOUGH_BYTES and (more := connection.recv(65_536)):
            found += more
            if len(found) >= 2:
                connection.settimeout(REST_S)
    except TimeoutError:
        return found or None
    except OSError:  # reset: what came before counts
        pass
    return found


def own_port(stage: Stage, *, patience_s: float = PATIENCE_S) -> Outcome:
    """W-33."""
    if stage.settings.target.edge:
        return not_applicable("only the edge reaches the server's own port; what it speaks outside is W-30")
    found = said_to_tls(stage.url, patience_s=patience_s)
    if found is None:
        return Outcome(Verdict.UNKNOWN, "silence", f"no answer within {patience_s:g} s")
    outcome = _judged(found)
    if outcome.verdict is not Verdict.PASS:
        return outcome
    health = stage.ask("GET", "/healthz", timeout=patience_s).status
    if health != 200:
        return Outcome(Verdict.UNKNOWN, outcome.seen, f"/healthz over plain HTTP afterwards: {said(health)}")
    return outcome


def _judged(found: bytes) -> Outcome:
    """What the port's words alone come to."""
    if found[:1] and found[0] in RECORDS and found[1:2] == b"\x03":
        return failed("a TLS record", "expected an answer in HTTP, or a closed connection")
    status = wire.reply(found).status
    words = "HTTP without a status" if HTML.match(found) else f"{found[:20]!r}" if found else "closed"
    seen = str(status) if status else words
    if status >= 500:
        return failed(seen, "expected a refusal, not an error of the server")
    if leak := next((sign for sign in LEAKS if sign in found.decode(errors="replace")), None):
        return failed(seen, f"the answer shows {leak!r}")
    if found and not status and not HTML.match(found):
        return Outcome(Verdict.UNKNOWN, seen, "neither HTTP nor HTML, and no TLS record")
    return passed(seen)


ATTACKS = (
    Attack(
        "W-33",
        "TLS to the server's own port",
        "no handshake: the port is for plain HTTP",
        own_port,
        beside=HARMLESS,
    ),
)
