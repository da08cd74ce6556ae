"""What a flood of log-ins does to those who are signed in (row A5-10): each costs the server a hash of a password."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from serverlab.attacks import crowd
from serverlab.attacks.crowd import Try, a_name, an_address, attempt
from serverlab.attacks.stage import Attack, Outcome, Stage, leak_in, said
from serverlab.attacks.visitor import Visitor, judged, newcomer
from serverlab.model.records import Check
from serverlab.stats import median

BOOKS = "/api/books/"
READS_PER_S = 20
BEFORE_S = 1.0
LOG_INS_PER_S = 10
FLOOD_S = 1.5
LONGEST_S = 5.0
"""No reads are begun any more when the flood has not ended by then: a stack that drowns is not asked for ever."""

AT_ONCE = 32


@dataclass(frozen=True)
class Read:
    """One answer of the other route: ``due`` is the time of day at which it should have been asked for."""

    due: float
    status: int
    took_s: float
    leaked: str | None = None


def flood(stage: Stage) -> Outcome:
    """Ten log-ins a second, each by nobody from an address of its own, while somebody goes on reading.

    No limit is met, so that every one is hashed. Reads are begun at a steady rate, whatever becomes of earlier ones,
    and timed from when they were due: a server that keeps them waiting is not spared by being asked less often. They
    are some thirty, too few for a 99th percentile (see stats.samples_needed): median and slowest are told.
    """
    reader = newcomer(stage)
    quiet = _reads(reader, stop=_after(BEFORE_S))
    with _reading(reader) as reads:
        log_ins = crowd.attempts(stage, _log_ins(), at_once=AT_ONCE)
    return outcome_of(quiet, during(reads.result(), log_ins), log_ins)


def _log_ins() -> list[Try]:
    """A steady stream of attempts that no limit counts together."""
    count = round(LOG_INS_PER_S * FLOOD_S)
    return [
        attempt(a_name(), address=an_address(), after_s=number / LOG_INS_PER_S) for number in range(count)
    ]


def _after(seconds: float) -> threading.Event:
    """An event that comes so much later."""
    event = threading.Event()
    timer = threading.Timer(seconds, event.set)
    timer.daemon = True
    timer.start()
    return event


@contextmanager
def _reading(reader: Visitor) -> Iterator[Future[list[Read]]]:
    """Have somebody read while the block runs, and not longer than `LONGEST_S`; the result is there after it."""
    stop = _after(LONGEST_S)
    with ThreadPoolExecutor(1) as aside:
        reads = aside.submit(_reads, reader, stop=stop)
        try:
            yield reads
        finally:
            stop.set()


def _reads(reader: Visitor, *, stop: threading.Event) -> list[Read]:
    """Reads that are begun at a steady rate until told to stop, in their order."""
    headers = reader.credentials()
    began, clock = time.monotonic(), time.time()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun: list[Future[Read]] = []
        while not stop.wait(max(0.0, began + len(begun) / READS_PER_S - time.monotonic())):
            due_s = len(begun) / READS_PER_S
            begun.append(pool.submit(_read, reader.stage, headers, due=(began + due_s, clock + due_s)))
    return [each.result() for each in begun]


def _read(stage: Stage, headers: dict[str, str], *, due: tuple[float, float]) -> Read:
    answer = stage.ask("GET", BOOKS, headers=headers)
    return Read(due[1], answer.status, time.monotonic() - due[0], leak_in(answer))


def during(reads: Sequence[Read], log_ins: Sequence[Try]) -> list[Read]:
    """Those reads that were due while a log-in was being answered."""
    first = min(each["at"] - each["took_s"] for each in log_ins)
    last = max(each["at"] for each in log_ins)
    return [each for each in reads if first <= each.due <= last]


def outcome_of(quiet: Sequence[Read], flooded: Sequence[Read], log_ins: Sequence[Try]) -> Outcome:
    """PASS if every read was answered by 200, and every log-in was looked at; with how long the reads took."""
    if not quiet or not flooded:
        return judged([])
    looked_at = [each["status"] for each in log_ins].count(401)
    checks = [
        _all_read("reads before", quiet),
        _all_read("reads in the flood", flooded),
        Check(
            name="log-ins looked at", ok=looked_at == len(log_ins), detail=f"{looked_at} of {len(log_ins)}"
        ),
    ]
    before, within = ([each.took_s for each in reads] for reads in (quiet, flooded))
    measured = {
        "reads": len(within),
        "read_p50_s": median(before),
        "read_slowest_s": max(before),
        "flooded_read_p50_s": median(within),
        "flooded_read_slowest_s": max(within),
        "log_in_p50_s": median([each["took_s"] for each in log_ins]),
    }
    return judged(checks, seen=_shown(measured), measured=measured)


def _shown(measured: Mapping[str, float]) -> str:
    ms = {name: f"{value * 1000:.0f}" for name, value in measured.items()}
    return (
        f"p50 {ms['read_p50_s']} ms, {ms['flooded_read_p50_s']} in the flood; "
        f"slowest {ms['read_slowest_s']} ms, {ms['flooded_read_slowest_s']} in the flood"
    )


def _all_read(name: str, reads: Sequence[Read]) -> Check:
    wrong = [each for each in reads if each.status != 200 or each.leaked]
    shown = ", ".join(sorted({said(each.status) for each in wrong})) or "200"
    return Check(name=name, ok=not wrong, detail=f"{shown} for {len(wrong) or len(reads)} of {len(reads)}")


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "A5-10",
        f"{LOG_INS_PER_S} log-ins a second while others read",
        "reads go on, 200 each; how long they take is measured",
        flood,
        profile="guarded",
    ),
)
