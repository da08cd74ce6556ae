"""Two runs of the same side by side in the docs."""

from __future__ import annotations

import msgspec
import pytest

from serverlab.analysis import tabulate
from serverlab.analysis.agreement import agreement, likeness
from serverlab.errors import UsageError
from serverlab.reports.agreement import render_agreement
from serverlab.reports.docs import render_docs
from tests.unit.builders import GTHREAD, RUNSERVER, UWSGI, a_plan, a_run, an_environment, trials

# ruff: noqa: E501 - the lines of a table are as long as they are
TABLE = """\
Of 2 rows with an interval in both runs, the two overlap in 1; they do not in runserver:threaded (profile, 1 core). 0 rows without an interval in one of them.

Nothing differs that should be the same in both runs.

| section | row | ratio in `one` | in `two` | overlap |
| :-- | :-- | :-- | :-- | :-- |
| profile, 1 core | uwsgi:http | 0.90 \\[0.90–0.90\\] | 0.90 \\[0.90–0.90\\] | yes |
| profile, 1 core | runserver:threaded | 0.75 \\[0.75–0.75\\] | 0.50 \\[0.50–0.50\\] | **no** |"""


def run(runserver, *, rounds=3, environment=None, hashes=None):
    plan = a_plan(targets=(GTHREAD, RUNSERVER, UWSGI), rounds=rounds)
    return a_run(
        trials(GTHREAD, *(400,) * rounds),
        trials(RUNSERVER, *(runserver,) * rounds),
        trials(UWSGI, *(360,) * rounds),
        plan=msgspec.structs.replace(plan, hashes=plan.hashes | (hashes or {})),
        environment=environment,
    )


def rendered(first, second):
    pairs = agreement(tabulate(first), tabulate(second))
    return render_agreement(pairs, "one", "two", likeness(first, second))


def test_the_rows_that_do_not_overlap_are_named():
    assert rendered(run(300), run(200)) == TABLE


def test_rows_without_an_interval_are_counted():
    text = rendered(run(300), run(300, rounds=2))
    assert text.startswith("Of 0 rows with an interval in both runs, the two overlap in 0. 2 rows without ")
    assert text.endswith("| runserver:threaded | 0.75 \\[0.75–0.75\\] | – | – |")


def test_files_that_are_not_the_same_are_named_since_the_two_did_not_measure_the_same():
    before, after = (run(300, hashes={"lab": each * 20, "server/gunicorn": each * 20}) for each in "ab")
    listed = "\n".join(
        [
            "Nothing differs that should be the same in both runs.",
            "",
            "What else differs:",
            "",
            f"- files of lab: {'a' * 12} → {'b' * 12}",
            f"- files of server/gunicorn: {'a' * 12} → {'b' * 12}",
            "",
            "| section |",
        ]
    )
    assert listed in rendered(before, after)


def test_what_should_be_the_same_comes_first():
    other = an_environment(kernel="6.2.0", commit="f" * 40)
    opening, _, rest = rendered(run(300), run(300, environment=other)).partition("\n\n")
    assert opening.startswith("Of 2 rows")
    assert rest.startswith(
        "What should be the same in both runs and is not:\n\n- kernel: 6.1.0 → 6.2.0\n\n"
        "What else differs:\n\n- commit: 0123456789ab → ffffffffffff\n\n| section |"
    )


@pytest.mark.parametrize(
    ("marker", "mistake"),
    [
        ("agreement: results/a", "agreement marker: again missing"),
        ("agreement: results/a again=results/b", "results/a: no such run"),
        ("agreement: results/a again=results/b cpus=1", "unknown key of a agreement marker 'cpus'"),
    ],
)
def test_a_wrong_marker_is_a_mistake(tmp_path, marker, mistake):
    page = tmp_path / "page.md"
    page.write_text(f"<!-- {marker} --><!-- /agreement -->\n")
    with pytest.raises(UsageError, match=mistake):
        render_docs([page], tmp_path)
