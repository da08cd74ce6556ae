"""Clients that hold connections and hurry nobody: they send, or read, next to nothing, and tell what became of each.

Run as ``python -m shared.slow`` beside a stack. What is told are lines on stdout with a running checksum: what was set,
how many connections there are four times a second, each connection when it has ended, and how many have. It ends by
itself, or on SIGTERM, and lets go of everything then. A connection is opened once: none takes the place of another.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import signal
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from shared.chain import Chain

FORMAT = 1
TELL_EVERY_S = 0.25
MOST_CONNECTIONS = 200
LONGEST_S = 120.0
"""Bounds that no setting lifts: a client that nobody stops is over by then."""

TINY_WINDOW_BYTES = 1024
BODY_BYTES = 4096
"""Announced by those that send a body; they would need hours for it."""

RANGES = 1000
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
STATUS_BYTES = len(b"HTTP/1.1 408 ")
RECEIVED_BYTES = 1 << 16


class SettingsError(ValueError):
    """A variable of the environment does not hold what it should."""


@dataclass(frozen=True)
class Settings:
    """What is held where, from ``LAB_SLOW_URL``, ``_PATH``, ``_KIND``, ``_CONNECTIONS`` and so on.

    ``per_s`` connections are opened a second. Every ``pace_s`` each sends, reads or asks once more, as its kind does.
    """

    url: str
    path: str
    kind: str
    connections: int
    per_s: float
    pace_s: float
    duration_s: float

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """The settings in the environment.

        Raises:
            SettingsError: one is absent, unknown or out of bounds; the message names it.
        """
        url = environment.get("LAB_SLOW_URL", "")
        if urlsplit(url).scheme != "http" or not urlsplit(url).hostname:
            raise SettingsError(f"LAB_SLOW_URL={url}: must be http://HOST:PORT")
        path, kind = environment.get("LAB_SLOW_PATH", ""), environment.get("LAB_SLOW_KIND", "")
        if not re.fullmatch(r"/[!-~]*", path):
            raise SettingsError(f"LAB_SLOW_PATH={path}: must be a path")
        if kind not in KINDS:
            raise SettingsError(f"LAB_SLOW_KIND={kind}: must be one of {', '.join(KINDS)}")
        return cls(
            url=url,
            path=path,
            kind=kind,
            connections=int(_number(environment, "LAB_SLOW_CONNECTIONS", least=1, most=MOST_CONNECTIONS)),
            per_s=_number(environment, "LAB_SLOW_PER_S", least=1, most=10_000),
            pace_s=_number(environment, "LAB_SLOW_PACE_S", least=0.01, most=LONGEST_S),
            duration_s=_number(environment, "LAB_SLOW_DURATION_S", least=0.01, most=LONGEST_S),
        )


def _number(environment: Mapping[str, str], name: str, *, least: float, most: float) -> float:
    text = environment.get(name, "")
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        raise SettingsError(f"{name}={text}: must be a number from {least:g} to {most:g}")
    return number


@dataclass
class Connection:
    """One connection and what is known of it; moments are of the machine's steady clock.

    ``how`` it ended: ``kept`` (it was held until the end and closed from here), ``waiting`` (until the end nobody took
    it), ``refused``, ``unreachable`` (no such host, or no way to it), ``eof`` or ``reset`` (the other side closed it).
    ``answers`` are the beginnings of answers in what came, ``status`` is that of the last one.
    """

    number: int
    begun_s: float
    established_s: float | None = None
    ended_s: float | None = None
    how: str = ""
    answers: int = 0
    status: int | None = None
    sent_bytes: int = 0
    received_bytes: int = 0
    _tail: bytes = b""

    def take(self, received: bytes) -> None:
        """Note what came."""
        self.received_bytes += len(received)
        text = self._tail + received
        for found in STATUS.finditer(text):
            self.answers, self.status = self.answers + 1, int(found[1])
        self._tail = text[1 - STATUS_BYTES :]

    @property
    def state(self) -> str:
        """``waiting``, ``held`` or ``ended``."""
        if self.how:
            return "ended"
        return "waiting" if self.established_s is None else "held"

    def row(self) -> dict[str, object]:
        """What is told of it."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


class Ended(Exception):
    """The other side has closed the connection."""


@dataclass(frozen=True)
class Line:
    """A connection that is there, and the words that are said on it."""

    settings: Settings
    sock: socket.socket
    known: Connection

    async def say(self, text: str) -> None:
        """Send this."""
        await asyncio.get_running_loop().sock_sendall(self.sock, text.encode("ascii"))
        self.known.sent_bytes += len(text)

    async def hear(self, *, at_most: int = RECEIVED_BYTES) -> None:
        """Take what comes next.

        Raises:
            Ended: nothing will.
        """
        received = await asyncio.get_running_loop().sock_recv(self.sock, at_most)
        if not received:
            raise Ended
        self.known.take(received)

    async def wait(self) -> None:
        """Let the pace go by, and take what comes meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.pace_s):
                while True:
                    await self.hear()

    def begun(self, method: str) -> str:
        """The first lines of a request."""
        host = urlsplit(self.settings.url).netloc
        return f"{method} {self.settings.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: serverlab\r\n"


async def slow_header(line: Line) -> None:
    """Begin a request, and send one more header at each pace; the head never ends."""
    await line.say(line.begun("GET"))
    for number in itertools.count():
        await line.wait()
        await line.say(f"X-{number}: {number}\r\n")


async def slow_body(line: Line) -> None:
    """Announce a body and send one blank of it at each pace."""
    form = f"Content-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
    await line.say(line.begun("POST") + form)
    while True:
        await line.wait()
        await line.say(" ")


async def idle(line: Line) -> None:
    """Say nothing at all."""
    while True:
        await line.wait()


async def slow_read(line: Line) -> None:
    """Ask, and read one byte of the answer at each pace."""
    await line.say(line.begun("GET") + "\r\n")
    while True:
        await line.hear(at_most=1)
        await asyncio.sleep(line.settings.pace_s)


async def keep_alive(line: Line) -> None:
    """Ask at each pace, so that the connection is never idle for long."""
    await line.say(line.begun("GET") + "\r\n")
    while True:
        await line.wait()
        await line.say(line.begun("GET") + "\r\n")


async def many_ranges(line: Line) -> None:
    """Ask at each pace for a thousand overlapping parts of a file."""
    parts = ",".join(f"0-{last}" for last in range(RANGES))
    asked = f"{line.begun('GET')}Range: bytes={parts}\r\n\r\n"
    await line.say(asked)
    while True:
        await line.wait()
        await line.say(asked)


KINDS: dict[str, Callable[[Line], Awaitable[None]]] = {
    "header": slow_header,
    "body": slow_body,
    "idle": idle,
    "read": slow_read,
    "keep": keep_alive,
    "ranges": many_ranges,
}
"""What a client does with its connections."""


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
    """
    parts = urlsplit(url)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            parts.hostname, parts.port or 80, family=socket.AF_INET, type=socket.SOCK_STREAM
        )
    except OSError as unknown:
        raise SettingsError(f"LAB_SLOW_URL={url}: {unknown}") from None
    host, port = found[0][4]
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
