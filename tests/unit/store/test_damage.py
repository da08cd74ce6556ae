"""Result files that are cut anywhere, or in which any bit is turned: no number is read that was not written."""

from __future__ import annotations

import pytest

from serverlab import store
from serverlab.errors import UsageError
from serverlab.model.crosscheck import Tool
from serverlab.model.fault_runs import JournalEntry
from serverlab.model.faults import Happening
from serverlab.model.records import State
from serverlab.model.security import AssaultPlan
from serverlab.store.crosschecks import append_measurement, create_crosscheck, read_crosscheck
from serverlab.store.framing_runs import append_framed, create_differential, read_differential
from serverlab.store.sealing import opened, sealed
from tests.unit.attacks.records import a_finding, an_assault
from tests.unit.broken import a_cell, a_fault_run
from tests.unit.builders import GTHREAD, RUNSERVER, a_plan, a_trial, an_environment
from tests.unit.crosschecks import a_cross_plan, a_reading, measured
from tests.unit.framing.records import a_differential, a_framed, an_answer


def a_stored_run(root):
    path = store.create_run(root, plan=a_plan(), environment=an_environment())
    for target in (GTHREAD, RUNSERVER):
        store.append_trial(path, a_trial(target))
    return path


def stored_attacks(root):
    assault = an_assault(a_finding(), a_finding("A1-02"))
    plan = AssaultPlan(attacks=assault.attacks)
    path = store.create_assault(root, plan=plan, environment=assault.environment)
    for finding in assault.findings:
        store.append_finding(path, finding)
    return path


def a_stored_fault_run(root):
    run = a_fault_run([a_cell()])
    path = store.create_fault_run(root, plan=run.plan, environment=run.environment)
    store.append_cell(path, run.cells[0])
    return path


def stored_answers(root):
    path = create_differential(root, environment=a_differential().environment)
    append_framed(path, a_framed(an_answer(measured={"cpu_s": 0.5})))
    return path


def a_stored_crosscheck(root):
    path = create_crosscheck(root, plan=a_cross_plan(), environment=an_environment())
    append_measurement(path, measured(Tool.OURS, reading=a_reading()))
    return path


RUN = (a_stored_run, store.read_run, "trials")
ATTACKS = (stored_attacks, store.read_assault, "findings")
FAULTS = (a_stored_fault_run, store.read_fault_run, "cells")
ANSWERS = (stored_answers, read_differential, "found")
CROSSCHECK = (a_stored_crosscheck, read_crosscheck, "measurements")

FILES = [
    ("plan.json", RUN),
    ("environment.json", RUN),
    ("trials.jsonl", RUN),
    ("attacks.json", ATTACKS),
    ("attacks.jsonl", ATTACKS),
    ("faults.json", FAULTS),
    ("cells.jsonl", FAULTS),
    ("answers.jsonl", ANSWERS),
    ("crosscheck.json", CROSSCHECK),
    ("measurements.jsonl", CROSSCHECK),
]


def cuts(whole):
    return (whole[:length] for length in range(len(whole)))


def flips(whole):
    """One bit of each byte, another one from byte to byte."""
    for place, byte in enumerate(whole):
        yield whole[:place] + bytes([byte ^ (1 << place % 8)]) + whole[place + 1 :]


@pytest.mark.parametrize("harm", [cuts, flips])
@pytest.mark.parametrize(("name", "kind"), FILES, ids=[name for name, _ in FILES])
def test_a_damaged_file_is_refused_or_its_line_is_told_and_nothing_else_is_read(tmp_path, name, kind, harm):
    make, read, records = kind
    path = make(tmp_path)
    whole, right = (path / name).read_bytes(), read(path)
    for damaged in harm(whole):
        (path / name).write_bytes(damaged)
        found = read_or_refused(read, path, by=name)
        if found is None:
            continue
        written, kept = getattr(right, records), getattr(found, records)
        assert [each for each in kept if each not in written] == []
        assert name.endswith(".jsonl") or found == right
        assert len(kept) == len(written) or found.problems or damaged in whole_lines(whole)


def read_or_refused(read, path, *, by):
    """What is read, or None where the file of that name is refused; a refusal of anything else is let through."""
    try:
        return read(path)
    except UsageError as refused:
        if str(path / by) in refused.what:
            return None
        raise


def whole_lines(text):
    """What is left of the text where it is cut between two lines."""
    ends = [place for place, byte in enumerate(text) if byte == ord("\n")]
    return {b"", *(text[:end] for end in ends), *(text[: end + 1] for end in ends)}


def test_a_hand_edited_number_is_told_and_is_no_number(tmp_path):
    path = a_stored_run(tmp_path)
    text = (path / "trials.jsonl").read_text()
    edited = text.replace('"ready_s":', '"ready_s":1', 1)
    assert edited != text
    (path / "trials.jsonl").write_text(edited)
    run = store.read_run(path)
    assert [each.planned.target for each in run.trials] == [RUNSERVER]
    assert [problem.line for problem in run.problems] == [1]
    assert "it is not what was written: its digest differs" in run.problems[0].message
    assert all(each.state is State.MEASURED for each in run.trials)


def test_a_journal_that_was_cut_anywhere_never_tells_of_a_fault_that_was_not(tmp_path):
    path = a_stored_fault_run(tmp_path)
    entry = JournalEntry(
        cell="c1",
        fault="F-09",
        target=GTHREAD,
        what=Happening.JOURNALLED,
        at="2026-11-22T10:15:00",
        label="f",
    )
    store.append_journal(path, entry)
    whole = (path / "journal.jsonl").read_bytes()
    for damaged in (*cuts(whole), *flips(whole)):
        (path / "journal.jsonl").write_bytes(damaged)
        assert [each for _, each in store.left_on(tmp_path)] in ([], [entry])


def test_what_an_older_lab_wrote_has_no_seal_and_is_read(tmp_path):
    path = a_stored_run(tmp_path)
    right = store.read_run(path)
    for name in ("plan.json", "environment.json"):
        (path / name).write_bytes(opened((path / name).read_bytes()))
    lines = [opened(line) + b"\n" for line in (path / "trials.jsonl").read_bytes().splitlines()]
    (path / "trials.jsonl").write_bytes(b"".join(lines))
    assert b"sha256" not in b"".join([(path / "plan.json").read_bytes(), *lines])
    assert store.read_run(path) == right


def test_a_seal_is_the_last_member_and_leaves_the_rest_as_it_is():
    assert sealed(b'{"a":1}') == b'{"a":1,"sha256":"8b0f0d75aabe01bb"}'
    assert opened(sealed(b'{"a":1}')) == b'{"a":1}'
