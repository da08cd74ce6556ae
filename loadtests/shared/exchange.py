"""One request on a connection of its own, and what is certain of it afterwards."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import h11

RECEIVED_BYTES = 1 << 16
LARGEST_BODY_BYTES = 1 << 20


class Broken(Exception):
    """Why no whole answer came; ``cause`` is the ledger's word for it."""

    def __init__(self, cause: str) -> None:
        """A failure of this cause."""
        super().__init__(cause)
        self.cause = cause


@dataclass
class Exchange:
    """What became of a request. Moments are of the machine's steady clock.

    ``sent_s`` is when its connection was begun. ``handed_over`` says that the request may have reached somebody: before
    that, whatever goes wrong, it is certainly not done. ``cause`` is "" where a whole answer came.
    """

    clock: Callable[[], float]
    sent_s: float | None = None
    first_byte_s: float | None = None
    handed_over: bool = False
    status: int | None = None
    body: bytearray = field(default_factory=bytearray)
    cause: str = ""

    async def perform(self, address: tuple[str, int], request: bytes, *, timeout_s: float) -> None:
        """Send the request, which asks for the connection to be closed, and take the answer, not longer than that."""
        self.sent_s = self.clock()
        try:
            async with asyncio.timeout(timeout_s):
                await self._perform(address, request)
        except TimeoutError:
            self.cause = "timeout"
        except Broken as broken:
            self.cause = broken.cause
        except ConnectionRefusedError:
            self.cause = "refused"
        except (ConnectionResetError, BrokenPipeError, ConnectionAbortedError):
            self.cause = "reset"
        except OSError:  # no host, no network, no way to it
            self.cause = "reset" if self.handed_over else "unreachable"

    async def _perform(self, address: tuple[str, int], request: bytes) -> None:
        reader, writer = await asyncio.open_connection(*address, family=socket.AF_INET)
        try:
            self.handed_over = True
            writer.write(request)
            await writer.drain()
            await self._receive(reader)
            writer.close()
        except BaseException:
            writer.transport.abort()  # at once: nothing of what may still come is of interest
            raise

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        parser = h11.Connection(h11.CLIENT)
        # What was asked only matters for how the answer ends, and that is alike for all but HEAD and CONNECT.
        parser.send(h11.Request(method="GET", target="/", headers=[("Host", "prober")]))
        parser.send(h11.EndOfMessage())
        received: bytes | None = None
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError:
                raise Broken("eof" if received == b"" else "body") from None
            if event is h11.NEED_DATA:
                received = await reader.read(RECEIVED_BYTES)
                self._note_first_byte(received)
                parser.receive_data(received)
            elif isinstance(event, h11.Response):
                self.status = event.status_code
            elif isinstance(event, h11.Data):
                self._keep(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            elif isinstance(event, h11.ConnectionClosed):
                raise Broken("eof")

    def _note_first_byte(self, received: bytes) -> None:
        if received and self.first_byte_s is None:
            self.first_byte_s = self.clock()

    def _keep(self, received: bytes) -> None:
        self.body += received
        if len(self.body) > LARGEST_BODY_BYTES:
            raise Broken("body")
