"""Clients that hold connections and hurry nobody: they send, or read, next to nothing, and tell what became of each.

Run as ``python -m shared.slow`` beside a stack. What is told are lines on stdout with a running checksum: what was set,
how many connections there are four times a second, each connection when it has ended, and how many have. It ends by
itself, or on SIGTERM, and lets go of everything then. A connection is opened once: none takes the place of another.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from shared import bounds
from shared.chain import Chain
from shared.slow_clients import KINDS, TINY_WINDOW_BYTES, Connection, Ended, Line, Settings, SettingsError

FORMAT = 1
TELL_EVERY_S = 0.25


@dataclass
class Crowd:
    """All connections of this process."""

    settings: Settings
    chain: Chain
    clock: Callable[[], float]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    known: list[Connection] = field(default_factory=list)

    async def run(self) -> None:
        """Open the connections and hold them until the duration is over or ``stopping`` is set; then let go."""
        settings, began_s = self.settings, self.clock()
        told = {name: getattr(settings, name) for name in Settings.__dataclass_fields__}
        self.chain.add({"slow": FORMAT, "began_s": began_s, **told})
        address = await _address(settings.url)
        tasks = [asyncio.create_task(self._hold(number, address)) for number in range(settings.connections)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(began_s + settings.duration_s):
                await self._tell()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.chain.add({"rows": len(self.known), "ended_s": self.clock(), "stopped": self.stopping.is_set()})

    async def _tell(self) -> None:
        """Say four times a second how many connections there are, until told to stop."""
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TELL_EVERY_S):
                    await self.stopping.wait()
            states = Counter(each.state for each in self.known)
            counted = {name: states[name] for name in ("waiting", "held", "ended")}
            self.chain.add({"at_s": self.clock(), **counted})

    async def _hold(self, number: int, address: tuple[str, int]) -> None:
        await asyncio.sleep(number / self.settings.per_s)
        known = Connection(number, self.clock())
        self.known.append(known)
        try:
            known.how = await self._become(known, address)
        except asyncio.CancelledError:
            known.how = "waiting" if known.established_s is None else "kept"
        known.ended_s = self.clock()
        self.chain.add(known.row())

    async def _become(self, known: Connection, address: tuple[str, int]) -> str:
        """How the connection ended; only the other side can end it."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)  # noqa: FBT003 - the call has no name for it
            if self.settings.kind == "read":  # before it is connected: the window is agreed on then
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TINY_WINDOW_BYTES)
            try:
                await asyncio.get_running_loop().sock_connect(sock, address)
                known.established_s = self.clock()
                await KINDS[self.settings.kind](Line(self.settings, sock, known))
            except Ended:
                return "eof"
            except ConnectionRefusedError:
                return "refused"
            except OSError:  # what is sent to who has closed, or no host, or no way to it
                return "unreachable" if known.established_s is None else "reset"
        return "kept"


async def _address(url: str) -> tuple[str, int]:
    """Where the host is.

    Raises:
        SettingsError: nobody knows it.
        OutOfBounds: it is on no network of ours.
    """
    parts = urlsplit(url)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            parts.hostname, parts.port or 80, family=socket.AF_INET, type=socket.SOCK_STREAM
        )
    except OSError as unknown:
        raise SettingsError(f"LAB_SLOW_URL={url}: {unknown}") from None
    host, port = found[0][4]
    bounds.check_addresses(parts.hostname or "", [str(host)])
    return str(host), int(port)


async def hold(settings: Settings, write: Callable[[str], object]) -> None:
    """Hold connections as the settings say, and hand each line of what is told to ``write``."""
    loop = asyncio.get_running_loop()
    crowd = Crowd(settings, Chain(write), loop.time)
    loop.add_signal_handler(signal.SIGTERM, crowd.stopping.set)
    await crowd.run()


def _print(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(hold(Settings.read(os.environ), _print))
    except SettingsError as wrong:
        sys.exit(f"slow: {wrong}")
    except bounds.OutOfBounds as refused:
        sys.stderr.write(f"slow: {refused}\n")
        sys.exit(bounds.EXIT_REFUSED)
