"""Runs found by path, by name, and by being the newest."""

from __future__ import annotations

import pytest

from serverlab import store
from serverlab.errors import UsageError
from tests.unit.builders import GTHREAD, a_plan, a_trial, an_environment


@pytest.fixture
def root(tmp_path):
    """Two runs of quick, one of scaling; the newest of all has no trials yet."""
    for name, run, started_at, measured in (
        ("quick", "20261120-080000", "2026-11-20T08:00:00+00:00", True),
        ("quick", "20261121-080000", "2026-11-21T08:00:00+00:00", True),
        ("scaling", "20261120-090000", "2026-11-20T09:00:00+00:00", True),
        ("scaling", "20261122-090000", "2026-11-22T09:00:00+00:00", False),
    ):
        path = store.create_run(
            tmp_path, plan=a_plan(name=name), environment=an_environment(run=run, started_at=started_at)
        )
        if measured:
            store.append_trial(path, a_trial(GTHREAD))
    return tmp_path


def test_without_a_name_the_newest_run_with_trials_is_found(root):
    assert store.find_run(root) == root / "quick" / "20261121-080000"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("quick", "quick/20261121-080000"),
        ("quick/", "quick/20261121-080000"),
        ("scaling", "scaling/20261120-090000"),
        ("quick/20261120-080000", "quick/20261120-080000"),
        ("20261120-080000", "quick/20261120-080000"),
        ("scaling/20261122-090000", "scaling/20261122-090000"),
    ],
)
def test_a_run_is_found_by_experiment_by_run_and_by_both(root, name, found):
    assert store.find_run(root, name) == root / found


def test_a_path_is_taken_as_it_is(root):
    path = root / "quick" / "20261120-080000"
    assert store.find_run(root / "elsewhere", str(path)) == path


def test_a_run_without_trials_is_found_where_there_is_no_other(tmp_path):
    path = store.create_run(tmp_path, plan=a_plan(), environment=an_environment())
    assert store.find_run(tmp_path, "quick") == path


def test_an_unknown_name_is_answered_with_the_nearest_and_the_experiments(root):
    with pytest.raises(UsageError) as caught:
        store.find_run(root, "quik")
    assert caught.value.what == "run 'quik': no such run, did you mean 'quick'?"
    assert caught.value.hint == "There are runs of: quick, scaling"


def test_a_run_that_two_experiments_have_must_be_named_in_full(root):
    store.create_run(root, plan=a_plan(name="baseline"), environment=an_environment(run="20261120-080000"))
    with pytest.raises(UsageError, match=r"several: baseline/20261120-080000, quick/20261120-080000"):
        store.find_run(root, "20261120-080000")


@pytest.mark.parametrize("name", [None, "quick"])
def test_no_runs_at_all_are_answered_with_how_to_make_one(tmp_path, name):
    with pytest.raises(UsageError, match="no run there") as caught:
        store.find_run(tmp_path, name)
    assert "serverlab run" in caught.value.hint


def test_a_folder_whose_environment_is_damaged_is_the_oldest(root):
    (root / "quick" / "20261121-080000" / "environment.json").write_bytes(b'{"started_at": "9')
    assert store.find_run(root, "quick") == root / "quick" / "20261120-080000"
