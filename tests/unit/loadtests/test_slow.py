"""Slow clients on real sockets: what they say, how slowly, and what they tell of connections that end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from shared.bounds import OutOfBounds
from shared.chain import Chain
from shared.slow import Crowd
from shared.slow_clients import Connection, Settings, SettingsError

GIVEN = {
    "LAB_SLOW_URL": "http://127.0.0.1:8000",
    "LAB_SLOW_PATH": "/healthz",
    "LAB_SLOW_KIND": "header",
    "LAB_SLOW_CONNECTIONS": "3",
    "LAB_SLOW_PER_S": "1000",
    "LAB_SLOW_PACE_S": "0.02",
    "LAB_SLOW_DURATION_S": "0.3",
}
HEAD = "HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: serverlab\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def settings(**changes):
    return Settings.read(GIVEN | {f"LAB_SLOW_{name.upper()}": value for name, value in changes.items()})


async def attacked(serve: Serve, **changes):
    """What a crowd tells of a server that treats each connection like this; and the port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    told = await held(url=f"http://127.0.0.1:{port}", **changes)
    server.close()
    await server.wait_closed()
    return told, port


async def held(**changes):
    lines = []
    crowd = Crowd(settings(**changes), Chain(lines.append), asyncio.get_running_loop().time)
    await crowd.run()
    return [json.loads(line) for line in lines]


def rows(told):
    return sorted((row for row in told if "number" in row), key=lambda row: row["number"])


def ends(told):
    return Counter((row["how"], row["status"]) for row in rows(told))


async def read_on(reader, writer):
    """Takes all that comes and never answers."""
    while await reader.read(1 << 16):
        pass
    writer.close()


def says(answer, *, then_closes=True):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if then_closes:
            writer.close()
        else:
            await read_on(reader, writer)

    return serve


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAB_SLOW_URL", "https://app"),
        ("LAB_SLOW_PATH", "healthz"),
        ("LAB_SLOW_PATH", "/a b"),
        ("LAB_SLOW_KIND", "fast"),
        ("LAB_SLOW_CONNECTIONS", "201"),
        ("LAB_SLOW_CONNECTIONS", "0"),
        ("LAB_SLOW_PER_S", "nan"),
        ("LAB_SLOW_PACE_S", ""),
        ("LAB_SLOW_DURATION_S", "121"),
    ],
)
def test_settings_that_are_absent_or_out_of_bounds_are_refused_by_name(name, value):
    with pytest.raises(SettingsError, match=name):
        Settings.read(GIVEN | {name: value})


def heard_from(**changes):
    """All that one client said."""
    heard = bytearray()

    async def listen(reader, writer):
        while received := await reader.read(1 << 16):
            heard.extend(received)
        writer.close()

    told, port = asyncio.run(attacked(listen, connections="1", **changes))
    (row,) = rows(told)
    assert (row["how"], row["sent_bytes"]) == ("kept", len(heard))
    return heard.decode("ascii"), HEAD.format(port=port)


def test_a_slow_header_never_ends_and_grows():
    text, head = heard_from(kind="header")
    assert text.startswith(f"GET /healthz {head}X-0: 0\r\nX-1: 1\r\n")
    assert "\r\n\r\n" not in text


def test_a_slow_body_is_announced_and_arrives_blank_by_blank():
    text, head = heard_from(kind="body", path="/lab/ledger/")
    form = "Content-Type: application/json\r\nContent-Length: 4096\r\n\r\n"
    body = text.removeprefix(f"POST /lab/ledger/ {head}{form}")
    assert 1 <= len(body) < 4096
    assert body.strip() == ""


def test_an_idle_connection_says_nothing():
    text, _ = heard_from(kind="idle")
    assert text == ""


def test_many_ranges_of_a_file_are_asked_for_in_one_line():
    text, head = heard_from(kind="ranges", path="/static/a.css")
    first = text.split("\r\n\r\n")[0]
    assert first.startswith(f"GET /static/a.css {head}Range: bytes=0-0,0-1,0-2,")
    assert first.count(",") == 999
    assert len(first) < 8000


