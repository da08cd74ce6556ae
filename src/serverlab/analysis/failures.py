"""From cells to a matrix: what the repetitions of a fault on a target come to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from serverlab.analysis.conditions import environment_facts
from serverlab.analysis.tolls import WELL_FOR_S
from serverlab.formatting import exact, plural
from serverlab.model.definitions import Target
from serverlab.model.failure_tables import FailureCell, FailureOverview, FailureTable
from serverlab.model.fault_runs import FaultRun
from serverlab.model.faults import Cell, Toll, Verdict
from serverlab.model.tables import Fact, Spread
from serverlab.stats import spread

SEVERITY = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.VOID, Verdict.PASS)
"""The first of these that is there is the verdict of many; VOID is told as UNKNOWN."""

WRONG = ("lost", "phantom", "duplicate", "torn", "stale")
"""What no fault excuses, by field of Toll; a duplicate only where the experiment's writes are guarded."""

ID = re.compile(r"([A-Z])-(\d+)([a-z]*)")
NOT_TRIED = "not tried: the run was stopped before"
SINCE = ("fault/", "after/")
"""The phases from the fault to the end, as ``failed_by`` begins with them."""

UNKNOWN = "unknown/"


def failure_table(run: FaultRun) -> FailureTable:
    """Every fault of the run against every target, merged over the repetitions.

    A pair that has no meaning is N/A with its reason; one of which no cell was tried is UNKNOWN.
    """
    plan = run.plan
    targets = tuple(dict.fromkeys([*plan.experiment.targets, *(each.target for each in plan.cells)]))
    by_pair: dict[tuple[str, str], list[Cell]] = {}
    for cell in run.cells:
        by_pair.setdefault((cell.planned.fault, cell.planned.target), []).append(cell)
    return FailureTable(
        run=run.name,
        title=plan.experiment.title,
        question=plan.experiment.question,
        facts=_facts(run),
        faults=plan.faults,
        targets=targets,
        cells=tuple(
            _skipped(fault, target, why)
            if (why := plan.skipped.get(f"{fault} {target}"))
            else merged(
                fault, target, by_pair.get((fault, target), []), guarded=plan.experiment.probing.guarded
            )
            for fault in plan.faults
            for target in targets
        ),
        problems=run.problems,
    )


def overview(tables: Sequence[FailureTable], targets: Sequence[str]) -> FailureOverview:
    """Every fault and target that a run has tried, each pair by the run that says most of it.

    That is the one with the most repetitions that are not VOID, the newest among equals; runs are ordered by their
    names, which begin with the time. ``targets`` are all in the order of the columns; those that no run has tried are
    left out.
    """
    found: dict[tuple[str, str], tuple[FailureTable, FailureCell]] = {}
    newest_first = sorted(tables, key=lambda table: table.run.rpartition("/")[2], reverse=True)
    for table in newest_first:
        for cell in table.cells:
            if cell.verdict is not Verdict.NA and not cell.counted:
                continue
            known = found.get((cell.fault, cell.target))
            if known is None or _shown(cell) > _shown(known[1]):
                found[cell.fault, cell.target] = (table, cell)
    tried = {target for _, target in found}
    facts = {fault: table.faults[fault] for table in reversed(newest_first) for fault in table.faults}
    return FailureOverview(
        faults={fault: facts[fault] for fault in sorted(facts, key=_in_order)},
        targets=tuple(target for target in targets if target in tried),
        cells={pair: cell for pair, (_, cell) in found.items()},
        runs=dict(Counter(table.run for table, cell in found.values() if cell.verdict is not Verdict.NA)),
    )


def _shown(cell: FailureCell) -> tuple[int, int]:
    """How many repetitions were not VOID, and how many there were."""
    tried = sum(cell.counted.values())
    return tried - cell.counted.get(Verdict.VOID.value, 0), tried


def _in_order(fault: str) -> tuple[str, int, str]:
    """F-9 before F-10, and F-10 before F-10b.

    Raises:
        ValueError: it is no id of a fault.
    """
    parts = ID.fullmatch(fault)
    if parts is None:
        raise ValueError(f"no id of a fault: {fault!r}")
    return parts[1], int(parts[2]), parts[3]


def of_server(table: FailureTable, server: str) -> FailureTable:
    """The table with the targets of one server and no others; without any where the run has none of it."""
    own = tuple(name for name in table.targets if Target.parse(name).server == server)
    cells = tuple(each for each in table.cells if each.target in own)
    return msgspec.structs.replace(table, targets=own, cells=cells)


