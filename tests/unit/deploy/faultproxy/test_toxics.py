"""deploy/faultproxy: what each toxic does to bytes that go through real sockets."""

import asyncio
import contextlib
import time

import pytest
from faultproxy.proxies import Proxy
from faultproxy.toxics import KINDS, ToxicError, toxic_of

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 10))


async def echo(reader, writer):
    """Everything back, and an end for an end."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class Client:
    """A connection through a proxy to an echo."""

    def __init__(self, proxy, reader, writer):
        self.proxy = proxy
        self.reader = reader
        self.writer = writer

    async def said(self, data, *, length=None):
        """What comes back, and after how many seconds."""
        before = time.monotonic()
        self.writer.write(data)
        answer = await self.reader.readexactly(len(data) if length is None else length)
        return answer, time.monotonic() - before

    async def rest(self):
        return await self.reader.read(-1)


@contextlib.asynccontextmanager
async def through(*told, serve=echo):
    """A client of a proxy in front of a server; the toxics are there before it connects."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = Proxy("p", listen="127.0.0.1:0", upstream=f"127.0.0.1:{port}")
    await proxy.enable()
    for each in told:
        proxy.add(toxic_of(each))
    client = await connected(proxy)
    try:
        yield client
    finally:
        client.writer.close()
        proxy.disable()
        server.close()
        await until(lambda: proxy.traffic.open == 0)


async def connected(proxy):
    host, _, port = proxy.listen.rpartition(":")
    return Client(proxy, *await asyncio.open_connection(host, int(port)))


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def toxic(kind, *, stream="downstream", toxicity=1.0, **attributes):
    return {"type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes}


def test_without_a_toxic_everything_goes_through_and_is_counted():
    async def scenario():
        async with through() as client:
            big = bytes(range(256)) * 4096
            answer, _ = await client.said(big)
            client.writer.write_eof()
            assert await client.rest() == b""
            await until(lambda: client.proxy.traffic.open == 0)
            return answer == big, client.proxy.as_json()["traffic"]

    assert run(scenario()) == (
        True,
        {
            "accepted": 1,
            "failed": 0,
            "open": 0,
            "upstream_bytes": 1 << 20,
            "downstream_bytes": 1 << 20,
            "touched": 0,
            "unheard": 0,
        },
    )


async def one_answer(reader, writer):
    """What was said first, back, and then the end of this half; what is said afterwards is not looked at."""
    writer.write(await reader.read(65536))
    writer.write_eof()
    await reader.read(-1)
    writer.close()


def test_what_is_said_to_an_upstream_that_has_ended_is_counted_while_its_end_is_on_its_way():
    async def scenario():
        async with through(toxic("slow_close", delay=60_000), serve=one_answer) as client:
            await client.said(b"x")
            (connection,) = client.proxy._connections
            await until(lambda: connection.flows["downstream"].ended)
            before = client.proxy.traffic.unheard
            client.writer.write(b"y")
            await until(lambda: client.proxy.traffic.upstream_bytes == 2)
            return before, client.proxy.traffic.unheard

    assert run(scenario()) == (0, 1)


def test_a_client_that_has_ended_its_half_is_still_answered():
    async def late(reader, writer):
        writer.write(await reader.read(-1))
        writer.close()

    async def scenario():
        async with through(serve=late) as client:
            client.writer.write(b"x")
            client.writer.write_eof()
            return await client.rest(), client.proxy.traffic.unheard

    assert run(scenario()) == (b"x", 0)


def test_latency_delays_every_piece_and_adds_up_over_both_streams():
    async def scenario():
        both = [toxic("latency", stream=stream, latency=60) for stream in ("upstream", "downstream")]
        async with through(*both) as client:
            return [(await client.said(b"x"))[1] for _ in range(2)]

    assert all(0.12 <= took_s < 0.4 for took_s in run(scenario()))


def test_latency_delays_what_follows_no_longer_than_what_came_first():
    async def scenario():
        async with through(toxic("latency", latency=80)) as client:
            before = time.monotonic()
            for _ in range(5):
                client.writer.write(b"x")
                await asyncio.sleep(0.01)
            await client.reader.readexactly(5)
            return time.monotonic() - before

    assert 0.08 <= run(scenario()) < 0.3


def test_jitter_stays_around_the_latency():
    async def scenario():
        async with through(toxic("latency", latency=30, jitter=20)) as client:
            return [(await client.said(b"x"))[1] for _ in range(8)]

    found = run(scenario())
    assert min(found) >= 0.01
    assert len({round(took_s, 3) for took_s in found}) > 1


def test_a_removed_latency_lets_go_of_what_it_held():
    async def scenario():
        async with through(toxic("latency", latency=60_000)) as client:
            client.writer.write(b"held")
            await asyncio.sleep(0.05)
            client.proxy.remove("latency_downstream")
            return (await asyncio.wait_for(client.reader.readexactly(4), 2), await client.said(b"more"))

    held, (more, took_s) = run(scenario())
    assert (held, more) == (b"held", b"more")
    assert took_s < 1


def test_bandwidth_is_what_gets_through_in_a_second():
    async def scenario():
        async with through(toxic("bandwidth", rate=200)) as client:
            return await client.said(b"x" * 40_000)

    answer, took_s = run(scenario())
    assert len(answer) == 40_000
    assert 0.19 <= took_s < 0.6


def test_bandwidth_of_nothing_holds_everything_until_it_is_removed():
    async def scenario():
        async with through(toxic("bandwidth", rate=0)) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.said(b"x"), 0.1)
            client.proxy.remove("bandwidth_downstream")
            return await asyncio.wait_for(client.reader.readexactly(1), 2)

    assert run(scenario()) == b"x"


