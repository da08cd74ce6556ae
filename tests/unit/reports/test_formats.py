"""Whole rendered tables."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest

from serverlab.analysis import tabulate
from serverlab.model.tables import Table
from serverlab.reports import FORMATS
from serverlab.reports.as_text import WIDTH, side_by_side
from tests.unit.builders import a_plan, a_run


@pytest.mark.parametrize("name", FORMATS)
def test_a_busy_table_is_rendered_as_before(busy_run, snapshot, name):
    assert FORMATS[name](tabulate(busy_run)) == snapshot


@pytest.mark.parametrize("name", ["text", "markdown"])
def test_a_clean_table_is_rendered_as_before(clean_run, snapshot, name):
    assert FORMATS[name](tabulate(clean_run)) == snapshot


@pytest.mark.parametrize("name", ["text", "markdown"])
def test_compared_workloads_are_rendered_as_before(compared_run, snapshot, name):
    assert FORMATS[name](tabulate(compared_run)) == snapshot


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_without_any_trial_is_rendered(name):
    text = FORMATS[name](tabulate(a_run()))
    assert "not run" in text
    assert text.endswith("\n")


def test_text_is_the_same_whatever_the_terminal(busy_run, monkeypatch):
    table = tabulate(busy_run)
    plain = FORMATS["text"](table)
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb"), ("COLUMNS", "40"), ("FORCE_COLOR", "1")):
        monkeypatch.setenv(name, value)
    assert FORMATS["text"](table) == plain
    assert "\x1b" not in plain


def test_text_fits_120_columns_and_has_no_trailing_blanks(busy_run, clean_run):
    for run in (busy_run, clean_run):
        for line in FORMATS["text"](tabulate(run)).splitlines():
            assert len(line) <= WIDTH
            assert line == line.rstrip()


def test_columns_that_do_not_fit_the_width_follow_below_with_the_rows_names():
    rows = [("target", *["x" * 30] * 4, "notes"), ("gunicorn", "1", "2", "3", "4", "5")]
    lines = [line.split() for line in side_by_side(rows, left=(0, 5))]
    assert lines[1::3] == [["gunicorn", "1", "2"], ["gunicorn", "3", "4", "5"]]
    assert lines[2] == []
    assert all(len(line) <= WIDTH for line in side_by_side(rows, left=(0, 5)))


def test_a_column_that_is_wider_than_the_width_still_has_its_place():
    rows = [("a", "b" * 200, "c"), ("1", "2", "3")]
    assert [line.split() for line in side_by_side(rows, left=())][1::3] == [["1", "2"], ["1", "3"]]


def test_a_void_row_shows_no_number(busy_run):
    lines = FORMATS["text"](tabulate(busy_run)).splitlines()
    (row,) = [line for line in lines if line.startswith("apache:daemon")]
    assert row.split() == ["apache:daemon", "VOID", *["–"] * 11, "0/3"]


def test_json_reads_back_as_the_same_table(busy_run):
    table = tabulate(busy_run)
    assert msgspec.json.decode(FORMATS["json"](table), type=Table) == table


def test_csv_has_one_line_per_row_with_exact_numbers(busy_run):
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](tabulate(busy_run)))))
    assert [row["target"] for row in rows][:2] == ["gunicorn:gthread", "runserver:threaded"]
    runserver = rows[1]
    assert float(runserver["ratio_low"]) == 270 / 395
    assert (runserver["p99_us"], runserver["errors"], runserver["cpu_ms_edge"]) == ("60000", "0", "")
    assert runserver["doubts"] == "few-rounds shared-core dirty no-difference wide-spread few-samples"
    assert [row["rps"] for row in rows[3:]] == ["", "", ""]


def test_csv_of_no_section_is_empty():
    assert FORMATS["csv"](tabulate(a_run(plan=a_plan(workloads=())))) == ""
