"""TLS spoken to ports that answer it, refuse it, take it for HTTP, or say nothing."""

import socket
import ssl
import threading
from contextlib import suppress

import httpx2
import pytest

from serverlab.attacks import cleartext
from serverlab.attacks.stage import Outcome, failed, not_applicable, passed
from serverlab.model.definitions import Target
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import Site, a_stage

NO_SHARED_CIPHER = bytes.fromhex("15 0303 0002 02 28")
"""A fatal alert, handshake_failure (RFC 8446, 6.2): what a server says to a ClientHello that offers nothing it has."""


def tls(heard):
    """What OpenSSL as a server without a certificate says to what it hears."""
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    received.write(heard)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_bio(received, sent, server_side=True)
    with suppress(ssl.SSLError):
        server.do_handshake()
    return sent.read()


@pytest.fixture
def stage_of():
    """A function that starts a server which hears its client out and answers by a function; returns a stage for it."""
    listeners, over = [], threading.Event()

    def made(answer, *, health=200):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_answer_once, args=(listener, answer, over), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        return a_stage(
            lambda request: httpx2.Response(health if request.url.path == "/healthz" else 404), url=url
        )

    yield made
    over.set()
    for listener in listeners:
        listener.close()


def _answer_once(listener, answer, over):
    connection, _ = listener.accept()
    with connection:
        heard = b""
        while more := connection.recv(65_536):
            heard += more
        if answer is None:
            over.wait()
        else:
            connection.sendall(answer(heard))


def test_what_is_sent_is_a_hello_that_a_tls_server_understands():
    assert tls(cleartext.hello()) == NO_SHARED_CIPHER


@pytest.mark.parametrize(
    "answer", [tls, lambda _: b"\x16\x03\x03\x00\x7a\x02"], ids=["it refuses the offer", "it takes it"]
)
def test_a_port_that_speaks_tls_fails(stage_of, answer):
    found = cleartext.own_port(stage_of(answer))
    assert found == failed("a TLS record", "expected an answer in HTTP, or a closed connection")


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "400"),
        (b"", "closed"),
        (b"<!DOCTYPE HTML>\n<h1>Error response</h1>", "HTTP without a status"),
    ],
)
def test_a_port_that_takes_it_for_http_passes_with_what_it_says(stage_of, said, seen):
    assert cleartext.own_port(stage_of(lambda _: said)) == passed(seen)


@pytest.mark.parametrize(
    ("said", "seen", "reason"),
    [
        (b"HTTP/1.1 500 No\r\n\r\n", "500", "expected a refusal, not an error of the server"),
        (b"HTTP/1.1 400 No\r\n\r\nin /venv/lib", "400", "the answer shows '/venv/'"),
        (
            b"Traceback (most recent call last):",
            "b'Traceback (most rece'",
            "the answer shows 'Traceback (most recent'",
        ),
    ],
    ids=["an error of the server", "a path", "a traceback alone"],
)
def test_a_port_that_breaks_or_shows_its_inside_fails(stage_of, said, seen, reason):
    assert cleartext.own_port(stage_of(lambda _: said)) == failed(seen, reason)


@pytest.mark.parametrize("said", [b"\x16", b"\x00\x00\x12\x04", b"hello"])
def test_what_is_neither_tls_nor_http_shows_nothing(stage_of, said):
    found = cleartext.own_port(stage_of(lambda _: said))
    assert found == Outcome(Verdict.UNKNOWN, repr(said), "neither HTTP nor HTML, and no TLS record")


@pytest.mark.parametrize(("said", "seen"), [(b"HTTP/1.1 400 No\r\n\r\n", "400"), (b"", "closed")])
def test_a_server_that_no_longer_answers_plain_http_shows_nothing(stage_of, said, seen):
    found = cleartext.own_port(stage_of(lambda _: said, health=503))
    assert found == Outcome(Verdict.UNKNOWN, seen, "/healthz over plain HTTP afterwards: 503")


class Wire:
    """Says one part after the other, and breaks off with those that are errors; notes how long it is waited for."""

    def __init__(self, *parts):
        self.parts, self.waited_s = list(parts), []

    def recv(self, _size):
        part = self.parts.pop(0)
        if isinstance(part, Exception):
            raise part
        return part

    def settimeout(self, seconds):
        self.waited_s.append(seconds)


@pytest.mark.parametrize(
    ("parts", "heard", "waited_s"),
    [
        ([b"\x16", b"\x03\x03", b""], b"\x16\x03\x03", [cleartext.REST_S]),
        ([b"HTTP/1.1 400", TimeoutError()], b"HTTP/1.1 400", [cleartext.REST_S]),
        ([b"\x16", TimeoutError()], b"\x16", []),
        ([b"\x16", ConnectionResetError()], b"\x16", []),
        ([ConnectionResetError()], b"", []),
        ([TimeoutError()], None, []),
    ],
)
def test_two_bytes_are_waited_for_and_the_rest_but_briefly(parts, heard, waited_s):
    connection = Wire(*parts)
    assert (cleartext.heard(connection), connection.waited_s) == (heard, waited_s)


def test_silence_shows_nothing(stage_of):
    found = cleartext.own_port(stage_of(None), patience_s=0.05)
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "no answer within 0.05 s")


def test_behind_an_edge_the_port_is_not_asked():
    stage = a_stage(Site())
    stage.settings.target = Target(server="gunicorn", variant="gthread", edge="nginx")
    assert cleartext.own_port(stage) == not_applicable(
        "only the edge reaches the server's own port; what it speaks outside is W-30"
    )