def test_slow_close_delays_the_end_only():
    async def scenario():
        async with through(toxic("slow_close", delay=150)) as client:
            _, took_s = await client.said(b"x")
            before = time.monotonic()
            client.writer.write_eof()
            rest = await client.rest()
            return took_s, rest, time.monotonic() - before

    took_s, rest, ended_s = run(scenario())
    assert rest == b""
    assert took_s < 0.1
    assert 0.15 <= ended_s < 0.6


def test_timeout_lets_nothing_through_and_then_closes():
    async def scenario():
        async with through(toxic("timeout", timeout=120)) as client:
            before = time.monotonic()
            client.writer.write(b"x")
            return await client.rest(), time.monotonic() - before

    rest, took_s = run(scenario())
    assert rest == b""
    assert 0.1 <= took_s < 0.6


def test_timeout_of_nothing_is_a_black_hole_that_ends_what_it_robbed_when_it_is_removed():
    async def scenario():
        async with through(toxic("timeout", timeout=0)) as client:
            other = await connected(client.proxy)
            client.writer.write(b"x")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.reader.read(1), 0.15)
            client.proxy.remove("timeout_downstream")
            robbed = await asyncio.wait_for(client.rest(), 2)
            answer, _ = await other.said(b"untouched")
            other.writer.close()
            return robbed, answer

    assert run(scenario()) == (b"", b"untouched")


def test_reset_peer_resets_at_once():
    async def scenario():
        async with through(toxic("reset_peer")) as client:
            with pytest.raises(ConnectionResetError):
                await client.reader.read(1)

    run(scenario())


def test_reset_peer_meets_connections_that_are_there_and_waits_its_time():
    async def scenario():
        async with through() as client:
            assert (await client.said(b"x"))[0] == b"x"
            client.proxy.add(toxic_of(toxic("reset_peer", timeout=100)))
            before = time.monotonic()
            assert (await client.said(b"y"))[0] == b"y"
            with pytest.raises(ConnectionResetError):
                await client.reader.read(1)
            return time.monotonic() - before

    assert 0.09 <= run(scenario()) < 0.6


def test_slicer_hands_on_one_byte_at_a_time():
    sizes = []

    async def scenario():
        async with through(toxic("slicer", average_size=1, delay=3000)) as client:
            client.writer.write(b"0123456789")
            while sum(sizes) < 10:
                sizes.append(len(await client.reader.read(100)))

    before = time.monotonic()
    run(scenario())
    assert len(sizes) >= 8
    assert time.monotonic() - before >= 0.027


def test_slicer_varies_its_slices_and_loses_nothing():
    async def scenario():
        async with through(toxic("slicer", average_size=100, size_variation=50)) as client:
            data = bytes(range(250)) * 40
            return (await client.said(data))[0] == data

    assert run(scenario())


def test_limit_data_closes_after_so_many_bytes():
    async def scenario():
        async with through(toxic("limit_data", bytes=10)) as client:
            assert (await client.said(b"01234"))[0] == b"01234"
            client.writer.write(b"56789abcdef")
            return await client.rest()

    assert run(scenario()) == b"56789"


def test_cut_at_resets_before_the_bytes_arrive_even_when_they_come_in_two_pieces():
    async def scenario():
        async with through(toxic("cut_at", hex=COMMITTED.hex())) as client:
            row = b"C\x00\x00\x00\x0fINSERT 0 1\x00"
            assert (await client.said(row))[0] == row
            client.writer.write(COMMITTED[:5])
            await client.reader.readexactly(5)
            client.writer.write(COMMITTED[5:])
            with pytest.raises(ConnectionResetError):
                await client.reader.read(100)

    run(scenario())


