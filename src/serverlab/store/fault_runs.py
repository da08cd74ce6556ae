"""Runs that break things: ``EXPERIMENT/RUN/{faults.json, environment.json, cells.jsonl, journal.jsonl, raw/}``."""

from __future__ import annotations

import contextlib
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from serverlab.model.base import FORMAT
from serverlab.model.fault_runs import FaultPlan, FaultRun, JournalEntry
from serverlab.model.faults import Cell, Happening, PlannedCell
from serverlab.model.records import Environment
from serverlab.model.runs import Problem
from serverlab.store.layout import CELLS, ENVIRONMENT, FAULT_PLAN, JOURNAL, LEDGER, RAW
from serverlab.store.reading import BROKEN, _check_format, _lines, _read_whole
from serverlab.store.sealing import opened
from serverlab.store.writing import (
    _append,
    _check_name,
    _new_folder,
    _pretty,
    _write_whole,
    _writing,
)

CELL_ID = re.compile(rb'"id":\s*"([^"]{1,200})"')

_CELL = msgspec.json.Decoder(Cell)
_ENTRY = msgspec.json.Decoder(JournalEntry)


def create_fault_run(root: Path, *, plan: FaultPlan, environment: Environment) -> Path:
    """Make ``root/EXPERIMENT/RUN`` with the plan, the environment, no cells and an empty journal, and return it.

    Raises:
        UsageError: the run exists already, or its name cannot be a folder.
        EnvironmentLacks: the folder cannot be written.
    """
    with _new_folder(root, plan.name, environment.run) as path:
        (path / RAW).mkdir()
        _write_whole(path / CELLS, b"")
        _write_whole(path / JOURNAL, b"")
        _write_whole(path / ENVIRONMENT, _pretty(environment))
        _write_whole(path / FAULT_PLAN, _pretty(plan))  # last: a folder without a plan is no run
    return path


def append_cell(path: Path, cell: Cell) -> None:
    """Add the cell to the run as one line that is on the disk when this returns, or not in the file at all.

    Raises:
        EnvironmentLacks: it cannot be written, for instance because the disk is full.
    """
    _append(path / CELLS, cell)


def append_journal(path: Path, entry: JournalEntry) -> None:
    """Add the entry to the run's journal, as append_cell does."""
    _append(path / JOURNAL, entry)


def write_ledger(path: Path, *, cell_id: str, text: str) -> Path:
    """Keep a cell's ledger, packed, in ``raw/``, whole or not at all, and return that file.

    Raises:
        UsageError: the cell's id cannot be part of a file name.
        EnvironmentLacks: it cannot be written.
    """
    _check_name(cell_id)
    target = path / RAW / f"{cell_id}.{LEDGER}"
    with _writing(target):
        target.parent.mkdir(exist_ok=True)
        _write_whole(target, gzip.compress(text.encode(), mtime=0))
    return target


def read_fault_run(path: Path) -> FaultRun:
    """The run in the folder; lines that cannot be used are in its ``problems``.

    Of two cells with one id the first is kept, so that breaking again never picks the better one; but any takes the
    place of one that was interrupted.

    Raises:
        UsageError: a file is missing or has another format number, or one but the cells is broken.
    """
    plan = _read_whole(path / FAULT_PLAN, FaultPlan)
    environment = _read_whole(path / ENVIRONMENT, Environment)
    name = f"{plan.name}/{environment.run}"
    planned = {each.id: each for each in plan.cells}
    cells: dict[str, Cell] = {}
    problems: list[Problem] = []
    for number, line in enumerate(_lines(path / CELLS), start=1):
        outcome = _read_cell(line, f"{path / CELLS}, line {number},")
        wrong = outcome if isinstance(outcome, str) else _misfit(outcome, planned, cells)
        if isinstance(outcome, Cell) and wrong is None:
            cells.pop(outcome.planned.id, None)
            cells[outcome.planned.id] = outcome
        else:
            problems.append(Problem(file=f"{name}/{CELLS}", line=number, message=str(wrong)))
    return FaultRun(
        name=name, plan=plan, environment=environment, cells=tuple(cells.values()), problems=tuple(problems)
    )


def pending_cells(run: FaultRun) -> tuple[PlannedCell, ...]:
    """The planned cells that have no readable line yet or were interrupted, in the order of the plan."""
    done = {cell.planned.id for cell in run.cells if not cell.interrupted}
    return tuple(planned for planned in run.plan.cells if planned.id not in done)


def left_on(results: Path) -> Iterator[tuple[Path, JournalEntry]]:
    """The faults below ``results`` that were journalled and never removed, with the folders of their runs.

    A line of a journal that was cut short says nothing: what it would have said had not begun, or is said before it.
    """
    for journal in sorted(results.glob(f"*/*/{JOURNAL}")):
        entries: dict[str, JournalEntry] = {}
        for line in _lines(journal):
            try:
                entry = _ENTRY.decode(opened(line))
            except BROKEN:
                continue
            entries[entry.cell] = entry
        yield from ((journal.parent, each) for each in entries.values() if each.what is not Happening.REMOVED)


def _read_cell(line: bytes, where: str) -> Cell | str:
    """The cell, or what is wrong with the line."""
    try:
        cell = _CELL.decode(opened(line))
    except BROKEN as broken:
        with contextlib.suppress(*BROKEN):
            _check_format(line, where)
        found = CELL_ID.search(line)
        whose = f"cell {found[1].decode('utf-8', 'replace')}" if found else "its cell"
        return f"cut short or damaged ({broken}); {whose} counts as not tried by this line"
    if cell.format != FORMAT:
        _check_format(line, where)
    return cell


def _misfit(cell: Cell, planned: dict[str, PlannedCell], earlier: dict[str, Cell]) -> str | None:
    """Why the cell cannot be used beside the plan and the earlier lines, or None."""
    if cell.planned.id not in planned:
        return f"cell {cell.planned.id} is not in the plan; left out"
    if cell.planned != planned[cell.planned.id]:
        return f"cell {cell.planned.id} is not what the plan says under that id; left out"
    if cell.planned.id in earlier and not earlier[cell.planned.id].interrupted:
        return f"cell {cell.planned.id} was tried before; the earlier line is used"
    return None
