"""Who listens on a port of this machine."""

import os
import socket

import pytest

from serverlab import ports


@pytest.fixture
def taken():
    """A port on which this process listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_whoever_listens_is_named_with_its_process_id(taken):
    assert not ports.is_free(taken)
    assert ports.taken_by(taken).startswith(f"process {os.getpid()} (")


def test_a_port_is_free_again_when_nobody_listens(taken):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        free = other.getsockname()[1]
    assert ports.is_free(free)
    assert ports.taken_by(free) is None


def test_a_listener_that_cannot_be_seen_is_none(tmp_path):
    (tmp_path / "proc/net").mkdir(parents=True)
    line = (
        "   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1\n"
    )
    (tmp_path / "proc/net/tcp").write_text(f"  sl  local_address ...\n{line}")
    assert ports.listener(8000, tmp_path) is None
    (tmp_path / "proc/7/fd").mkdir(parents=True)
    (tmp_path / "proc/7/comm").write_text("nginx\n")
    (tmp_path / "proc/7/fd/3").symlink_to("socket:[4242]")
    assert ports.listener(8000, tmp_path) == "process 7 (nginx)"
    assert ports.listener(8001, tmp_path) is None
