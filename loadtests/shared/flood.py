"""Sends more requests than anybody can answer, or as many as are answered, and counts what becomes of them.

Run as ``python -m shared.flood`` beside a stack. With a rate, a request is due again and again whatever became of those
before it, each on a connection of its own, as by people who do not know of each other; nobody is patient for longer
than ``timeout_s``. Without one, ``users`` ask again as soon as they are answered: that is what the stack can do. Who is
not answered sends the same again, as often and as soon as is set. Lines on stdout say what is counted, twice a second
and at the end. It ends by itself, or on SIGTERM, and lets go of every connection then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from shared import sender
from shared.chain import Chain
from shared.exchange import Exchange
from shared.retries import Retries
from shared.sender import SettingsError

FORMAT = 2
TELL_EVERY_S = 0.5
LONGEST_S = 240.0
MOST_OPEN = 2000
"""Requests at once. What is due beyond them is not sent, and counted as due: no setting lifts this bound."""

MOST_RETRIES = 5
UNAVAILABLE = 503


@dataclass(frozen=True)
class Settings:
    """What is sent where, from ``LAB_FLOOD_URL``, ``_PATH``, ``_BODY`` and so on.

    ``per_s`` requests are due each second; where it is 0, ``users`` ask in turn. A ``body`` is JSON, sent by POST. What
    was not answered is sent again as Retries says; ``retry_budget`` is None where its variable is empty.
    """

    url: str
    path: str
    body: str
    per_s: float
    users: int
    timeout_s: float
    duration_s: float
    retries: int
    backoff_s: float
    retry_budget: float | None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """The settings in the environment.

        Raises:
            SettingsError: one is absent or out of bounds; the message names it.
        """
        url, path = environment.get("LAB_FLOOD_URL", ""), environment.get("LAB_FLOOD_PATH", "")
        if urlsplit(url).scheme != "http" or not urlsplit(url).hostname:
            raise SettingsError(f"LAB_FLOOD_URL={url}: must be http://HOST:PORT")
        if not re.fullmatch(r"/[!-~]*", path):
            raise SettingsError(f"LAB_FLOOD_PATH={path}: must be a path")
        bounded = bool(environment.get("LAB_FLOOD_RETRY_BUDGET"))
        return cls(
            url=url,
            path=path,
            body=environment.get("LAB_FLOOD_BODY", ""),
            per_s=_number(environment, "LAB_FLOOD_PER_S", least=0, most=20_000),
            users=int(_number(environment, "LAB_FLOOD_USERS", least=1, most=MOST_OPEN)),
            timeout_s=_number(environment, "LAB_FLOOD_TIMEOUT_S", least=0.01, most=LONGEST_S),
            duration_s=_number(environment, "LAB_FLOOD_DURATION_S", least=0.01, most=LONGEST_S),
            retries=int(_number(environment, "LAB_FLOOD_RETRIES", least=0, most=MOST_RETRIES)),
            backoff_s=_number(environment, "LAB_FLOOD_BACKOFF_S", least=0, most=LONGEST_S),
            retry_budget=_number(environment, "LAB_FLOOD_RETRY_BUDGET", least=0, most=1) if bounded else None,
        )

    @property
    def request(self) -> bytes:
        """What each connection says."""
        head = f"Host: {urlsplit(self.url).netloc}\r\nUser-Agent: serverlab\r\nConnection: close\r\n"
        if not self.body:
            return f"GET {self.path} HTTP/1.1\r\n{head}\r\n".encode()
        form = f"Content-Type: application/json\r\nContent-Length: {len(self.body.encode())}\r\n"
        return f"POST {self.path} HTTP/1.1\r\n{head}{form}\r\n{self.body}".encode()


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
class Counts:
    """What became of the requests so far.

    ``due`` by the schedule; ``begun`` are those that were sent at all, ``ok`` those that were answered with 200 in time
    and whole, be it when they were sent again, ``failed`` those that were given up; what is let go of at the end is
    neither. ``refused`` found MOST_OPEN of them open, those that wait before a retry included. ``retried`` counts what
    was sent again, ``taken`` whatever was handed over, ``unavailable`` answers of 503.
    """

    due: int = 0
    begun: int = 0
    taken: int = 0
    ok: int = 0
    refused: int = 0
    most_open: int = 0
    failed: int = 0
    retried: int = 0
    unavailable: int = 0


@dataclass
class Flood:
    """All requests of this process."""

    settings: Settings
    address: tuple[str, int]
    chain: Chain
    clock: Callable[[], float]
    most_open: int = MOST_OPEN
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    counts: Counts = field(default_factory=Counts)
    _open: set[asyncio.Task[None]] = field(default_factory=set)
    _retries: Retries = field(init=False)

    def __post_init__(self) -> None:
        """Have the whole budget for retries."""
        chosen = self.settings
        self._retries = Retries(chosen.retries, chosen.backoff_s, chosen.retry_budget)

    async def run(self) -> None:
        """Send until the duration is over or ``stopping`` is set; then let go of all that is open."""
        settings, began_s = self.settings, self.clock()
        self.chain.add({"flood": FORMAT, "began_s": began_s, **asdict(settings)})
        work = asyncio.create_task(self._send(began_s) if settings.per_s else self._ask_in_turn())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(began_s + settings.duration_s):
                await self._tell()
        ended_s, stopped = self.clock(), self.stopping.is_set()
        counted = asdict(self.counts)
        for task in (work, *self._open):
            task.cancel()
        await asyncio.gather(work, *self._open, return_exceptions=True)
        self.chain.add({"ended_s": ended_s, "stopped": stopped, **counted})

    async def _tell(self) -> None:
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TELL_EVERY_S):
                    await self.stopping.wait()
            self.chain.add({"at_s": self.clock(), **asdict(self.counts)})

    async def _send(self, began_s: float) -> None:
        """Begin a connection for each request that is due, all at once where several have become so."""
        while True:
            self.counts.due = int((self.clock() - began_s) * self.settings.per_s) + 1
            for _ in range(self.counts.due - self.counts.begun - self.counts.refused):
                if len(self._open) >= self.most_open:
                    self.counts.refused += 1
                else:
                    self._begin()
            await asyncio.sleep(max(0.0, began_s + self.counts.due / self.settings.per_s - self.clock()))

    async def _ask_in_turn(self) -> None:
        async def user() -> None:
            while True:
                self.counts.due += 1
                await self._begin()

        await asyncio.gather(*(user() for _ in range(self.settings.users)))

    def _begin(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self._ask())
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        self.counts.begun += 1
        self.counts.most_open = max(self.counts.most_open, len(self._open))
        return task

    async def _ask(self) -> None:
        """Send a request until it is answered or may not be sent again."""
        self._retries.request_begun()
        made = 0
        while not await self._is_answered():
            if not self._retries.take(made):
                self.counts.failed += 1
                return
            await asyncio.sleep(self._retries.pause_s(made))
            made += 1
            self.counts.retried += 1

    async def _is_answered(self) -> bool:
        """Whether it is answered as it should be when it is sent once."""
        exchange = Exchange(self.clock)
        await exchange.perform(self.address, self.settings.request, timeout_s=self.settings.timeout_s)
        right = exchange.status == 200 and not exchange.cause
        self.counts.taken += exchange.handed_over
        self.counts.ok += right
        self.counts.unavailable += exchange.status == UNAVAILABLE
        return right


async def flood(settings: Settings, write: sender.Write) -> None:
    """Send as the settings say, and hand each line of what is counted to ``write``.

    Raises:
        SettingsError: nobody knows the host.
        OutOfBounds: it is on no network of ours.
    """
    loop = asyncio.get_running_loop()
    address = sender.address_of(settings.url)
    if address is None:
        raise SettingsError(f"LAB_FLOOD_URL={settings.url}: nobody knows this host")
    crowd = Flood(settings, address, Chain(write), loop.time)
    loop.add_signal_handler(signal.SIGTERM, crowd.stopping.set)
    await crowd.run()


if __name__ == "__main__":
    sender.run("flood", lambda write: flood(Settings.read(os.environ), write))
