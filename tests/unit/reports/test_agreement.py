"""Two runs of the same side by side in the docs."""

from __future__ import annotations

import pytest

from serverlab.analysis import tabulate
from serverlab.analysis.agreement import agreement
from serverlab.errors import UsageError
from serverlab.reports.agreement import render_agreement
from serverlab.reports.docs import render_docs
from tests.unit.builders import GTHREAD, RUNSERVER, UWSGI, a_plan, a_run, trials

# ruff: noqa: E501 - the lines of a table are as long as they are
TABLE = """\
Of 2 rows with an interval in both runs, the two overlap in 1; they do not in runserver:threaded (profile, 1 core). 0 rows without an interval in one of them.

| section | row | ratio in `one` | in `two` | overlap |
| :-- | :-- | :-- | :-- | :-- |
| profile, 1 core | uwsgi:http | 0.90 \\[0.90–0.90\\] | 0.90 \\[0.90–0.90\\] | yes |
| profile, 1 core | runserver:threaded | 0.75 \\[0.75–0.75\\] | 0.50 \\[0.50–0.50\\] | **no** |"""


def table(runserver, *, rounds=3):
    return tabulate(
        a_run(
            trials(GTHREAD, *(400,) * rounds),
            trials(RUNSERVER, *(runserver,) * rounds),
            trials(UWSGI, *(360,) * rounds),
            plan=a_plan(targets=(GTHREAD, RUNSERVER, UWSGI), rounds=rounds),
        )
    )


def test_the_rows_that_do_not_overlap_are_named():
    assert render_agreement(agreement(table(300), table(200)), "one", "two") == TABLE


def test_rows_without_an_interval_are_counted():
    text = render_agreement(agreement(table(300), table(300, rounds=2)), "one", "two")
    assert text.startswith("Of 0 rows with an interval in both runs, the two overlap in 0. 2 rows without ")
    assert text.endswith("| runserver:threaded | 0.75 \\[0.75–0.75\\] | – | – |")


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
