"""What slow clients do with a connection, by kinds, and what is known of each connection."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

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
