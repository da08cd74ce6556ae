"""One cell: a fresh stack is probed, broken, mended and watched, and what the probing says of it is judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from serverlab import compose, probe, prober, seeding, stored
from serverlab.analysis.bounds import bounded
from serverlab.analysis.judging import course, judge
from serverlab.catalog import Catalog
from serverlab.catalog.stacks import stack_of
from serverlab.compose import Engine, StackSettings
from serverlab.errors import TrialFailed
from serverlab.faults.fault import Fault, NotEffective, NotUndone, Scene
from serverlab.ledger import Ledger
from serverlab.model.definitions import Target
from serverlab.model.fault_runs import FaultFacts
from serverlab.model.faults import (
    Cell,
    Event,
    Happening,
    Judgement,
    PlannedCell,
    Probing,
    StoredRow,
    Timeline,
    Verdict,
)
from serverlab.model.records import CoreSplit
from serverlab.runner import noise
from serverlab.runner.ending import leaving_nothing, telling_who_died
from serverlab.runner.noise import Work
from serverlab.runner.standing import refuse_unproven
from serverlab.runner.trial import expectation
from serverlab.shell import Shell

INJECTION_S = 300.0
"""What injecting and undoing a fault may take beside the timeline, so that the prober goes on for long enough.

The longest (F-12n) finds out a capacity, and then sends a load for up to 240 seconds.
"""

LOOK_EVERY_S = 1.0
LOG_LINES = 12
INTERRUPTED = "interrupted"
LAB_FAULTS = {"LAB_FAULTS": "on"}

Journal = Callable[[Happening, str], None]
"""Writes down what is being done to the stack, on the disk when it returns."""


@dataclass(frozen=True)
class Clock:
    """The machine's steady clock, and how time is spent; tests have it go faster."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Yard:
    """What a cell is made with.

    ``why_stop`` says what the machine runs short of, or None; it is asked all the time that is waited. ``work`` tells
    who is at work on the machine.
    """

    root: Path
    shell: Shell
    engine: Engine
    catalog: Catalog
    clock: Clock = field(default_factory=Clock)
    why_stop: Callable[[], str | None] = lambda: None
    work: Callable[[Engine], Work] = noise.read

    def wait_until(self, moment_s: float) -> None:
        """Return at that moment.

        Raises:
            TrialFailed: the machine runs short of something meanwhile.
        """
        while (left_s := moment_s - self.clock.now()) > 0:
            if why := self.why_stop():
                raise TrialFailed(f"stopped: {why}")
            self.clock.pause(min(left_s, LOOK_EVERY_S))


@dataclass
class Evidence:
    """What a cell has gathered so far; it is kept when the cell breaks off."""

    events: list[Event] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    ledger: Ledger | None = None
    rows: tuple[StoredRow, ...] | None = None
    void: str = ""
    unread: str = ""
    loud: list[str] = field(default_factory=list)
    log_tail: tuple[str, ...] = ()

    def happened(self, what: Happening, at_s: float, detail: str = "") -> None:
        """Keep a mark of the timeline."""
        self.events.append(Event(at_s=at_s, what=what, detail=detail))

    def heard(self, when: str, before: Work, after: Work) -> None:
        """Keep how many cores others were at work on between the two, and that they were too many."""
        if (cores := noise.others(before, after)) is not None:
            self.notes.append(f"{cores:.2f} cores were at other work {when} the fault")
        if why := noise.too_loud(when, before, after):
            self.loud.append(why)


@dataclass(frozen=True)
class Tried:
    """A cell with its ledger, None where there is none that is whole, and what interrupted it."""

    cell: Cell
    ledger: Ledger | None
    interruption: KeyboardInterrupt | None = None


def cell_settings(
    catalog: Catalog,
    target: Target,
    fault: Fault,
    *,
    cpus: int,
    split: CoreSplit,
    label: str,
    replicas: int | None = None,
) -> StackSettings:
    """The stack that the fault is injected into; each call makes new keys.

    ``replicas`` None leaves their number to the target; a fault that needs its own has that.
    """
    wanted = {"replicas": replicas, **fault.stack()}
    app = {**LAB_FAULTS, **wanted.pop("app", {})}
    return stack_of(catalog, target, cpus=cpus, split=split, label=label, app=app, **wanted)


def try_cell(
    yard: Yard,
    planned: PlannedCell,
    fault: Fault,
    facts: FaultFacts,
    settings: StackSettings,
    *,
    probing: Probing,
    journal: Journal,
) -> Tried:
    """Break a fresh stack once and return what came of it; no container is left behind.

    What goes wrong with the stack, the prober or the fault makes the cell VOID with the reason; it is no exception, and
    so does who interrupts it. What goes wrong with the machine is one.
    """
    interruption: KeyboardInterrupt | None = None
    evidence, began_s = Evidence(), yard.clock.now()
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    journalled: list[Happening] = []

    def write_down(what: Happening, detail: str) -> None:
        journal(what, detail)
        journalled.append(what)

    def end_journal() -> None:
        if journalled and journalled[-1] is not Happening.REMOVED:
            journal(Happening.REMOVED, "with its stack")

    try:
        with leaving_nothing(yard.engine, then=end_journal):
            with _void_says_why(evidence), telling_who_died(yard.engine):
                _gather(yard, fault, facts.timeline, settings, evidence, probing=probing, journal=write_down)
            judgement = _judged(evidence, facts, probing)
            if judgement.verdict is not Verdict.PASS:
                evidence.log_tail = _logged(yard.engine)
    except KeyboardInterrupt as stopped:
        interruption, judgement = stopped, Judgement(verdict=Verdict.VOID, reason=INTERRUPTED)
    cell = Cell(
        planned=planned,
        judgement=judgement,
        started_at=started_at,
        wall_s=yard.clock.now() - began_s,
        events=tuple(evidence.events),
        course=course(evidence.ledger.attempts, evidence.events) if evidence.ledger else (),
        measured=evidence.measured,
        notes=tuple(evidence.notes),
        log_tail=evidence.log_tail,
        ledger_sha256=evidence.ledger.sha256 if evidence.ledger else None,
        interrupted=interruption is not None,
    )
    return Tried(cell, evidence.ledger, interruption)


