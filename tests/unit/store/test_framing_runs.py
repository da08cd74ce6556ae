"""Answers to odd requests written and read back."""

from __future__ import annotations

import pytest

from serverlab.errors import UsageError
from serverlab.store import framing_runs
from tests.unit.framing.records import a_differential, a_framed, an_answer

RUN = "20261122-101500"


@pytest.fixture
def path(tmp_path):
    return framing_runs.create_differential(tmp_path, environment=a_differential().environment)


def test_what_is_written_is_read_back_alike(path, tmp_path):
    found = [a_framed(an_answer(measured={"cpu_s": 0.5})), a_framed(case="H-02", problem="no stack")]
    for each in found:
        framing_runs.append_framed(path, each)
    assert path == tmp_path / "http" / RUN
    assert framing_runs.read_differential(path) == a_differential(*found)


def test_a_case_that_was_asked_again_is_what_its_later_line_says(path):
    broken, other, right = a_framed(problem="broke off"), a_framed(case="H-02"), a_framed(an_answer())
    for each in (broken, other, right):
        framing_runs.append_framed(path, each)
    assert framing_runs.read_differential(path) == a_differential(right, other)


def test_a_line_that_was_cut_short_is_told_and_the_others_are_kept(path):
    framing_runs.append_framed(path, a_framed())
    with (path / "answers.jsonl").open("ab") as file:
        file.write(b'{"case": "H-0')
    framing_runs.append_framed(path, a_framed(case="H-02"))
    run = framing_runs.read_differential(path)
    assert [each.case for each in run.found] == ["H-01", "H-02"]
    assert [(each.file, each.line) for each in run.problems] == [(f"http/{RUN}/answers.jsonl", 2)]


@pytest.mark.parametrize("line", [b'{"format": 2}', b'{"format": 2, "case": "H-01", "new": 1}'])
def test_a_line_of_another_format_is_refused(path, line):
    (path / "answers.jsonl").write_bytes(line + b"\n")
    with pytest.raises(UsageError, match="format 2"):
        framing_runs.read_differential(path)


def test_a_run_is_found_by_path_and_by_name(path, tmp_path):
    for name in (str(path), f"http/{RUN}", RUN):
        assert framing_runs.find_differential(tmp_path, name) == path


def test_a_run_that_is_not_there_is_told_with_those_that_are(path, tmp_path):
    with pytest.raises(UsageError, match="no such run") as refused:
        framing_runs.find_differential(tmp_path, "20250101-000000")
    assert RUN in refused.value.hint
