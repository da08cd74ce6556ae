"""Connections to a server itself: which of them it has answered, and which it keeps."""

from __future__ import annotations

import socket
import struct
from contextlib import ExitStack

import pytest

from serverlab.faults import direct


@pytest.fixture
def pairs():
    """Three connections, each with the other side of it."""
    with ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        ours = [
            held.enter_context(socket.create_connection(listener.getsockname(), timeout=1)) for _ in range(3)
        ]
        yield [(each, held.enter_context(listener.accept()[0])) for each in ours]


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_of_connections_those_were_answered_that_were_neither_closed_nor_reset(pairs):
    (answered, other), (_, closes), (_, resets) = pairs
    other.sendall(b"HTTP/1.1 200 OK\r\n")
    closes.close()
    reset(resets)
    assert direct.answered_by([ours for ours, _ in pairs], within_s=1) == [answered]


def test_what_is_neither_closed_nor_reset_is_open(pairs):
    (_, _), (_, closes), (_, resets) = pairs
    closes.close()
    reset(resets)
    assert [direct.is_open(ours) for ours, _ in pairs] == [True, False, False]
