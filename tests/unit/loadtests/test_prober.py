"""The prober: what is due when, what is certain of each answer, and a ledger that the lab takes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import Counter

import pytest

from serverlab.ledger import parse_ledger
from serverlab.model.faults import Kind, Outcome, Probing
from serverlab.prober import variables_of
from shared.bounds import OutOfBounds
from shared.chain import Chain
from shared.exchange import Exchange
from shared.prober import Address, Prober, Settings, judged, schedule
from shared.sender import SettingsError

KEY = "0b8e0a44-6a4b-4b5e-9d0a-1f2a3b4c5d6e"
READ, MISSING = f'{{"key": "{KEY}"}}', '{"detail": "No such entry."}'
ENVIRONMENT = variables_of(Probing(), url="http://app:8000", duration_s=2.0)


def test_the_settings_are_what_the_lab_says():
    assert Settings.read(ENVIRONMENT) == Settings(
        url="http://app:8000", reads_per_s=20, writes_per_s=10, timeout_s=5, duration_s=2, guarded=True
    )
    unguarded = variables_of(Probing(guarded=False), url="http://app:8000", duration_s=2.0)
    assert not Settings.read(unguarded).guarded


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAB_PROBE_TIMEOUT_S", "0"),
        ("LAB_PROBE_TIMEOUT_S", "nan"),
        ("LAB_PROBE_DURATION_S", ""),
        ("LAB_PROBE_READS_PER_S", "many"),
        ("LAB_PROBE_WRITES_PER_S", "-1"),
        ("LAB_PROBE_URL", "https://app"),
        ("LAB_PROBE_URL", "app:8000"),
    ],
)
def test_settings_that_say_nothing_are_refused_by_name(name, value):
    with pytest.raises(SettingsError, match=name):
        Settings.read(ENVIRONMENT | {name: value})


def test_reads_and_writes_are_due_evenly_and_never_together():
    due = list(schedule(Settings.read(ENVIRONMENT)))
    assert Counter(kind for _, kind in due) == {"read": 40, "write": 20}
    assert due[:4] == [(0.0, "read"), (0.025, "write"), (0.05, "read"), (0.1, "read")]
    assert all(later > earlier for (earlier, _), (later, _) in itertools.pairwise(due))


def answered(status, body="{}", *, cause="", handed_over=True):
    exchange = Exchange(lambda: 0.0, handed_over=handed_over, status=status, cause=cause)
    exchange.body += body.encode()
    return exchange


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (201, READ, ("ok", "")),
        (200, READ, ("ok", "")),
        (201, '{"key": "another"}', ("info", "body")),
        (200, "not JSON", ("info", "body")),
        (200, "[1]", ("info", "body")),
        (204, READ, ("info", "status")),
        (302, "", ("info", "status")),
        (400, "", ("fail", "status")),
        (404, "", ("fail", "status")),
        (408, "", ("info", "status")),
        (499, "", ("info", "status")),
        (500, READ, ("info", "status")),
        (503, READ, ("info", "status")),
    ],
)
def test_a_write_is_done_not_done_or_nobody_knows(status, body, outcome):
    assert judged("write", KEY, answered(status, body)) == outcome


@pytest.mark.parametrize(
    ("key", "status", "body", "outcome"),
    [
        (KEY, 200, READ, ("ok", "")),
        ("", 200, '{"newest": null}', ("ok", "")),
        ("", 200, READ, ("fail", "body")),
        (KEY, 200, '{"newest": null}', ("fail", "body")),
        (KEY, 404, MISSING, ("fail", "missing")),
        (KEY, 404, '{"detail": "Not found."}', ("fail", "status")),
        ("", 404, MISSING, ("fail", "status")),
        (KEY, 502, "", ("fail", "status")),
    ],
)
def test_a_read_is_right_wrong_or_misses_what_was_acknowledged(key, status, body, outcome):
    assert judged("read", key, answered(status, body)) == outcome


@pytest.mark.parametrize("kind", ["read", "write"])
@pytest.mark.parametrize(("handed_over", "outcome"), [(False, "fail"), (True, "info")])
def test_without_an_answer_only_what_was_never_handed_over_is_certain(kind, handed_over, outcome):
    broken = answered(None, cause="timeout", handed_over=handed_over)
    assert judged(kind, KEY, broken) == (outcome, "timeout")


@contextlib.asynccontextmanager
async def serving(handle):
    """The port of a server that is gone at the end with all of its connections."""
    handling = []

    async def serve(reader, writer):
        handling.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            await handle(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*handling)


class App:
    """As much of the app's ledger as a prober sees; `drops` is the number of the write that gets no answer."""

    def __init__(self, drops=None):
        self.written = []
        self.drops = drops

    async def __call__(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, *_ = head.split()
        if method == "POST":
            length = int(head.lower().partition("content-length: ")[2].split()[0])
            self.written.append(json.loads(await reader.readexactly(length))["key"])
            told = {"key": self.written[-1]}
        else:
            told = {"key": path.rpartition("/")[2]} if path != "/lab/ledger/" else {"newest": None}
        if len(self.written) != self.drops or method != "POST":
            body = json.dumps(told)
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


def probed(app, *, stop_after_s=None, **changes):
    """The lines of a prober's ledger."""

    async def run():
        lines, loop = [], asyncio.get_running_loop()
        async with serving(app) as port:
            url = f"http://127.0.0.1:{port}"
            settings, address = Settings.read(ENVIRONMENT | changes | {"LAB_PROBE_URL": url}), Address(url)
            address.ask()
            prober = Prober(settings, address, Chain(lines.append), loop.time)
            if stop_after_s:
                loop.call_later(stop_after_s, prober.stopping.set)
            await prober.run()
        return [line.rstrip("\n") for line in lines]

    return asyncio.run(run())


def test_the_lab_takes_the_ledger_of_a_prober():
    app = App(drops=3)
    ledger = parse_ledger(probed(app, LAB_PROBE_DURATION_S="0.5"), where="it")
    writes = [each for each in ledger.attempts if each.kind is Kind.WRITE]
    assert (len(ledger.attempts), len(writes), ledger.closing.rows) == (15, 5, 15)
    assert {each.key for each in writes} == set(app.written)
    assert [each.key for each in writes if each.outcome is not Outcome.OK] == [app.written[2]]
    (unknown,) = (each for each in ledger.attempts if each.outcome is not Outcome.OK)
    assert (unknown.outcome, unknown.cause, unknown.status, unknown.first_byte_s) == (
        Outcome.INFO,
        "eof",
        None,
        None,
    )
    assert all(each.due_s <= each.sent_s <= each.ended_s for each in ledger.attempts)


def test_reads_ask_for_what_was_acknowledged_before():
    ledger = parse_ledger(probed(App(), LAB_PROBE_DURATION_S="0.5"), where="it")
    written = {each.key: each.ended_s for each in ledger.attempts if each.kind is Kind.WRITE}
    read = [each for each in ledger.attempts if each.kind is Kind.READ and each.key]
    assert read
    assert all(written[each.key] <= each.sent_s for each in read)


def test_a_prober_that_is_stopped_ends_its_ledger():
    ledger = parse_ledger(probed(App(), stop_after_s=0.2, LAB_PROBE_DURATION_S="60"), where="it")
    assert 0 < ledger.closing.rows < 15


def test_where_nobody_listens_attempts_certainly_fail():
    async def run():
        async with serving(App()) as port:
            pass
        exchange = Exchange(asyncio.get_running_loop().time)
        await exchange.perform(("127.0.0.1", port), b"", timeout_s=1)
        return exchange

    assert judged("write", KEY, asyncio.run(run())) == ("fail", "refused")


def test_an_address_is_asked_for_again_and_the_last_one_of_ours_is_kept():
    found = [["127.0.0.2"], [], ["8.8.8.8"], ["127.0.0.3"]]
    address = Address("http://app:8000", lookup=lambda _: found.pop(0))
    address.ask()
    address.ask()
    assert address.current == ("127.0.0.2", 8000)
    with pytest.raises(OutOfBounds, match=r"8\.8\.8\.8"):
        address.ask()
    assert address.current == ("127.0.0.2", 8000)
    address.ask()
    assert address.current == ("127.0.0.3", 8000)


def test_a_name_that_nobody_knows_is_unreachable():
    async def run():
        lines = []
        settings = Settings.read(ENVIRONMENT | {"LAB_PROBE_DURATION_S": "0.04"})
        loop = asyncio.get_running_loop()
        await Prober(settings, Address(settings.url), Chain(lines.append), loop.time).run()
        return [line.rstrip("\n") for line in lines]

    ledger = parse_ledger(asyncio.run(run()), where="it")
    assert [(each.kind, each.outcome, each.cause) for each in ledger.attempts] == [
        (Kind.READ, Outcome.FAIL, "unreachable"),
        (Kind.WRITE, Outcome.FAIL, "unreachable"),
    ]


def exchanged(answer, *, timeout_s=2.0, reset=False):
    """What became of a request that gets these bytes; None: nothing, and the connection stays open."""

    async def handle(reader, writer):
        await reader.read(1)
        if answer is None:
            await reader.read()
            await reader.read()
        elif reset:
            writer.transport.abort()
        else:
            writer.write(answer)

    async def run():
        exchange = Exchange(asyncio.get_running_loop().time)
        async with serving(handle) as port:
            await exchange.perform(("127.0.0.1", port), b"GET / HTTP/1.1\r\n\r\n", timeout_s=timeout_s)
        return exchange

    return asyncio.run(run())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab",
        b"HTTP/1.0 200 OK\r\n\r\nab",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
    ],
    ids=["length", "chunks", "close", "1.0", "continue"],
)
def test_an_answer_may_end_in_every_way_that_http_knows(answer):
    found = exchanged(answer)
    assert (found.status, bytes(found.body), found.cause, found.handed_over) == (200, b"ab", "", True)
    assert found.sent_s <= found.first_byte_s


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"", "eof"),
        (b"HTTP/1.1 200", "eof"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "eof"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", "eof"),
        (b"it is no HTTP at all\r\n\r\n", "body"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000, "body"),
    ],
)
def test_an_answer_that_is_not_whole_is_none(answer, cause):
    found = exchanged(answer)
    assert (found.cause, found.handed_over) == (cause, True)


def test_silence_and_a_reset_are_told_apart():
    assert exchanged(None, timeout_s=0.1).cause == "timeout"
    assert exchanged(b"", reset=True).cause in {"reset", "eof"}
