"""`serverlab crosscheck`: from the experiment to the table, and what it refuses."""

import json

import pytest

from serverlab.errors import Exit
from tests.checkout import write
from tests.fake_engine import ExecResult
from tests.fake_witness import EXPERIMENT, WitnessLab
from tests.functional.conftest import DOCKER


@pytest.fixture
def fake(fake):
    lab = WitnessLab(fake)
    lab.shell.script |= DOCKER
    write(lab.root, "experiments/crosscheck.toml", EXPERIMENT)
    return lab


def test_a_table_is_printed_and_written_beside_the_run(cli, fake):
    outcome = cli("crosscheck", "gunicorn", "--rounds", "1", "--format", "markdown")
    assert outcome.code == Exit.OK
    (path,) = fake.root.glob("results/crosscheck/*")
    assert (path / "table.md").read_text() == outcome.out
    assert {each.name for each in path.iterdir()} == {
        "crosscheck.json",
        "environment.json",
        "measurements.jsonl",
        "raw",
        "table.json",
        "table.md",
    }
    assert (path / "raw/r01-gunicorn.gthread-wrk-saturated.txt").read_text().startswith("Running 3s test @ ")
    assert len(list((path / "raw").iterdir())) == 7
    rows = json.loads((path / "table.json").read_text())["rows"]
    assert [(row["tool"], row["pace"], row["rounds"]) for row in rows] == [
        ("serverlab", "saturated", 1),
        ("serverlab, again", "saturated", 1),
        ("wrk", "saturated", 1),
        ("h2load", "saturated", 1),
        ("serverlab", "half", 1),
        ("serverlab, again", "half", 1),
        ("wrk", "half", 0),
        ("h2load", "half", 1),
    ]
    again = cli("crosscheck", "--show", f"crosscheck/{path.name}", "--format", "markdown")
    assert (again.code, again.out) == (Exit.OK, outcome.out)


def test_a_target_that_is_named_twice_is_measured_once(cli, fake):
    cli("crosscheck", "gunicorn", "gunicorn:gthread", "--rounds", "1")
    (path,) = fake.root.glob("results/crosscheck/*/crosscheck.json")
    assert json.loads(path.read_text())["targets"] == ["gunicorn:gthread"]


def test_a_cross_check_of_which_nothing_is_valid_is_not_enough(cli, fake):
    fake.rps = 0
    for tool in ("wrk", "h2load"):
        fake.says[tool] = lambda: ExecResult(exit_code=1, output=b"")
    assert cli("crosscheck", "gunicorn", "--rounds", "1").code == Exit.NOT_ENOUGH_EVIDENCE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "csv"], "unknown format 'csv'"),
        (["gunicorn", "--show", "crosscheck/x"], "name nothing else"),
        (["--experiment", "quick", "--show", "crosscheck/x"], "name nothing else"),
        (["--show", "crosscheck/x"], "no cross-check"),
        (["--experiment", "quick"], "a cross-check is of the workload profile alone"),
        (["nothing"], "nothing"),
        (["--rounds", "0"], "Must be >= 1"),
    ],
)
def test_what_makes_no_sense_is_refused(cli, fake, words, said):
    write(fake.root, "experiments/quick.toml", EXPERIMENT.replace('["profile"]', '["static"]'))
    outcome = cli("crosscheck", *words)
    assert outcome.code == Exit.USAGE
    assert said in outcome.err


def test_a_window_in_which_the_engine_would_lose_patience_is_refused(cli, fake):
    write(
        fake.root,
        "experiments/crosscheck.toml",
        EXPERIMENT.replace("duration_s = 1.0", "duration_s = 60.0"),
    )
    outcome = cli("crosscheck")
    assert outcome.code == Exit.USAGE
    assert "its warm-up and window take 40 s at most" in outcome.err
