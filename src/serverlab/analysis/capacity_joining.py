"""Several searches of one target in one row: which of them counts, what is doubtful, and whether runs are alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import geometric_mean

import msgspec

from serverlab.analysis.capacity import search_of
from serverlab.analysis.likeness import (
    Statement,
    compared,
    differing,
    other_versions,
    refuse_differing,
    said,
    unlike,
)
from serverlab.errors import UsageError
from serverlab.formatting import per_second, plural, significant
from serverlab.model.capacity import Outcome, Search
from serverlab.model.capacity_tables import CapacityRow, CapacityTable, FurtherRun, SearchIn
from serverlab.model.runs import Run
from serverlab.model.tables import Fact

UNSTEADY = 1.25
"""So many times the CPU of another trial for the same request: the machine was another one, or the server was."""

STEPS = 3
"""Two searches of one target may be so many steps of the resolution apart: chance on the edge makes one or two."""

ORDER = (Outcome.FOUND, Outcome.AT_LEAST, Outcome.LESS_THAN, Outcome.UNKNOWN)


def joined(rows: Sequence[CapacityRow], *, resolution: float) -> CapacityRow:
    """One row of those that the runs, the oldest first, have of one target, with all that is doubtful still."""
    tried = [row for row in rows if row.trials] or rows[-1:]
    searches = _doubted([row.searches[0] for row in tried])
    shown = [row for row, each in zip(tried, searches, strict=True) if each.counts] or tried
    return msgspec.structs.replace(
        shown[-1], searches=searches, remarks=(*shown[-1].remarks, *_doubts(searches, resolution))
    )


def place(row: CapacityRow) -> tuple[bool, int, float]:
    """What rows are sorted by: those first that are ranked, and of these the one that carries most.

    A rate that is only known to be carried ranks where no search found a capacity. The others follow by what their
    search came to.
    """
    counting = [each.found for each in row.searches if each.counts and each.found.rate]
    found = [each for each in counting if each.outcome is Outcome.FOUND] or counting
    rates = [each.rate for each in found if each.rate]
    if rates:
        return False, 0, -geometric_mean(rates)
    return True, ORDER.index(row.found.outcome), -(row.found.rate or 0)


def refuse_other_searches(runs: Sequence[Run]) -> None:
    """Raise UsageError where a run is there twice, or where they did not search for the same in the same way."""
    if twice := [name for name, count in Counter(run.name for run in runs).items() if count > 1]:
        raise UsageError(f"{', '.join(twice)}: the same run twice", "Name each run once.")
    base, *others = runs
    for run in others:
        found = compared(_asked(base), _asked(run))
        refuse_differing(
            base.name, run.name, found, hint="Searches for something else have a table of their own."
        )


def further(base: Run, run: Run, *, facts: Sequence[Fact], own: Sequence[Fact]) -> FurtherRun:
    """What is to be known of a later ``run`` beside the first, which has ``facts`` while this has its ``own``."""
    first, second = _as_asked(base), _as_asked(run)
    wrong = (*unlike(first, second), *other_versions(first, second))
    return FurtherRun(
        run=run.name,
        facts=tuple(fact for fact in own if fact not in facts),
        unlike=wrong,
        differing=tuple(each for each in differing(first, second) if each not in wrong),
    )


def refuse_unlike(table: CapacityTable) -> None:
    """Raise UsageError where a further run of the table was not made like the first."""
    for each in table.further:
        refuse_differing(
            table.run,
            each.run,
            each.unlike,
            hint="Search both alike; with --unlike, in the docs unlike=yes, they stand in one table all the same, "
            "which says so.",
        )


def _doubted(searches: Sequence[SearchIn]) -> tuple[SearchIn, ...]:
    """The searches, with those marked in which an answer cost more than it needs to, as this or another one shows."""
    least_ms = min((each.cpu_ms[0] for each in searches if each.cpu_ms), default=0.0)
    return tuple(
        msgspec.structs.replace(
            each, doubted=each.cpu_ms is not None and each.cpu_ms[1] > UNSTEADY * least_ms
        )
        for each in searches
    )


def _doubts(searches: Sequence[SearchIn], resolution: float) -> Iterator[str]:
    counting = [each for each in searches if each.counts]
    if counting:
        yield from _apart(counting, resolution)
    elif any(each.doubted for each in searches):
        costs = [
            f"{significant(each.cpu_ms[0])} to {significant(each.cpu_ms[1])} ms of CPU"
            f"{f' in {each.run}' if len(searches) > 1 else ''}"
            for each in searches
            if each.cpu_ms
        ]
        yield (
            f"while it was searched an answer cost the app {', '.join(costs)}: the machine did not keep its speed, or "
            "the server has more than one; do not rank it, search again"
        )


def _apart(counting: Sequence[SearchIn], resolution: float) -> Iterator[str]:
    """That two searches contradict each other; what is carried at least contradicts nothing that is higher."""
    rates = {each.run: each.found.rate or 0.0 for each in counting}
    bounded = [each.run for each in counting if each.found.outcome is Outcome.FOUND]
    low, high = min(bounded, key=rates.__getitem__, default=None), max(rates, key=rates.__getitem__)
    if low is not None and rates[high] > rates[low] * (1 + resolution) ** STEPS:
        yield (
            f"{per_second(rates[low])} requests/s in {low} and {per_second(rates[high])} in {high} are more than "
            f"{plural(STEPS, 'step')} of the resolution apart, and neither search shows why; its place in the order "
            "may be anywhere between them, search again"
        )


def _asked(run: Run) -> Statement:
    search, experiment = search_of(run.plan), run.plan.experiment
    return {
        "workloads": said(experiment.workloads),
        "cpus": said(experiment.cpus),
        **{f"capacity.{field}": said(getattr(search, field)) for field in Search.__struct_fields__},
    }


def _as_asked(run: Run) -> Run:
    """The run with its workloads as they were before the search formed others of them."""
    workloads = {name: run.plan.workloads[name] for name in run.plan.experiment.workloads}
    return msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, workloads=workloads))
