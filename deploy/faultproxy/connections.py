"""One connection through a proxy: two flows, each with the toxics that have met it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable

from faultproxy.toxics import Piece, Toxic

CHUNK_BYTES = 16 * 1024
HELD_CHUNKS = 64
"""At most a megabyte is held back in each direction; then the sender has to wait."""

AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: closing resets."""


class Dose:
    """A toxic at work on one direction of one connection."""

    def __init__(self, toxic: Toxic, connection: Connection) -> None:
        """Begin: a toxic that ends connections counts its time from here."""
        self.toxic = toxic
        self.met = random.random() < toxic.toxicity  # noqa: S311 - no secret
        self.passed_bytes = 0
        self.tail = b""
        self.dropped = False
        self._connection = connection
        self._gone = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        after_s = toxic.kind.ends_after_s
        self._timer = (
            self._loop.call_later(after_s, self._ended) if self.met and after_s is not None else None
        )

    def now_s(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than the toxic is there."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), None if seconds == float("inf") else seconds)

    def end(self, *, reset: bool = False) -> None:
        """End the whole connection."""
        self._connection.end(reset=reset)

    def act(self, piece: Piece) -> AsyncIterator[Piece]:
        """What becomes of a piece; it is counted where the toxic does anything to it."""
        if self.toxic.kind.harms(piece, self):
            self._connection.touched()
        return self.toxic.kind.passed(piece, self)

    def leave(self) -> None:
        """The toxic is gone: nobody waits for it any more. A connection that lost bytes to it cannot go on."""
        self._gone.set()
        if self._timer is not None:
            self._timer.cancel()
        if self.dropped:
            self.end()

    def _ended(self) -> None:
        self._connection.touched()
        self.end(reset=self.toxic.kind.ends_by_reset)


class Flow:
    """One direction: what is read here is written there, through every toxic in turn."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        connection: Connection,
        toxics: Iterable[Toxic],
        count: Callable[[int], None],
    ) -> None:
        """Meet the toxics; ``count`` is told of every byte that is handed on."""
        self._reader = reader
        self._writer = writer
        self._connection = connection
        self._count = count
        self.ended = False
        self._held: asyncio.Queue[Piece] = asyncio.Queue(HELD_CHUNKS)
        self._doses: list[Dose] = []
        for toxic in toxics:
            self.meet(toxic)

    def meet(self, toxic: Toxic) -> None:
        """From now on the toxic is at work here."""
        self._doses.append(Dose(toxic, self._connection))

    def part(self, toxic: Toxic) -> None:
        """From now on it no longer is."""
        for dose in [each for each in self._doses if each.toxic is toxic]:
            self._doses.remove(dose)
            dose.leave()

    async def run(self) -> None:
        """Hand on until the sender has ended its half and the receiver knows."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            tasks.create_task(self._write())

    async def _read(self) -> None:
        data = b"."
        while data:
            data = await self._reader.read(CHUNK_BYTES)
            self.ended = not data
            await self._held.put(Piece(data, asyncio.get_running_loop().time()))

    async def _write(self) -> None:
        piece = None
        while piece is None or piece.data:
            piece = await self._held.get()
            await self._through(piece, [dose for dose in self._doses if dose.met])
        if self._writer.can_write_eof():
            self._writer.write_eof()

    async def _through(self, piece: Piece, doses: list[Dose]) -> None:
        if doses:
            first, *others = doses
            async for part in first.act(piece):
                await self._through(part, others)
        elif piece.data:
            self._connection.handed_on(self)
            self._writer.write(piece.data)
            self._count(len(piece.data))
            await self._writer.drain()


class Connection:
    """A client's connection and the one that was made for it."""

    def __init__(self, touched: Callable[[], None], *, unheard: Callable[[], None] = lambda: None) -> None:
        """Nothing flows yet; ``touched`` is called whenever a toxic has had something to do.

        ``unheard`` is called for each piece that is handed on to an upstream that has ended its half.
        """
        self.touched = touched
        self._unheard = unheard
        self._ended = asyncio.Event()
        self._reset = False
        self.flows: dict[str, Flow] = {}

    def end(self, *, reset: bool = False) -> None:
        """End it, whatever it is doing; a reset is not taken back."""
        self._reset = self._reset or reset
        self._ended.set()

    def handed_on(self, flow: Flow) -> None:
        """A piece of the flow is handed on."""
        if flow is self.flows["upstream"] and self.flows["downstream"].ended:
            self._unheard()

    async def run(self, *writers: asyncio.StreamWriter) -> None:
        """Have both flows run until both are over, or one breaks, or it is ended; close both ends."""
        both = asyncio.ensure_future(self._both())
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({both, ended}, return_when=asyncio.FIRST_COMPLETED)
            if both.done() and (both.cancelled() or both.exception()):  # one side was reset: so is the other
                self._reset = True
        finally:
            both.cancel()
            ended.cancel()
            await asyncio.wait({both, ended})
            for writer in writers:
                close(writer, reset=self._reset)

    async def _both(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for flow in self.flows.values():
                tasks.create_task(flow.run())


def close(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    """Close one end: with what was written before, or by a reset that loses it."""
    if not reset:
        writer.close()
        return
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()
