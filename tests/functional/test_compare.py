"""`compare` and `report` only read what a run has left."""

import json

import pytest

from serverlab import reports, store
from serverlab.analysis import tabulate
from tests.checkout import write
from tests.unit.builders import GTHREAD, RUNSERVER, a_plan, an_environment, trials


@pytest.fixture
def path(root):
    """A complete run of two targets and three rounds."""
    path = store.create_run(root / "results", plan=a_plan(rounds=3), environment=an_environment())
    for trial in [*trials(GTHREAD, 400, 410, 390), *trials(RUNSERVER, 300, 310, 305)]:
        store.append_trial(path, trial)
    return path


@pytest.mark.parametrize("format_name", ["text", "markdown", "json", "csv"])
def test_the_table_is_printed_in_the_format_that_is_asked_for(cli, path, format_name):
    shown = cli("compare", "--format", format_name)
    assert shown.out == reports.FORMATS[format_name](tabulate(store.read_run(path))) + "\n"
    assert (shown.code, shown.err) == (0, f"results: {path} (table.json, table.csv, table.md)\n")


def test_the_table_is_written_beside_the_run_in_three_formats(cli, path):
    cli("compare")
    table = tabulate(store.read_run(path))
    for name, suffix in (("json", "json"), ("csv", "csv"), ("markdown", "md")):
        assert (path / f"table.{suffix}").read_text() == reports.FORMATS[name](table)


@pytest.mark.parametrize("name", ["quick", "20261122-101500", "quick/20261122-101500"])
def test_a_run_is_found_by_any_of_its_names(cli, path, name):
    assert cli("compare", name).code == 0


def test_a_run_is_found_by_its_path(cli, path):
    assert cli("compare", str(path)).code == 0


def test_the_ratio_is_taken_against_the_reference(cli, path):
    table = json.loads(cli("compare", "--format", "json").out)
    rows = {row["target"]: row for row in table["sections"][0]["rows"]}
    assert rows[GTHREAD]["reference"]
    assert rows[RUNSERVER]["ratio"]["median"] == pytest.approx(310 / 410)


def test_without_any_run_the_way_to_one_is_told(cli, root):
    refused = cli("compare")
    assert (
        refused.err
        == f"serverlab: {root}/results: no run there\n`serverlab run experiments/quick.toml` makes one.\n"
    )
    assert (refused.code, refused.out) == (2, "")


@pytest.mark.usefixtures("path")
def test_an_unknown_run_is_refused_with_the_nearest_name(cli):
    refused = cli("compare", "quik")
    assert refused.err.startswith("serverlab: run 'quik': no such run, did you mean 'quick'?\n")
    assert (refused.code, refused.out) == (2, "")


def test_a_line_that_was_cut_short_is_told_and_the_rest_is_used(cli, path):
    lines = (path / "trials.jsonl").read_text()
    (path / "trials.jsonl").write_text(lines[:-300])
    shown = cli("compare", "--format", "json")
    (problem,) = json.loads(shown.out)["problems"]
    assert (shown.code, problem["line"]) == (0, 6)
    assert problem["message"].startswith("cut short or damaged")
    assert problem["message"] not in cli("compare", "--format", "csv").out
    assert "cut short or damaged" in cli("compare").out


@pytest.mark.parametrize("name", ["plan.json", "environment.json"])
def test_a_file_that_was_cut_short_is_refused(cli, path, name):
    (path / name).write_text((path / name).read_text()[:100])
    refused = cli("compare")
    assert refused.err.startswith(f"serverlab: {path}/{name}: cut short or damaged: ")
    assert refused.err.endswith("\nRestore the file, or measure again.\n")
    assert (refused.code, refused.out) == (2, "")


@pytest.mark.parametrize("name", ["plan.json", "environment.json", "trials.jsonl"])
def test_a_file_of_another_format_is_refused_in_one_clear_sentence(cli, path, name):
    text = (path / name).read_text()
    other = (
        text.replace('{"format":2,', '{"format":3,')
        if name == "trials.jsonl"
        else text.replace('"format": 1,\n  "sha256"', '"format": 3,\n  "sha256"')
    )
    assert other != text
    (path / name).write_text(other)
    refused = cli("compare")
    assert f"serverlab: {path}/{name}" in refused.err
    known = "1 and 2" if name == "trials.jsonl" else "1"
    assert f"has format 3, this lab reads {known}: " in refused.err
    assert (refused.code, refused.out) == (2, "")


MARKED = "# Lab\n\n<!-- table: results/quick/20261122-101500 -->\n<!-- /table -->\n"


@pytest.fixture
def readme(root):
    return write(root, "README.md", MARKED)


@pytest.mark.usefixtures("path")
def test_tables_in_the_docs_are_rendered_and_then_up_to_date(cli, readme):
    stale = cli("report", "--check")
    assert (stale.code, stale.out) == (1, "")
    assert (
        stale.err == "serverlab: not what the result files render: README.md\n`make report` renders them.\n"
    )
    assert cli("report", "--docs").out == "rendered README.md\n"
    assert GTHREAD in readme.read_text()
    checked = cli("report", "--check")
    assert (checked.code, checked.err) == (0, "")
    assert cli("report", "--docs").out == "nothing to render\n"


def test_a_marker_that_names_no_run_is_told_with_its_place(cli, readme):
    refused = cli("report", "--docs")
    assert refused.err.startswith("serverlab: README.md, line 3: results/quick/20261122-101500: no such run")
    assert refused.code == 2
    assert readme.read_text() == MARKED
