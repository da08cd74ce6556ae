"""The sender on real sockets: what is due is sent whatever is answered, within its bounds, and counted."""

from __future__ import annotations

import asyncio
import json

import pytest

from shared.chain import Chain
from shared.flood import Flood, Settings, flood
from shared.sender import SettingsError

GIVEN = {
    "LAB_FLOOD_URL": "http://127.0.0.1:8000",
    "LAB_FLOOD_PATH": "/x",
    "LAB_FLOOD_BODY": "",
    "LAB_FLOOD_PER_S": "100",
    "LAB_FLOOD_USERS": "3",
    "LAB_FLOOD_TIMEOUT_S": "5",
    "LAB_FLOOD_DURATION_S": "0.5",
    "LAB_FLOOD_RETRIES": "0",
    "LAB_FLOOD_BACKOFF_S": "0",
    "LAB_FLOOD_RETRY_BUDGET": "",
}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def sent(serve, *, most_open=2000, **changes):
    """What a flood counts of a server that treats each connection like this."""

    async def run():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()[:2]
        lines = []
        flood = Flood(
            Settings.read(GIVEN | {f"LAB_FLOOD_{name.upper()}": value for name, value in changes.items()}),
            address,
            Chain(lines.append),
            asyncio.get_running_loop().time,
            most_open=most_open,
        )
        await flood.run()
        server.close()
        return [json.loads(line) for line in lines]

    return asyncio.run(run())


async def silent(reader, writer):
    await reader.read()
    writer.close()


def answers(words):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(words)
        writer.close()

    return serve


def test_what_is_due_is_sent_though_nothing_is_answered():
    told = sent(silent)
    assert told[0]["flood"] == 2
    last = told[-1]
    assert 45 <= last["begun"] <= 51
    assert (last["due"], last["most_open"], last["ok"]) == (last["begun"], last["begun"], 0)


def test_no_more_connections_are_open_than_may_be_and_who_is_refused_is_counted():
    last = sent(silent, most_open=10)[-1]
    assert (last["begun"], last["most_open"]) == (10, 10)
    assert last["refused"] == last["due"] - 10


def test_users_ask_in_turn():
    last = sent(answers(OK), per_s="0")[-1]
    assert last["ok"] > 10
    assert last["most_open"] <= 3 + 3
    assert last["begun"] - last["ok"] <= 3


@pytest.mark.parametrize("words", [b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", OK[:-1]])
def test_only_a_whole_answer_of_200_counts(words):
    last = sent(answers(words))[-1]
    assert (last["ok"], last["taken"] > 10, last["failed"] > 10) == (0, True, True)


def test_what_is_let_go_of_at_the_end_has_not_failed():
    last = sent(silent)[-1]
    assert (last["begun"] > 10, last["failed"]) == (True, 0)


def test_what_is_refused_as_unavailable_is_counted():
    last = sent(answers(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))[-1]
    assert last["unavailable"] == last["failed"] > 10
    assert sent(answers(OK))[-1]["unavailable"] == 0


def after_failures(count):
    """Answers who has been refused so often before, in the order in which they come."""
    left = {"": count}

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        left[""] -= 1
        writer.write(OK if left[""] < 0 else b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    return serve


def test_who_is_not_answered_asks_again_at_once_and_is_counted_once():
    last = sent(after_failures(3), per_s="1", retries="3")[-1]
    assert (last["begun"], last["retried"], last["ok"], last["failed"]) == (1, 3, 1, 0)


def test_who_has_asked_often_enough_gives_up():
    last = sent(after_failures(4), per_s="1", retries="3")[-1]
    assert (last["begun"], last["retried"], last["ok"], last["failed"]) == (1, 3, 0, 1)


def test_all_of_them_ask_again_only_as_often_as_the_budget_allows():
    last = sent(after_failures(10**6), retries="3", retry_budget="0.1")[-1]
    assert last["begun"] >= 45
    assert 10 <= last["retried"] <= 10 + last["begun"] // 10
    assert last["failed"] > 30


def test_a_host_that_nobody_knows_is_told():
    with pytest.raises(SettingsError, match=r"LAB_FLOOD_URL=http://nobody\.invalid: nobody knows this host"):
        asyncio.run(flood(Settings.read(GIVEN | {"LAB_FLOOD_URL": "http://nobody.invalid"}), print))


def test_a_body_is_posted():
    request = Settings.read(GIVEN | {"LAB_FLOOD_BODY": '{"a":1}'}).request
    assert request.startswith(b"POST /x HTTP/1.1\r\n")
    assert request.endswith(b'Content-Length: 7\r\n\r\n{"a":1}')


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAB_FLOOD_URL", "https://app"),
        ("LAB_FLOOD_PATH", "x"),
        ("LAB_FLOOD_PER_S", "-1"),
        ("LAB_FLOOD_USERS", "2001"),
        ("LAB_FLOOD_DURATION_S", "241"),
        ("LAB_FLOOD_RETRIES", "6"),
        ("LAB_FLOOD_RETRIES", ""),
        ("LAB_FLOOD_BACKOFF_S", "-1"),
        ("LAB_FLOOD_RETRY_BUDGET", "1.5"),
    ],
)
def test_a_wrong_setting_is_named(name, value):
    with pytest.raises(SettingsError, match=name):
        Settings.read(GIVEN | {name: value})