def failed_since(toll: Toll) -> int | None:
    """How many attempts were not OK from the fault to the end of the observation; None where it is not known when."""
    if any(where.startswith(UNKNOWN) for where in toll.failed_by):
        return None
    return sum(count for where, count in toll.failed_by.items() if where.startswith(SINCE))


def well_again(toll: Toll) -> bool | None:
    """Whether it recovered; None where it did not and was not looked at for long enough to say so."""
    if toll.to_recovery_s is not None:
        return True
    return False if toll.observed_s is not None and toll.observed_s >= WELL_FOR_S else None


def merged(fault: str, target: str, cells: Sequence[Cell], *, guarded: bool = True) -> FailureCell:
    """What the repetitions come to; numbers are of those that are not VOID.

    Unless ``guarded``, writes may be there more than once: how many are is told, and nothing is wrong with it.
    """
    if not cells:
        return FailureCell(fault=fault, target=target, verdict=Verdict.UNKNOWN, reasons=(NOT_TRIED,))
    verdicts = Counter(cell.judgement.verdict for cell in cells)
    worst = next(each for each in (*SEVERITY, Verdict.NA) if each in verdicts)
    valid = [cell for cell in cells if cell.judgement.verdict is not Verdict.VOID and cell.judgement.toll]
    tolls = [cell.judgement.toll for cell in valid if cell.judgement.toll]
    names = sorted({name for cell in valid for name in cell.measured})
    return FailureCell(
        fault=fault,
        target=target,
        verdict=Verdict.UNKNOWN if worst is Verdict.VOID else worst,
        reasons=tuple(dict.fromkeys(each.judgement.reason for each in cells if each.judgement.reason)),
        counted={each.value: count for each, count in verdicts.items()},
        wrong=_wrong(tolls, guarded=guarded),
        repeated=0 if guarded else sum(toll.duplicate for toll in tolls),
        failed=_spread_of(tolls, failed_since),
        unacknowledged=spread([float(toll.recovered) for toll in tolls]),
        longest_gap_s=_spread_of(tolls, lambda toll: toll.longest_gap_s),
        to_detect_s=_spread_of(tolls, lambda toll: toll.to_detect_s),
        to_success_s=_spread_of(tolls, lambda toll: toll.to_success_s),
        to_recovery_s=_spread_of(tolls, lambda toll: toll.to_recovery_s),
        not_recovered=sum(well_again(toll) is False for toll in tolls),
        goodput_kept=_spread_of(tolls, lambda toll: toll.goodput_kept),
        measured={
            name: found
            for name in names
            if (found := spread([cell.measured[name] for cell in valid if name in cell.measured]))
        },
        cells=tuple(sorted(cells, key=lambda cell: cell.planned.repetition)),
    )


def _wrong(tolls: Sequence[Toll], *, guarded: bool) -> dict[str, int]:
    """How often there was what no fault excuses, by field of Toll; what never was is left out."""
    names = [name for name in WRONG if guarded or name != "duplicate"]
    return {name: total for name in names if (total := sum(getattr(toll, name) for toll in tolls))}


def _spread_of(tolls: Iterable[Toll], value: Callable[[Toll], float | None]) -> Spread | None:
    return spread([float(found) for toll in tolls if (found := value(toll)) is not None])


def _skipped(fault: str, target: str, why: str) -> FailureCell:
    return FailureCell(fault=fault, target=target, verdict=Verdict.NA, reasons=(why,))


def _told_of_faults(fact: Fact) -> Fact:
    """The fact; that of the database says that a fault may bring its own, as ``Fault.stack`` lets it."""
    if fact.label != "Database":
        return fact
    return msgspec.structs.replace(fact, value=f"{fact.value}, PostgreSQL where the fault needs it")


def _facts(run: FaultRun) -> tuple[Fact, ...]:
    """How the cells were made, and where."""
    experiment, probing = run.plan.experiment, run.plan.experiment.probing
    load = (
        f"open: {exact(probing.reads_per_s)} reads and {exact(probing.writes_per_s)} writes per second, each on a "
        f"connection of its own, given up after {exact(probing.timeout_s)} s"
        f"{'' if probing.guarded else '; what is written twice may be there twice'}"
    )
    return (
        Fact(label="Probes", value=load),
        Fact(label="Budget", value=plural(experiment.cpus, "core")),
        Fact(
            label="Cells",
            value=f"{len(run.cells)} of {len(run.plan.cells)}, {plural(experiment.repetitions, 'repetition')} of each, "
            f"in random order (seed {experiment.seed})",
        ),
        *map(_told_of_faults, environment_facts(run.environment)),
    )
