"""One connection, with a server that does as a test wants it."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import pytest

from serverlab.framing import exchange as exchanging
from serverlab.framing.exchange import exchange, repeated

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(exchanging, "PATIENCE_S", 0.3)
    monkeypatch.setattr(exchanging, "CLOSING_S", 0.2)
    monkeypatch.setattr(exchanging, "LINGER_S", 0.05)


@contextmanager
def serving(handle):
    """The address of a server that gives its one connection to a function."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            link, _ = server.accept()
            with link:
                handle(link)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()
        thread.join(5)


def test_answers_are_read_until_the_server_closes():
    def handle(link):
        assert link.recv(100) == b"one"
        link.sendall(OK)

    with serving(handle) as address:
        received = exchange(address, [b"one"], answers=1)
    assert (received.data, received.closed, received.sent_bytes) == (OK, True, 3)


def test_a_server_that_stays_is_not_waited_for_once_all_is_there():
    ended = threading.Event()

    def handle(link):
        link.recv(100)
        link.sendall(OK)
        assert link.recv(100) == b""
        ended.set()

    with serving(handle) as address:
        received = exchange(address, [b"one"], answers=1)
    assert (received.closed, [each.status for each in received.replies]) == (False, [200])
    assert ended.is_set()


def test_silence_is_no_answer_and_no_closing():
    with serving(lambda link: (link.recv(100), link.recv(100))) as address:
        received = exchange(address, [b"one"], answers=1)
    assert (received.data, received.closed) == (b"", False)


def test_after_a_silence_our_half_is_ended_and_what_then_comes_is_read():
    def handle(link):
        while link.recv(100):
            pass
        link.sendall(OK)

    with serving(handle) as address:
        received = exchange(address, [b"half"], answers=1, ends=True)
    assert (received.data, received.closed) == (OK, True)


def test_more_than_a_server_takes_is_not_sent():
    def handle(link):
        link.recv(100)
        link.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

    with serving(handle) as address:
        received = exchange(address, repeated(b"head", b"x" * 65_536, total_bytes=1 << 30), answers=1)
    assert [each.status for each in received.replies] in ([413], [])
    assert received.closed
    assert received.sent_bytes < 1 << 26


def test_pieces_are_a_head_and_then_the_same_again_and_again():
    assert list(repeated(b"head", b"xy", total_bytes=5)) == [b"head", b"xy", b"xy"]
