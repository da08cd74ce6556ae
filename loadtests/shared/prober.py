"""Reads and writes the app's ledger at a constant rate, whatever becomes of it, and writes down each attempt.

Run as ``python -m shared.prober`` beside a stack. Every attempt is sent when it is due, on a connection of its own, and
becomes a line on stdout when it has ended; the last line says how many there were. SIGTERM ends the sending early.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import json
import os
import random
import signal
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shared import bounds, sender
from shared.chain import Chain
from shared.exchange import Exchange
from shared.sender import SettingsError

FORMAT = 1
RECENT = 50
RESOLVE_EVERY_S = 0.5
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
UNDECIDED = (408, 499)
"""Of the answers of 4xx those that a server also gives after it has handed a request on."""


@dataclass(frozen=True)
class Settings:
    """What a prober sends where, from ``LAB_PROBE_URL``, ``_READS_PER_S``, ``_WRITES_PER_S`` and so on."""

    url: str
    reads_per_s: float
    writes_per_s: float
    timeout_s: float
    duration_s: float
    guarded: bool

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """The settings in the environment.

        Raises:
            SettingsError: one is absent, no number or not above 0; the message names it.
        """
        given = {}
        for name in ("reads_per_s", "writes_per_s", "timeout_s", "duration_s"):
            given[name] = _positive(environment, f"LAB_PROBE_{name.upper()}")
        url = environment.get("LAB_PROBE_URL", "")
        if urlsplit(url).scheme != "http" or not urlsplit(url).hostname:
            raise SettingsError(f"LAB_PROBE_URL={url}: must be http://HOST:PORT")
        return cls(url=url, guarded=environment.get("LAB_PROBE_GUARDED", "on") != "off", **given)


def _positive(environment: Mapping[str, str], name: str) -> float:
    text = environment.get(name, "")
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise SettingsError(f"{name}={text}: must be a number above 0")
    return number


def schedule(settings: Settings) -> Iterator[tuple[float, str]]:
    """When which kind is due, in seconds from the beginning; a write is never due at the moment of a read."""
    reads = ((number / settings.reads_per_s, "read") for number in itertools.count())
    writes = (
        (number / settings.writes_per_s + 0.5 / settings.reads_per_s, "write") for number in itertools.count()
    )
    return itertools.takewhile(lambda due: due[0] < settings.duration_s, heapq.merge(reads, writes))


def judged(kind: str, key: str, exchange: Exchange) -> tuple[str, str]:
    """Outcome and cause: ``ok`` is done, ``fail`` certainly is not, of ``info`` only the database knows."""
    if exchange.cause:
        return ("info" if exchange.handed_over else "fail"), exchange.cause
    told = _json(bytes(exchange.body))
    return (
        _judged_read(key, exchange.status, told)
        if kind == "read"
        else _judged_write(key, exchange.status, told)
    )


def _judged_write(key: str, status: int | None, told: Mapping[str, Any]) -> tuple[str, str]:
    if status in (200, 201):
        return ("ok", "") if told.get("key") == key else ("info", "body")
    refused = status is not None and 400 <= status < 500 and status not in UNDECIDED
    return ("fail" if refused else "info"), "status"


def _judged_read(key: str, status: int | None, told: Mapping[str, Any]) -> tuple[str, str]:
    if status == 200:
        right = told.get("key") == key if key else "newest" in told
        return ("ok", "") if right else ("fail", "body")
    missing = key and status == 404 and told.get("detail") == "No such entry."
    return "fail", "missing" if missing else "status"


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


class Address:
    """Where a host is at the moment. A thread asks again and again, so that no attempt waits for a name server.

    A container that is started again may have another address; while a name is unknown, or belongs to somebody who is
    not on a network of ours, the last one is kept.
    """

    def __init__(self, url: str, *, lookup: bounds.Lookup | None = None) -> None:
        """Know nothing yet."""
        self._url, self._lookup = url, lookup
        self.current: tuple[str, int] | None = None

    def ask(self) -> None:
        """Look the name up once.

        Raises:
            OutOfBounds: it is on no network of ours.
        """
        self.current = sender.address_of(self._url, lookup=self._lookup) or self.current

    def keep_asking(self) -> None:
        """Look it up for as long as this process lives."""
        while True:
            time.sleep(RESOLVE_EVERY_S)
            with contextlib.suppress(bounds.OutOfBounds):
                self.ask()


class Prober:
    """Sends what is due and writes down what came of it."""

    def __init__(
        self, settings: Settings, address: Address, chain: Chain, clock: Callable[[], float]
    ) -> None:
        """A prober that has sent nothing; ``clock`` is that of the event loop."""
        self.settings = settings
        self.address = address
        self.chain = chain
        self.clock = clock
        self.stopping = asyncio.Event()
        self.recent: deque[str] = deque(maxlen=RECENT)
        self.rows = 0

    async def run(self) -> None:
        """Probe from now on until the duration is over or ``stopping`` is set, and until all attempts have ended."""
        began_s = self.clock()
        self._open(began_s)
        async with asyncio.TaskGroup() as attempts:
            for number, (after_s, kind) in enumerate(schedule(self.settings)):
                if await self._is_stopped_before(began_s + after_s):
                    break
                attempts.create_task(self._attempt(number, kind, began_s + after_s))
        self.chain.add({"rows": self.rows, "ended_s": self.clock()})

    def _open(self, began_s: float) -> None:
        told = {name: getattr(self.settings, name) for name in Settings.__dataclass_fields__}
        boot_id = BOOT_ID.read_text(encoding="ascii").strip()
        self.chain.add({"ledger": FORMAT, "began_s": began_s, "boot_id": boot_id, **told})

    async def _is_stopped_before(self, due_s: float) -> bool:
        try:
            async with asyncio.timeout_at(due_s):
                await self.stopping.wait()
        except TimeoutError:
            return False
        return True

    async def _attempt(self, number: int, kind: str, due_s: float) -> None:
        key = self._key_for(kind)
        exchange = Exchange(self.clock)
        if self.address.current is None:
            exchange.sent_s, exchange.cause = self.clock(), "unreachable"
        else:
            await exchange.perform(
                self.address.current, self._request(kind, key), timeout_s=self.settings.timeout_s
            )
        ended_s = self.clock()
        outcome, cause = judged(kind, key, exchange)
        if (kind, outcome) == ("write", "ok"):
            self.recent.append(key)
        self.rows += 1
        self.chain.add(
            {
                "number": number,
                "kind": kind,
                "key": key,
                "due_s": due_s,
                "sent_s": exchange.sent_s,
                "first_byte_s": exchange.first_byte_s,
                "ended_s": ended_s,
                "outcome": outcome,
                "status": exchange.status,
                "cause": cause,
            }
        )

    def _key_for(self, kind: str) -> str:
        if kind == "write":
            return str(uuid.uuid4())
        return random.choice(self.recent) if self.recent else ""

    def _request(self, kind: str, key: str) -> bytes:
        head = f"Host: {urlsplit(self.settings.url).netloc}\r\nUser-Agent: serverlab\r\nConnection: close\r\n"
        if kind == "read":
            return f"GET /lab/ledger/{key} HTTP/1.1\r\n{head}\r\n".encode()
        body = json.dumps({"key": key})
        guard = "" if self.settings.guarded else "?key=off"
        form = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"POST /lab/ledger/{guard} HTTP/1.1\r\n{head}{form}\r\n{body}".encode()


async def probe(settings: Settings, write: sender.Write) -> None:
    """Probe as the settings say, and hand each line of the ledger to ``write``.

    Raises:
        OutOfBounds: the host is on no network of ours.
    """
    loop = asyncio.get_running_loop()
    address = Address(settings.url)
    address.ask()
    threading.Thread(target=address.keep_asking, daemon=True).start()
    prober = Prober(settings, address, Chain(write), loop.time)
    loop.add_signal_handler(signal.SIGTERM, prober.stopping.set)
    await prober.run()


if __name__ == "__main__":
    sender.run("prober", lambda write: probe(Settings.read(os.environ), write))
