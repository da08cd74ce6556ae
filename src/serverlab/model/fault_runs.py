"""Runs that break things: what people write, what is planned, and what was found."""

from __future__ import annotations

import msgspec

from serverlab.model.base import FORMAT, Count, Format, Positive, Record, Seconds
from serverlab.model.faults import Cell, Happening, PlannedCell, Probing, Rule, Timeline
from serverlab.model.records import Environment
from serverlab.model.runs import Problem


class StopConditions(Record, frozen=True):
    """What protects the machine: a cell is broken off and its run ends once less is free.

    A run ends before the next cell once its time is spent.

    ``budget_s`` is of all cells of one call, None where it is not bounded.
    """

    free_disk_mib: Count = 2048
    available_memory_mib: Count = 512
    budget_s: Seconds | None = None


class FaultExperiment(Record, frozen=True):
    """A file in ``experiments/`` that breaks things: every fault on every target, ``repetitions`` times.

    ``faults`` are ids of faults, or beginnings of ids (``F-0``). A fault with a timeline of its own keeps it.
    ``replicas`` maps a target to how many containers of the app it has, where its budget alone would give it others; a
    fault that needs a number of its own has that.
    """

    format: Format
    title: str
    question: str
    faults: tuple[str, ...]
    targets: tuple[str, ...]
    timeline: Timeline
    repetitions: Positive = 1
    seed: int = 1
    cpus: Positive = 1
    replicas: dict[str, Positive] = msgspec.field(default_factory=dict)
    probing: Probing = Probing()
    stop: StopConditions = StopConditions()


class FaultFacts(Record, frozen=True):
    """A fault as it was when a run was planned: its rule is on the disk before anything is broken."""

    title: str
    what: str
    rule: Rule
    timeline: Timeline


class FaultPlan(Record, frozen=True):
    """``plan.json`` of a run that breaks things.

    ``skipped`` maps ``FAULT TARGET`` to the reason why the fault has no meaning there: these cells are ``n/a``.
    ``hashes`` are as those of ``Plan``.
    """

    name: str
    experiment: FaultExperiment
    faults: dict[str, FaultFacts]
    cells: tuple[PlannedCell, ...]
    skipped: dict[str, str] = msgspec.field(default_factory=dict)
    hashes: dict[str, str] = msgspec.field(default_factory=dict)
    format: int = FORMAT


class JournalEntry(Record, frozen=True):
    """One line of ``journal.jsonl``: what was done to a stack, on the disk before it was done.

    JOURNALLED comes before a fault is injected, INJECTED and REMOVED after; ``at`` is the wall clock's time, which is
    the only one that outlives the machine.
    """

    cell: str
    fault: str
    target: str
    what: Happening
    at: str
    label: str
    detail: str = ""
    format: int = FORMAT


class FaultRun(Record, frozen=True):
    """All that one execution of an experiment with faults left behind; ``name`` is ``EXPERIMENT/RUN``.

    ``cells`` holds at most one cell for each planned id, in the order in which they were found; what could not be read
    is in ``problems``.
    """

    name: str
    plan: FaultPlan
    environment: Environment
    cells: tuple[Cell, ...]
    problems: tuple[Problem, ...] = ()
