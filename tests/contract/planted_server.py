"""An HTTP server whose behaviour is known beforehand; runs in the generator's container, standard library only."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import cast

STALL_AFTER_S = 2.0
STALL_S = 1.0
SERVICE_S = 0.01
PONG = b'{"ping": "pong"}'


TRACE = b"x-lab-trace: on\r\n"


def answer(body: bytes = PONG, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole answer."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


class Planted(asyncio.Protocol):
    """One connection; ``behaviour`` says what to do with each request."""

    requests = 0
    behaviour = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast("asyncio.Transport", transport)
        self.mine = 0

    def data_received(self, data: bytes) -> None:
        """Take what has arrived for one request, which it is for clients that wait for their answers."""
        Planted.requests += 1
        self.mine += 1
        self.asked = data
        BEHAVIOURS[self.behaviour](self)

    def right(self) -> None:
        """The right answer at once."""
        self.transport.write(answer())

    def stalls_once(self) -> None:
        """The right answer at once; once, some time after the first request, nobody is answered for a while."""
        if Planted.requests == 1:
            asyncio.get_running_loop().call_later(STALL_AFTER_S, time.sleep, STALL_S)
        self.right()

    def one_at_a_time(self) -> None:
        """The right answer after a time in which nobody else is served: so many requests per second, no more."""
        time.sleep(SERVICE_S)
        self.right()

    def traced(self) -> None:
        """The right answer; to a traced request also how long it would be without the trace, as if it were queries."""
        if TRACE in self.asked.lower():
            length = len(self.asked) - len(TRACE)
            self.transport.write(answer(headers=f"X-Query-Count: {length}\r\n"))
        else:
            self.right()

    def delayed(self) -> None:
        """The right answer after 50 ms."""
        asyncio.get_running_loop().call_later(0.05, self.transport.write, answer())

    def tenth_fails(self) -> None:
        """Every tenth answer is a 503 with a body that is no text."""
        self.transport.write(
            answer() if Planted.requests % 10 else answer(b"\xff", "503 Service Unavailable")
        )

    def wrong_body(self) -> None:
        """Status 200 and something else."""
        self.transport.write(answer(b"<html>welcome</html>"))

    def hangs(self) -> None:
        """No answer."""

    def drips(self) -> None:
        """A byte now and then, so that no single read takes long."""
        self.transport.write(answer()[:-9])
        for tenth in range(1, 9):
            asyncio.get_running_loop().call_later(tenth / 5, self.transport.write, b"x")

    def cut_short(self) -> None:
        """The connection ends amidst the answer."""
        self.transport.write(answer()[:-4])
        self.transport.close()

    def resets_tenth(self) -> None:
        """Every connection is reset instead of its tenth answer."""
        if self.mine == 10:
            self.transport.abort()
        else:
            self.right()

    def closes_after_tenth(self) -> None:
        """Every connection is closed after its tenth answer, unannounced."""
        self.right()
        if self.mine == 10:
            self.transport.close()

    def redirects(self) -> None:
        """To a page that would be right."""
        self.transport.write(answer(b"", "302 Found\r\nLocation: /api/ping/"))


BEHAVIOURS: dict[str, Callable[[Planted], None]] = {
    name: each
    for name, each in vars(Planted).items()
    if callable(each) and name.islower() and "__" not in name
}


async def main() -> None:
    """Serve on port 8000 until killed."""
    Planted.behaviour = sys.argv[1]
    server = await asyncio.get_running_loop().create_server(Planted, "127.0.0.1", 8000, backlog=128)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
