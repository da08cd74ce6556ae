"""`compare BASE NEW`: a guard between two runs, with an exit code for each answer."""

import json

import pytest

from serverlab import store
from serverlab.analysis.guarding import HINT
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    a_plan,
    a_void_trial,
    an_environment,
    trials,
)

RULES = ("--fail-on", "p99:+10%", "--fail-on", "rps:-5%")


@pytest.fixture
def a_run_on_disk(root):
    """Writes a run of two targets with these rates of gunicorn and returns its name."""

    def write(run, *rates, more=(), **changes):
        path = store.create_run(
            root / "results", plan=a_plan(rounds=5), environment=an_environment(run=run, **changes)
        )
        for trial in [*trials(GTHREAD, *rates), *trials(RUNSERVER, 300, 302, 299), *more]:
            store.append_trial(path, trial)
        return f"quick/{run}"

    return write


@pytest.fixture
def base(a_run_on_disk):
    return a_run_on_disk("base", 400, 404, 398)


def test_a_run_that_kept_its_speed_passes(cli, base, a_run_on_disk):
    shown = cli("compare", base, a_run_on_disk("new", 402, 399, 401), *RULES)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("quick/new against quick/base\n")
    assert "Verdicts on p99:+10%, rps:-5%: 4 pass\n" in shown.out


def test_a_regression_has_exit_code_1_and_is_named(cli, base, a_run_on_disk):
    shown = cli("compare", base, a_run_on_disk("new", 300, 304, 298), *RULES)
    assert (shown.code, shown.err) == (1, "")
    assert "Verdicts on p99:+10%, rps:-5%: 1 fail, 3 pass\n" in shown.out
    assert (
        "  FAIL rps:-5%: gunicorn:gthread, profile, 1 core: 0.75 [0.73–0.77] lies beyond -5%\n" in shown.out
    )


def test_too_little_evidence_has_an_exit_code_of_its_own(cli, base, a_run_on_disk):
    scattered = a_run_on_disk("new", 300, 404, 398)
    assert cli("compare", base, scattered, *RULES).code == 5
    assert cli("compare", base, scattered, "--fail-on", "p99:+10%").code == 0
    assert cli("compare", base, scattered).code == 0


def test_void_trials_are_no_evidence(cli, base, a_run_on_disk):
    void = [a_void_trial(round=number, reasons=("generator-bound",)) for number in (1, 2, 3)]
    shown = cli("compare", base, a_run_on_disk("new", more=void), *RULES)
    assert shown.code == 5
    assert "UNKNOWN rps:-5%: gunicorn:gthread, profile, 1 core: new run: VOID: generator-bound\n" in shown.out


def test_a_failure_weighs_more_than_an_open_question(cli, base, a_run_on_disk):
    slower = a_run_on_disk("new", 300, 304, 298)
    assert cli("compare", base, slower, *RULES, "--fail-on", "errors:+0.0001pp").code == 1


def test_unlike_runs_are_refused_and_what_differs_is_named(cli, base, a_run_on_disk):
    other = a_run_on_disk("new", 402, 399, 401, kernel="6.2.0", database="postgres")
    refused = cli("compare", base, other, *RULES)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        "serverlab: quick/base and quick/new are unlike:\n"
        "  kernel: 6.1.0 → 6.2.0\n"
        "  database: sqlite → postgres\n"
        "Measure both alike; with --unlike they are compared all the same, and the output says so.\n"
    )
    shown = cli("compare", base, other, *RULES, "--unlike")
    assert (shown.code, shown.err) == (0, "")
    assert "THESE RUNS ARE UNLIKE" in shown.out
    assert "\n  kernel: 6.1.0 → 6.2.0\n  database: sqlite → postgres\n" in shown.out


def test_what_is_put_to_the_test_may_differ_and_is_told(cli, base, a_run_on_disk):
    shown = cli("compare", base, a_run_on_disk("new", 402, 399, 401, commit="f" * 40))
    assert shown.code == 0
    assert "\nWhat else differs:\n  commit: 0123456789ab → ffffffffffff\n" in shown.out


def test_a_machine_reads_the_comparison(cli, base, a_run_on_disk):
    shown = cli("compare", base, a_run_on_disk("new", 300, 304, 298), *RULES, "--format", "json")
    read = json.loads(shown.out)
    assert (shown.code, read["verdict"], read["base"], read["new"]) == (1, "fail", "quick/base", "quick/new")
    assert read["cells"][0]["judgements"][1] == {
        "rule": "rps:-5%",
        "verdict": "fail",
        "reason": "0.75 [0.73–0.77] lies beyond -5%",
    }


def test_nothing_is_written(cli, root, base, a_run_on_disk):
    new = a_run_on_disk("new", 402, 399, 401)
    before = {path: path.stat().st_mtime_ns for path in (root / "results").rglob("*")}
    cli("compare", base, new, *RULES)
    assert {path: path.stat().st_mtime_ns for path in (root / "results").rglob("*")} == before


def test_a_run_is_not_compared_with_itself(cli, root, base):
    refused = cli("compare", base, str(root / "results/quick/base"))
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.endswith(
        "/results/quick/base: this is the run that it was to be compared with\nName another one.\n"
    )


def test_runs_that_share_nothing_cannot_be_compared(cli, root, base):
    path = store.create_run(
        root / "results", plan=a_plan(name="other", cpus=(2,)), environment=an_environment(run="new")
    )
    refused = cli("compare", base, str(path), "--unlike")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        "serverlab: quick/base and other/new cannot be compared: "
        "they share no target with the same workload and budget\nCompare runs of one experiment.\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("quick/base", "quick/base", "--fail-on", "p98:+10%", "--fail-on", "rps:5%"),
            (
                "--fail-on 'p98:+10%': unknown metric 'p98', did you mean 'p99'?\n"
                "--fail-on 'rps:5%': the change is not a number with + or - before it and % or pp behind it\n"
                f"{HINT}\n"
            ),
        ),
        (
            ("quick/base", *RULES),
            "--fail-on and --unlike need two runs\nSay: serverlab compare BASE NEW\n",
        ),
        (
            ("quick/base", "quick/new", "--format", "csv"),
            "unknown format 'csv'\nKnown: text, markdown, json\n",
        ),
        (
            ("quick/base", "quick/nwe"),
            "run 'quick/nwe': no such run, did you mean 'quick/base'?\nThere are runs of: quick\n",
        ),
    ],
)
@pytest.mark.usefixtures("base")
def test_wrong_words_are_refused_with_what_is_known(cli, words, said):
    refused = cli("compare", *words)
    assert (refused.code, refused.out, refused.err) == (2, "", f"serverlab: {said}")
