"""All results below a folder that claims may be judged by."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from serverlab.errors import UsageError
from serverlab.model.claims import Holdings
from serverlab.model.runs import Problem
from serverlab.store.assaults import read_assault
from serverlab.store.fault_runs import read_fault_run
from serverlab.store.framing_runs import ANSWERS, HTTP, read_differential
from serverlab.store.layout import ASSAULTS, ATTACKS, FAULT_PLAN, PLAN
from serverlab.store.reading import read_run

T = TypeVar("T")


def read_holdings(results: Path, experiments: Collection[str], *, since: str = "") -> Holdings:
    """Runs of these experiments, and all attacks, runs with faults and odd requests below ``results``.

    Runs that were started before ``since`` (a time as environments state it) are left out. What cannot be read is in
    the ``problems``; definitions are left to the caller.
    """
    problems: list[Problem] = []

    def read(pattern: str, reader: Callable[[Path], T]) -> list[T]:
        found = []
        for file in sorted(results.glob(pattern)):
            try:
                found.append(reader(file.parent))
            except UsageError as wrong:
                name = file.parent.relative_to(results)
                problems.append(Problem(file=str(name), line=None, message=wrong.what))
        return found

    def recent(found: list[T]) -> tuple[T, ...]:
        return tuple(each for each in found if each.environment.started_at >= since)  # type: ignore[attr-defined]

    return Holdings(
        runs=recent([run for name in sorted(experiments) for run in read(f"{name}/*/{PLAN}", read_run)]),
        assaults=recent(read(f"{ASSAULTS}/*/{ATTACKS}", read_assault)),
        fault_runs=recent(read(f"*/*/{FAULT_PLAN}", read_fault_run)),
        differentials=recent(read(f"{HTTP}/*/{ANSWERS}", read_differential)),
        problems=tuple(problems),
    )
