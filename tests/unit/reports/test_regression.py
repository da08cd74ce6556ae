"""Two runs side by side, in every format."""

import json

import msgspec
import pytest

from serverlab.analysis.guarding import read_rules
from serverlab.analysis.regression import compare_runs
from serverlab.model.runs import Problem
from serverlab.reports.regression import FORMATS
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    UWSGI,
    a_plan,
    a_run,
    a_void_trial,
    an_environment,
    trials,
)

BASE = a_run(
    trials(GTHREAD, 400, 404, 398, 402, 401),
    trials(RUNSERVER, 300, 301, 303, 302, 299),
    problems=(Problem(file="quick/20261122-101500/trials.jsonl", line=11, message="cut short or damaged"),),
)
NEW = a_run(
    trials(UWSGI, 500, 505),
    trials(GTHREAD, 300, 304, 298, 302, 301),
    [a_void_trial(RUNSERVER, round=number, reasons=("generator at *91* % CPU",)) for number in (1, 2)],
    plan=a_plan(targets=(GTHREAD, RUNSERVER, UWSGI), cpus=(1, 2)),
    environment=an_environment(run="20261123-101500", kernel="6.2.0", commit="f" * 40),
)
COMPARISON = compare_runs(BASE, NEW, read_rules(["rps:-5%", "p95:+10%"]))
PLAIN = compare_runs(BASE, BASE, ())


@pytest.mark.parametrize("format_name", ["text", "markdown"])
@pytest.mark.parametrize("comparison", [COMPARISON, PLAIN], ids=["unlike and judged", "alike and not judged"])
def test_runs_side_by_side_are_rendered_as_before(format_name, comparison, snapshot):
    assert FORMATS[format_name](comparison) == snapshot


def test_json_holds_every_record_as_it_is():
    text = FORMATS["json"](COMPARISON)
    assert msgspec.json.decode(text.encode(), type=type(COMPARISON)) == COMPARISON
    assert json.loads(text)["verdict"] == "fail"