def test_a_toxic_of_one_stream_leaves_the_other_alone():
    async def serve(reader, writer):
        arrived.extend(await reader.readexactly(4))
        with contextlib.suppress(ConnectionError):
            await echo(reader, writer)

    arrived = bytearray()

    async def scenario():
        async with through(toxic("timeout", stream="downstream"), serve=serve) as client:
            client.writer.write(b"sent")
            await until(lambda: bytes(arrived) == b"sent")

    run(scenario())


def test_what_a_toxic_touches_is_counted():
    async def scenario():
        async with through(toxic("latency", latency=1)) as client:
            await client.said(b"x")
            await client.said(b"y")
            by_pieces = client.proxy.traffic.touched
            client.proxy.add(toxic_of(toxic("reset_peer")))
            with pytest.raises(ConnectionResetError):
                await client.reader.read(1)
            return by_pieces, client.proxy.traffic.touched

    assert run(scenario()) == (2, 3)


@pytest.mark.parametrize(
    ("told", "touched"),
    [
        (toxic("slow_close", delay=1), 0),
        (toxic("limit_data", bytes=100), 0),
        (toxic("limit_data", bytes=4), 1),
        (toxic("slicer", average_size=8), 0),
        (toxic("slicer", average_size=1), 1),
        (toxic("cut_at", hex="ff"), 0),
        (toxic("latency"), 0),
    ],
)
def test_what_passes_as_it_is_was_not_touched(told, touched):
    async def scenario():
        async with through(told) as client:
            await client.said(b"four")
            return client.proxy.traffic.touched

    assert run(scenario()) == touched


def test_a_toxicity_of_none_meets_no_connection():
    async def scenario():
        async with through(toxic("timeout", toxicity=0.0)) as client:
            return (await client.said(b"x"))[0]

    assert run(scenario()) == b"x"


def test_a_proxy_that_is_down_refuses_and_ends_what_there_was_and_is_itself_again():
    async def scenario():
        async with through() as client:
            await client.said(b"x")
            client.proxy.disable()
            ended = await client.rest()
            with pytest.raises(ConnectionRefusedError):
                await connected(client.proxy)
            await client.proxy.enable()
            again = await connected(client.proxy)
            answer, _ = await again.said(b"again")
            again.writer.close()
            return ended, answer

    assert run(scenario()) == (b"", b"again")


def test_an_upstream_that_is_away_is_a_reset_and_is_counted():
    async def scenario():
        proxy = Proxy("p", listen="127.0.0.1:0", upstream="127.0.0.1:1")
        await proxy.enable()
        client = await connected(proxy)
        with pytest.raises(ConnectionResetError):
            await client.reader.read(1)
        client.writer.close()
        proxy.disable()
        return proxy.traffic.failed

    assert run(scenario()) == 1


def test_it_does_not_lead_out_of_private_networks():
    async def scenario():
        proxy = Proxy("p", listen="127.0.0.1:0", upstream="8.8.8.8:53")
        with pytest.raises(OSError, match=r"8\.8\.8\.8 is not an address of a private network"):
            await proxy._connected()

    run(scenario())


def test_a_reset_of_the_server_is_a_reset_for_the_client():
    async def serve(reader, writer):
        await reader.read(1)
        writer.transport.get_extra_info("socket").setsockopt(1, 13, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        writer.transport.abort()

    async def scenario():
        async with through(serve=serve) as client:
            client.writer.write(b"x")
            with pytest.raises(ConnectionResetError):
                await client.reader.read(1)

    run(scenario())


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"type": "gone"}, f"type 'gone': must be one of {', '.join(KINDS)}"),
        (
            {"type": "latency", "stream": "sideways", "toxicity": 2, "attributes": {"delay": 1}},
            (
                "stream 'sideways': must be one of upstream, downstream; "
                "toxicity 2: must be a number from 0 to 1; attribute delay: there are latency, jitter"
            ),
        ),
        (
            {"type": "latency", "attributes": {"latency": "1"}},
            "attribute latency: '1' is not a whole number",
        ),
        ({"type": "latency", "attributes": {"latency": -1}}, "attribute latency: -1 is below 0"),
        (
            {"type": "latency", "attributes": {"latency": True}},
            "attribute latency: True is not a whole number",
        ),
        ({"type": "cut_at", "attributes": {"hex": "xy"}}, "attribute hex: 'xy' is not hexadecimal"),
        ({"type": "latency", "attributes": []}, None),
        ({"type": "latency", "attributes": [1]}, "attributes: must be an object"),
    ],
)
def test_a_toxic_that_is_none_is_refused_with_all_its_mistakes(told, said):
    if said is None:
        assert toxic_of(told).as_json()["attributes"] == {"latency": 0, "jitter": 0}
        return
    with pytest.raises(ToxicError) as refused:
        toxic_of(told)
    assert str(refused.value) == said
