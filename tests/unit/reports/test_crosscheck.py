"""The table of a cross-check: for the docs, for a terminal, for a machine."""

import json

import msgspec
import pytest

from serverlab.analysis.crosscheck import crosscheck_table
from serverlab.errors import UsageError
from serverlab.model.crosscheck import Pace, Tool
from serverlab.reports.crosscheck import FORMATS
from serverlab.reports.docs import render_docs
from serverlab.store.crosschecks import append_measurement, create_crosscheck
from tests.unit.builders import an_environment
from tests.unit.crosschecks import a_check, a_cross_plan, measured, rounds_of

RPS = [500.0, 510.0, 490.0, 505.0, 495.0]
MEASURED = [
    *rounds_of(Tool.OURS, Pace.SATURATED, RPS),
    *rounds_of(Tool.WRK, Pace.SATURATED, [each * 1.2 for each in RPS], p99=21_000),
    *rounds_of(Tool.OURS, Pace.HALF, [250.0] * 5),
    measured(Tool.H2LOAD, Pace.HALF, void=("h2load ended with 1",)),
]
# ruff: noqa: E501 - the lines of a table are as long as they are
TABLE = """\
| target | tool | load | req/s | ratio [95 %] | p50 ms | p99 ms | p99 ratio [95 %] | tool's CPU | rounds | agrees | why not, and what else |
| :-- | :-- | :-- | --: | --: | --: | --: | --: | --: | --: | :-- | :-- |
| gunicorn:gthread | serverlab | saturated | 500 | – | 10.0 | 20.0 | – | 25 % | 5 | – |  |
| gunicorn:gthread | wrk | saturated | 600 | 1.20 \\[1.20–1.20\\] | – | – | – | 25 % | 5 | no | req/s 1.20 \\[1.20–1.20\\] lies beyond ±5 %; no p99: wrk adds samples of its own |
| gunicorn:gthread | serverlab | half | 250 | – | 10.0 | 20.0 | – | 25 % | 5 | – |  |
| gunicorn:gthread | wrk | half | – | – | – | – | – | – | – | – | wrk cannot be given a rate |
| gunicorn:gthread | h2load | half | – | – | – | – | – | – | – | – | VOID: h2load ended with 1 |

Run `crosscheck/20261122-101500`:

- Load: Profile: one token for all; 16 kept connections; window 10 s after 2 s of warm-up; 5 rounds, a fresh stack for each target and round, tools in shuffled order (seed 7)
- Limits: ±5 % on req/s at saturation, ±10 % on p99 at half of it
"""


@pytest.fixture
def table():
    return crosscheck_table(a_check(MEASURED))


def test_the_docs_have_all_rows_and_the_facts(tmp_path):
    path = create_crosscheck(tmp_path / "results", plan=a_cross_plan(), environment=an_environment())
    for each in MEASURED:
        append_measurement(path, each)
    page = tmp_path / "page.md"
    page.write_text(f"<!-- crosscheck: {path.relative_to(tmp_path)} --><!-- /crosscheck -->\n")
    assert render_docs([page], tmp_path) == [page]
    opening, text, closing = page.read_text().partition(TABLE)
    assert (opening, text != "") == ("<!-- crosscheck: results/crosscheck/20261122-101500 -->\n", True)
    assert closing.startswith("- Tried: 2026-11-22T10:15:00+00:00\n")
    assert closing.endswith("\n<!-- /crosscheck -->\n")


def test_a_marker_without_a_cross_check_is_a_mistake(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- crosscheck: results/crosscheck/x --><!-- /crosscheck -->\n")
    with pytest.raises(UsageError, match="no such run"):
        render_docs([page], tmp_path)


def test_a_terminal_has_aligned_columns_and_the_reasons_below(table):
    lines = FORMATS["text"](table).splitlines()
    assert lines[2] == (
        "gunicorn:gthread  wrk        saturated  600    1.20 [1.20–1.20]  –       –       "
        "–                 25 %        5       no"
    )
    assert (
        lines[7]
        == "gunicorn:gthread, wrk, saturated: req/s 1.20 [1.20–1.20] lies beyond ±5 %; no p99: wrk adds samples of its own"
    )


def test_a_machine_gets_the_whole_table(table):
    assert json.loads(FORMATS["json"](table)) == json.loads(msgspec.json.encode(table))