def test_a_kept_connection_is_answered_again_and_again():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    async def serve(reader, writer):
        while True:
            try:
                await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            writer.write(answer)
        writer.close()

    told, _ = asyncio.run(attacked(serve, kind="keep"))
    assert ends(told) == {("kept", 200): 3}
    for row in rows(told):
        assert row["answers"] > 2
        assert row["received_bytes"] == row["answers"] * len(answer)


def test_a_slow_reader_lets_the_server_wait_for_room():
    left = []

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + b"x" * 1048576)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)  # nothing comes, and meanwhile little goes
        left.append(writer.transport.get_write_buffer_size())
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
        writer.transport.abort()

    told, _ = asyncio.run(attacked(serve, kind="read", connections="1", duration_s="0.1"))
    (row,) = rows(told)
    assert row["how"] == "kept"
    assert 1 <= row["received_bytes"] < 20
    assert left[0] > 500_000


def test_who_is_turned_away_is_told_with_the_status_and_when():
    told, _ = asyncio.run(
        attacked(says(b"HTTP/1.1 408 Request Timeout\r\n\r\n"), kind="body", path="/lab/ledger/")
    )
    assert ends(told) == {("eof", 408): 3}
    for row in rows(told):
        assert row["begun_s"] <= row["established_s"] <= row["ended_s"] <= told[-1]["ended_s"]
        assert row["ended_s"] - row["begun_s"] < 0.2


def test_a_connection_that_is_reset_is_told_as_such():
    async def serve(reader, writer):
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    told, _ = asyncio.run(attacked(serve))
    assert ends(told) == {("reset", None): 3}


def test_nobody_there_is_told_as_refused():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    told = asyncio.run(held(url=f"http://127.0.0.1:{port}"))
    assert ends(told) == {("refused", None): 3}


def test_nobody_outside_of_our_networks_is_held_up():
    with pytest.raises(OutOfBounds, match=r"240\.0\.0\.1 \(240\.0\.0\.1\) is neither loopback nor"):
        asyncio.run(held(url="http://240.0.0.1:80"))


def test_what_the_backlog_has_no_room_for_waits():
    with socket.create_server(("127.0.0.1", 0), backlog=1) as nobody:
        port = nobody.getsockname()[1]
        told = asyncio.run(held(url=f"http://127.0.0.1:{port}", connections="10", kind="idle"))
    assert ends(told) == {("kept", None): 2, ("waiting", None): 8}
    counts = [{name: row[name] for name in ("waiting", "held", "ended")} for row in told if "at_s" in row]
    assert counts == [{"waiting": 8, "held": 2, "ended": 0}]


def test_it_tells_what_was_set_first_and_how_many_there_were_last():
    told, port = asyncio.run(attacked(read_on, kind="idle", duration_s="0.05"))
    assert {name: told[0][name] for name in told[0] if name not in ("began_s", "chain")} == {
        "slow": 1,
        "url": f"http://127.0.0.1:{port}",
        "path": "/healthz",
        "kind": "idle",
        "connections": 3,
        "per_s": 1000.0,
        "pace_s": 0.02,
        "duration_s": 0.05,
    }
    assert (told[-1]["rows"], told[-1]["stopped"]) == (3, False)
    assert told[-1]["ended_s"] - told[0]["began_s"] >= 0.05


def test_it_lets_go_when_it_is_told_to():
    async def stopped():
        server = await asyncio.start_server(read_on, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        lines = []
        crowd = Crowd(
            settings(url=url, duration_s="60"), Chain(lines.append), asyncio.get_running_loop().time
        )
        running = asyncio.create_task(crowd.run())
        while len([each for each in crowd.known if each.state == "held"]) < 3:
            await asyncio.sleep(0)
        crowd.stopping.set()
        await running
        server.close()
        await server.wait_closed()
        return [json.loads(line) for line in lines]

    told = asyncio.run(stopped())
    assert (told[-1]["rows"], told[-1]["stopped"]) == (3, True)
    assert ends(told) == {("kept", None): 3}


@pytest.mark.parametrize("size", [1, 5, 13, 100])
def test_answers_are_counted_however_they_are_cut(size):
    text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 503\r\nContent-Length: 3\r\n\r\nbye"
    known = Connection(0, 0.0)
    for begin in range(0, len(text), size):
        known.take(text[begin : begin + size])
    assert (known.answers, known.status, known.received_bytes) == (2, 503, len(text))