@contextmanager
def _void_says_why(evidence: Evidence) -> Iterator[None]:
    try:
        yield
    except NotEffective as broke:
        evidence.void = f"fault-not-effective: {broke.reason}"
    except NotUndone as broke:
        evidence.void = f"rollback-not-confirmed: {broke.reason}"
    except TrialFailed as broke:
        evidence.void = broke.reason


def _gather(
    yard: Yard,
    fault: Fault,
    timeline: Timeline,
    settings: StackSettings,
    evidence: Evidence,
    *,
    probing: Probing,
    journal: Journal,
) -> None:
    expected = expectation(yard.catalog, settings)
    compose.up(yard.shell, yard.engine, yard.root, settings)
    probe.wait_ready(yard.engine, settings)
    seeding.store_passwords(yard.engine, settings)
    refuse_unproven(yard.engine, expected)
    _refuse_entries(yard, settings)
    at_work = prober.start_prober(
        yard.shell,
        yard.engine,
        yard.root,
        settings,
        probing=probing,
        duration_s=_probed_s(timeline) + INJECTION_S,
    )
    began_s = at_work.opening.began_s
    evidence.happened(Happening.BEGAN, began_s)
    yard.wait_until(began_s + timeline.settle_s)
    settled = yard.work(yard.engine)
    yard.wait_until(began_s + timeline.settle_s + timeline.baseline_s)
    evidence.heard("before", settled, yard.work(yard.engine))
    scene = Scene(
        engine=yard.engine,
        shell=yard.shell,
        root=yard.root,
        expected=expected,
        hold_s=timeline.hold_s,
        note=evidence.notes.append,
        measure=evidence.measured.update,
        mark=lambda what: evidence.happened(what, yard.clock.now()),
    )
    with _void_says_why(evidence), telling_who_died(yard.engine):
        _break(yard, fault, scene, evidence, journal=journal)
        mended, began_s = yard.work(yard.engine), yard.clock.now()
        yard.wait_until(began_s + timeline.observe_s)
        evidence.heard("after", mended, yard.work(yard.engine))
    evidence.ledger = at_work.stop()
    evidence.happened(Happening.ENDED, yard.clock.now())
    try:
        evidence.rows = stored.stored_rows(yard.engine, settings, note=evidence.notes.append)
    except stored.Unreadable as broke:
        evidence.unread = f"the database could not be read: {broke.what}"


def _refuse_entries(yard: Yard, settings: StackSettings) -> None:
    """A stack that took over the volume of another one would show its entries as phantoms."""
    with suppress(stored.Unreadable):  # judged in the end, when it says what was lost
        if rows := stored.stored_rows(yard.engine, settings):
            raise TrialFailed(f"{len(rows)} entries are stored before any was written: its data is not fresh")


def _break(yard: Yard, fault: Fault, scene: Scene, evidence: Evidence, *, journal: Journal) -> None:
    """Inject the fault, hold it and undo it; each step is written down, the first one before it is done."""
    clock = yard.clock
    journal(Happening.JOURNALLED, "")
    evidence.happened(Happening.JOURNALLED, clock.now())
    with fault.inject(scene) as seen:
        injected_s = clock.now()
        evidence.happened(Happening.INJECTED, injected_s, seen)
        journal(Happening.INJECTED, seen)
        yard.wait_until(injected_s + scene.hold_s)
    if left := fault.left_behind(scene):
        raise NotUndone(left)
    evidence.happened(Happening.REMOVED, clock.now())
    journal(Happening.REMOVED, "")


def _probed_s(timeline: Timeline) -> float:
    return timeline.settle_s + timeline.baseline_s + timeline.hold_s + timeline.observe_s


def _judged(evidence: Evidence, facts: FaultFacts, probing: Probing) -> Judgement:
    """VOID for what went wrong while it was tried, unless the ledger shows a FAIL all the same: then both are said."""
    if evidence.ledger is None:
        return Judgement(verdict=Verdict.VOID, reason=evidence.void or "there is no ledger")
    found = judge(
        evidence.ledger.attempts,
        evidence.events,
        evidence.rows,
        rule=facts.rule,
        timeline=facts.timeline,
        probing=probing,
        void=[reason for reason in (evidence.void, *evidence.loud, evidence.unread) if reason],
    )
    return bounded(found, evidence.measured, facts.rule)


def _logged(engine: Engine) -> tuple[str, ...]:
    return tuple(
        f"{container.name}: {line}"
        for container in engine.containers()
        if container.labels.get(compose.SERVICE_LABEL) != prober.SERVICE
        for line in compose.log_lines(container, lines=LOG_LINES)
    )
