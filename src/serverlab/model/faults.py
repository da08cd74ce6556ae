"""Experiments that break something: what is written down while it happens, and what it comes to."""

from __future__ import annotations

import enum

import msgspec

from serverlab.model.base import FORMAT, Count, Positive, Record, Seconds


class Kind(enum.Enum):
    """What an attempt asked for."""

    READ = "read"
    WRITE = "write"


class Outcome(enum.Enum):
    """Whether what was asked for is done: OK it is, FAIL it certainly is not, INFO nobody but the database knows."""

    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class Attempt(Record, frozen=True):
    """One row of a ledger: one attempted request of a prober. Times are seconds of the machine's steady clock.

    ``key`` is the UUID that a write was made under, or that a read asked for: one whose write had been acknowledged
    before the read was sent. ``due_s`` is when the schedule wanted it sent, whatever the answers before it did.
    ``sent_s`` is when its connection was begun, None if it never was. ``cause`` is "" where an answer came that was
    right; else ``refused``, ``unreachable`` (no such host, or no way to it), ``reset``, ``timeout``, ``eof`` (the
    connection was closed before the answer was whole), ``status`` or ``body`` (the answer was another one), ``missing``
    (a read did not find what had been acknowledged).
    """

    number: int
    kind: Kind
    key: str
    due_s: float
    sent_s: float | None
    first_byte_s: float | None
    ended_s: float
    outcome: Outcome
    status: int | None = None
    cause: str = ""


class Happening(enum.Enum):
    """What the lab did, or saw, at a moment."""

    BEGAN = "began"
    JOURNALLED = "journalled"
    INJECTED = "injected"
    REMOVED = "removed"
    ENDED = "ended"
    SEEN = "seen"
    ACTED = "acted"
    LIFTED = "lifted"


class Event(Record, frozen=True):
    """Something that happened at ``at_s`` of the machine's steady clock.

    ACTED stands for the moment at which the fault's act was begun, INJECTED for that at which its effect had been
    confirmed. LIFTED is the moment at which its cause was gone (a container told to start, a way opened, a process
    thawed; for what ends by itself, as a kill does, the moment after the act), whatever the stack made of it; the last
    one counts. REMOVED is when the undo had been confirmed. ``detail`` says what was seen.
    """

    at_s: float
    what: Happening
    detail: str = ""


class StoredRow(Record, frozen=True):
    """What the database itself holds under a key: ``copies`` rows, ``children`` rows that belong to them.

    A write makes one row with two children in one transaction.
    """

    key: str
    copies: Count
    children: Count


class Timeline(Record, frozen=True):
    """How long a cell is probed: before anything is counted, before the fault, under it, and after it was undone.

    A fault that ends by itself (a process that is killed) is held for ``hold_s`` all the same.
    """

    settle_s: Seconds
    baseline_s: Seconds
    hold_s: Seconds
    observe_s: Seconds


class Probing(Record, frozen=True):
    """What a prober sends: reads and writes per second, each on a connection of its own, and its patience.

    ``guarded``: the app is to keep one row of a write, however often it is sent; else there may be as many as arrive.
    """

    reads_per_s: float = 20.0
    writes_per_s: float = 10.0
    timeout_s: Seconds = 5.0
    guarded: bool = True


class Rule(Record, frozen=True):
    """What a stack has to do to pass, written down before it is tried; nothing lost or torn goes without saying.

    ``recovers``: it is well again (docs/failures.md) within the observation. ``failures_at_most``: attempts that were
    not OK, from the injection to the end. ``longest_gap_s``: without any success. ``goodput_at_least``: successes per
    second under the fault as a share of those before. None is not asked. ``measured_at_most`` bounds what the fault
    itself measures, by its name (``in_flight_lost``); ``said`` has the words for one that is broken, where its number
    says too little. ``must_lose`` makes it a control of the instrument, and none of a
    server's: it passes where acknowledged writes are lost, and shows nothing where none is.
    """

    recovers: bool = True
    failures_at_most: int | None = None
    longest_gap_s: float | None = None
    goodput_at_least: float | None = None
    measured_at_most: dict[str, float] = msgspec.field(default_factory=dict)
    said: dict[str, str] = msgspec.field(default_factory=dict)
    must_lose: bool = False


class Verdict(enum.Enum):
    """What came of a cell; VOID and too little evidence are UNKNOWN once repetitions are merged."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    VOID = "void"
    UNKNOWN = "unknown"
    NA = "n/a"


class Toll(Record, frozen=True):
    """What a fault cost, counted from the ledger, the events and the database; None where it could not be known.

    ``lost`` were acknowledged and are absent, ``phantom`` are present and were never attempted or had certainly failed,
    ``duplicate`` are there more than once, ``torn`` without their children, ``stale`` are reads that missed what had
    been acknowledged before they were sent. ``recovered`` are unknown to the client and present.
    ``failed_by`` counts attempts that were not OK by phase, kind, outcome and cause (``fault/write/info/reset``); the
    phase is ``unknown`` where it is not known when the fault was. ``observed_s`` is for how long it was looked at after
    the cause was lifted: what is not well again in less than the ten seconds was not seen not to recover.
    Seconds: ``longest_gap_s`` between two successes; ``to_detect_s`` from the fault's act to the first failure,
    ``to_success_s`` from the moment its cause was lifted to the first success, ``to_recovery_s`` from it to the
    beginning of ten seconds that are as the baseline was. ``goodput_kept`` is the successes per second under the fault
    as a share of those before: from the act until the cause is lifted, or until the time is over that the fault is held
    (Timeline) where that is later, as it is for what ends by itself.
    """

    attempts: Count
    ok: Count
    lost: Count
    phantom: Count
    duplicate: Count
    torn: Count
    stale: Count
    recovered: Count
    failed_by: dict[str, int] = msgspec.field(default_factory=dict)
    longest_gap_s: float | None = None
    to_detect_s: float | None = None
    to_success_s: float | None = None
    to_recovery_s: float | None = None
    goodput_kept: float | None = None
    baseline_p99_ms: float | None = None
    observed_s: float | None = None


class Judgement(Record, frozen=True):
    """A verdict with its reason ("" where it passed) and what it was judged by."""

    verdict: Verdict
    reason: str
    toll: Toll | None = None


class PlannedCell(Record, frozen=True):
    """One fault on one target, once: ``id`` names its files."""

    id: str
    fault: str
    target: str
    repetition: Positive


class Instant(Record, frozen=True):
    """One second of a cell, for its picture: ``at_s`` counts from the fault's act; latencies in milliseconds."""

    at_s: int
    ok: Count
    failed: Count
    p50_ms: float | None
    p99_ms: float | None


class Cell(Record, frozen=True):
    """One line of ``cells.jsonl``: a cell as it was found.

    ``measured`` holds what the fault itself saw, with units in the names (``exit_code``, ``stopped_after_s``).
    ``ledger_sha256`` is that of the ledger's file in ``raw/``. One that was ``interrupted`` is VOID, and is tried again
    when its run is gone on with; the line of that takes its place.
    """

    planned: PlannedCell
    judgement: Judgement
    started_at: str
    wall_s: float
    events: tuple[Event, ...] = ()
    course: tuple[Instant, ...] = ()
    measured: dict[str, float] = msgspec.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    log_tail: tuple[str, ...] = ()
    ledger_sha256: str | None = None
    interrupted: bool = False
    format: int = FORMAT
