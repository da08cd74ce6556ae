"""Whatever a server, a log or a hand-made file says, no report lets it speak to a terminal or a browser."""

from __future__ import annotations

import json

import pytest

from serverlab.analysis import tabulate
from serverlab.formatting import harmless, one_line
from serverlab.reports import FORMATS
from tests.unit.builders import GTHREAD, RUNSERVER, a_failure, a_load, a_run, a_trial, a_void_trial

HOSTILE = (
    "\x1b[31m<script>alert(1)</script>\x1b]0;mine\x07 \x9b2J\u202e |`[x](javascript:1)` <img src=x onerror=1>"
)


@pytest.fixture
def table():
    """Of a run in which a log, a header and an error of the load are hostile."""
    failed = a_load(failures=(a_failure(3, kind=HOSTILE),))
    made = [a_trial(GTHREAD, round=1, load=failed), a_void_trial(RUNSERVER, round=1, reasons=(HOSTILE,))]
    return tabulate(a_run(made))


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_holds_a_control_character(table, name):
    text = FORMATS[name](table)
    assert "alert(1)" in text
    assert [each for each in text if each != "\n" and harmless(each) != each] == []


def test_markdown_holds_no_element_and_no_link_of_theirs(table):
    text = FORMATS["markdown"](table)
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert "<img" not in text
    assert text.count("(javascript") == text.count("\\](javascript") > 0


def test_a_machine_reads_what_was_really_said(table):
    (void,) = [row for row in json.loads(FORMATS["json"](table))["sections"][0]["rows"] if row["void"]]
    assert void["void"][0]["reason"] == HOSTILE


def test_lines_and_tabs_stay_and_everything_else_that_steers_a_terminal_goes():
    assert harmless("one\n\ttwo\x1b[2J\x1b[1;31m!\x00\x7f\x9b\u202e\r") == "one\n\ttwo!"
    assert one_line("one\n\ttwo\u202e") == "one two"
