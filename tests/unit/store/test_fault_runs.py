"""Runs that break things on disk: complete lines are read back, and what was cut short is told."""

from __future__ import annotations

import msgspec
import pytest

from serverlab import store
from serverlab.errors import UsageError
from serverlab.model.fault_runs import FaultExperiment, FaultFacts, FaultPlan, JournalEntry
from serverlab.model.faults import Cell, Happening, Judgement, PlannedCell, Rule, Timeline, Verdict
from tests.unit.builders import an_environment

TIMELINE = Timeline(settle_s=1, baseline_s=4, hold_s=2, observe_s=12)
CELLS = tuple(
    PlannedCell(id=f"r01-F-00-{name}", fault="F-00", target=name, repetition=1) for name in ("a", "b")
)


def a_plan():
    return FaultPlan(
        name="breaking",
        experiment=FaultExperiment(
            format=1, title="T", question="Q?", faults=("F-00",), targets=("a", "b"), timeline=TIMELINE
        ),
        faults={"F-00": FaultFacts(title="none", what="Nothing.", rule=Rule(), timeline=TIMELINE)},
        cells=CELLS,
        skipped={"F-00 c": "it has no workers"},
    )


def a_cell(planned=CELLS[0], **changes):
    plain = {
        "planned": planned,
        "judgement": Judgement(verdict=Verdict.PASS, reason=""),
        "started_at": "2026-11-22T10:00:00+00:00",
        "wall_s": 20.5,
        "measured": {"exit_code": 0.0},
    }
    return Cell(**plain | changes)


def an_entry(what, cell="r01-F-00-a"):
    return JournalEntry(
        cell=cell, fault="F-00", target="a", what=what, at="2026-11-22T10:00:00+00:00", label="run"
    )


@pytest.fixture
def path(tmp_path):
    return store.create_fault_run(tmp_path, plan=a_plan(), environment=an_environment())


def test_what_was_written_is_read_back(path):
    cells = (a_cell(), a_cell(CELLS[1]))
    for cell in cells:
        store.append_cell(path, cell)
    run = store.read_fault_run(path)
    assert (run.name, run.plan, run.environment) == ("breaking/20261122-101500", a_plan(), an_environment())
    assert (run.cells, run.problems, store.pending_cells(run)) == (cells, (), ())


def test_wherever_a_line_is_cut_its_cell_is_pending_and_told(path):
    store.append_cell(path, a_cell())
    store.append_cell(path, a_cell(CELLS[1]))
    file = path / "cells.jsonl"
    whole = file.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first + 1, len(whole) - 1):
        file.write_bytes(whole[:end])
        run = store.read_fault_run(path)
        assert [cell.planned.id for cell in run.cells] == ["r01-F-00-a"], end
        assert store.pending_cells(run) == CELLS[1:], end
        assert [(each.line, "cut short or damaged" in each.message) for each in run.problems] == [(2, True)]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (a_cell(PlannedCell(id="x", fault="F-00", target="a", repetition=1)), "is not in the plan; left out"),
        (
            a_cell(msgspec.structs.replace(CELLS[0], target="b")),
            "is not what the plan says under that id; left out",
        ),
        (a_cell(wall_s=1.0), "was tried before; the earlier line is used"),
    ],
)
def test_a_cell_that_does_not_fit_is_left_out_and_told(path, cell, message):
    store.append_cell(path, a_cell())
    store.append_cell(path, cell)
    run = store.read_fault_run(path)
    assert run.cells == (a_cell(),)
    assert [each.message for each in run.problems] == [f"cell {cell.planned.id} {message}"]


def test_another_format_is_refused(path):
    store.append_cell(path, a_cell())
    file = path / "cells.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"format":1', b'"format":2'))
    with pytest.raises(UsageError, match="has format 2, this lab reads 1"):
        store.read_fault_run(path)


def test_a_ledger_is_packed_as_it_is_read_and_alike_each_time(path):
    first = store.write_ledger(path, cell_id="one", text="a\nb\n")
    second = store.write_ledger(path, cell_id="two", text="a\nb\n")
    assert first.name == "one.ledger.jsonl.gz"
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ([], []),
        ([Happening.JOURNALLED], [Happening.JOURNALLED]),
        ([Happening.JOURNALLED, Happening.INJECTED], [Happening.INJECTED]),
        ([Happening.JOURNALLED, Happening.INJECTED, Happening.REMOVED], []),
        ([Happening.JOURNALLED, Happening.REMOVED], []),
    ],
)
def test_what_was_journalled_and_never_removed_is_left_on(path, tmp_path, steps, left):
    for step in steps:
        store.append_journal(path, an_entry(step))
    assert [(where, entry.what) for where, entry in store.left_on(tmp_path)] == [
        (path, each) for each in left
    ]


def test_a_journal_that_was_cut_short_says_what_its_whole_lines_say(path, tmp_path):
    for step in (Happening.JOURNALLED, Happening.INJECTED, Happening.REMOVED):
        store.append_journal(path, an_entry(step))
    journal = path / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]) + lines[2][:50])
    assert [entry.what for _, entry in store.left_on(tmp_path)] == [Happening.INJECTED]
    store.append_journal(path, an_entry(Happening.REMOVED))
    assert list(store.left_on(tmp_path)) == []


def test_runs_are_found_by_name_apart_from_those_that_measure(path, tmp_path):
    assert store.find_fault_run(tmp_path, "breaking") == path
    assert store.find_fault_run(tmp_path, "breaking/20261122-101500") == path
    with pytest.raises(UsageError, match="no run there"):
        store.find_run(tmp_path, "breaking")
