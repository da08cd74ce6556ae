"""Small records of runs that break things, for tests: what a test does not name has a plain value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from serverlab.model.fault_runs import FaultExperiment, FaultFacts, FaultPlan, FaultRun
from serverlab.model.faults import (
    Cell,
    Event,
    Happening,
    Instant,
    Judgement,
    PlannedCell,
    Rule,
    Timeline,
    Toll,
    Verdict,
)
from tests.unit.builders import GTHREAD, RUNSERVER, an_environment

KILLED = "F-01"
TIMELINE = Timeline(settle_s=1.0, baseline_s=3.0, hold_s=2.0, observe_s=12.0)


def a_toll(**changes: Any) -> Toll:
    """540 attempts, of which 10 writes failed under the fault and 2 of these were done all the same."""
    plain: dict[str, Any] = {
        "attempts": 540,
        "ok": 530,
        "lost": 0,
        "phantom": 0,
        "duplicate": 0,
        "torn": 0,
        "stale": 0,
        "recovered": 2,
        "failed_by": {
            "baseline/read/info/reset": 3,
            "fault/write/info/reset": 6,
            "after/write/info/reset": 4,
        },
        "longest_gap_s": 0.5,
        "to_detect_s": 0.1,
        "to_success_s": 0.2,
        "to_recovery_s": 1.0,
        "observed_s": 12.0,
        "goodput_kept": 0.9,
        "baseline_p99_ms": 8.0,
    }
    return Toll(**plain | changes)


def a_cell(
    repetition: int = 1,
    *,
    target: str = GTHREAD,
    verdict: Verdict = Verdict.PASS,
    reason: str = "",
    toll: Toll | None = None,
    **changes: Any,
) -> Cell:
    """A worker was killed, and the fault held for two seconds, in which one had no success."""
    plain: dict[str, Any] = {
        "planned": PlannedCell(
            id=f"r{repetition:02}-{KILLED}-{target}", fault=KILLED, target=target, repetition=repetition
        ),
        "judgement": Judgement(verdict=verdict, reason=reason, toll=toll or a_toll()),
        "started_at": "2026-11-22T15:00:00+00:00",
        "wall_s": 20.0,
        "events": (Event(at_s=10.0, what=Happening.INJECTED), Event(at_s=12.0, what=Happening.REMOVED)),
        "course": (
            an_instant(-3, ok=7),
            an_instant(-2),
            an_instant(-1, p99_ms=9.0),
            an_instant(0, ok=0, failed=30, p50_ms=None, p99_ms=None),
            an_instant(1, ok=20, failed=10, p50_ms=40.0, p99_ms=300.0),
            an_instant(2),
            an_instant(3, ok=12),
        ),
    }
    return Cell(**plain | changes)


def an_instant(at_s: int, **changes: Any) -> Instant:
    """A second in which all is well."""
    plain: dict[str, Any] = {"at_s": at_s, "ok": 30, "failed": 0, "p50_ms": 4.0, "p99_ms": 8.0}
    return Instant(**plain | changes)


def a_fault_run(cells: Iterable[Cell], **changes: Any) -> FaultRun:
    """Workers of Gunicorn and runserver are killed, twice each; the plan has what the cells have not."""
    found = tuple(cells)
    targets = (GTHREAD, RUNSERVER)
    experiment = FaultExperiment(
        format=1,
        title="Faults",
        question="What is lost?",
        faults=(KILLED,),
        targets=targets,
        timeline=TIMELINE,
        repetitions=2,
        seed=7,
    )
    facts = FaultFacts(
        title="worker killed",
        what="The process that answers gets SIGKILL.",
        rule=Rule(longest_gap_s=5.0),
        timeline=TIMELINE,
    )
    plain: dict[str, Any] = {
        "name": "faults",
        "experiment": experiment,
        "faults": {KILLED: facts},
        "cells": tuple(
            PlannedCell(id=f"r{number:02}-{KILLED}-{target}", fault=KILLED, target=target, repetition=number)
            for number in (1, 2)
            for target in targets
        ),
    }
    return FaultRun(
        name="faults/20261122-150000",
        plan=FaultPlan(**plain | changes),
        environment=an_environment(),
        cells=found,
    )
