"""A search that is killed at any moment loses at most the trial under way, and what it had planned stays planned."""

import signal

import pytest

from serverlab import store
from serverlab.analysis.capacity_tabulating import capacity_table
from serverlab.model.capacity import Outcome
from tests.killed import outcomes_of, whole_lines

STRIDE = 37  # of about 150 points; 1 takes minutes


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """The outcome of each point, by its folder."""
    return outcomes_of(tmp_path_factory.mktemp("killed"), ["capacity", "gunicorn"], stride=STRIDE)


def runs(folder):
    return [plan.parent for plan in folder.glob("capacity/*/plan.json")]


def killed_in_a_search(outcomes):
    """For each point at which there was a search: that one as it was left, as it is now, and its folder."""
    for root, outcome in outcomes.items():
        if outcome.get("began"):
            (left,), (now,) = runs(root / "killed"), runs(root / "results")
            yield left, now, root


def test_points_before_between_and_after_the_trials_are_among_them(outcomes):
    *killed, last = outcomes.values()
    assert {outcome["code"] for outcome in killed} == {-signal.SIGKILL}
    assert {outcome["resumed"] for outcome in killed} == {0}
    assert last["code"] == 0
    assert {outcome["began"] for outcome in killed} == {False, True}
    assert len({len(whole_lines(left)) for left, _, _ in killed_in_a_search(outcomes)}) > 2


def test_what_was_saved_and_planned_stays_and_the_search_comes_to_its_end(outcomes):
    for left, now, _ in killed_in_a_search(outcomes):
        before, run = store.read_run(left), store.read_run(now)
        kept = whole_lines(left)
        assert whole_lines(now)[: len(kept)] == kept
        assert run.plan.trials[: len(before.plan.trials)] == before.plan.trials
        assert [trial.planned for trial in run.trials] == list(run.plan.trials)
        assert len(run.problems) == len(before.problems)
        (section,) = capacity_table(run).sections
        assert [row.found.outcome for row in section.rows] == [Outcome.AT_LEAST]


def test_at_most_the_trial_under_way_is_measured_again(outcomes):
    for root in outcomes:
        (run,) = runs(root / "results")
        measured = len((root / "measured").read_text().splitlines())
        assert measured - len(whole_lines(run)) in (0, 1), root


def test_every_saved_trial_has_its_raw_files_and_nothing_half_written_stays(outcomes):
    *_, last = outcomes
    (whole,) = runs(last / "results")
    (wanted,) = {kinds_of(whole, trial) for trial in store.read_run(whole).trials}
    assert wanted
    for left, now, root in killed_in_a_search(outcomes):
        for run in (left, now):
            assert {kinds_of(run, trial) for trial in store.read_run(run).trials} <= {wanted}, root
        assert [path.name for path in now.rglob(".*")] == []


def kinds_of(run, trial):
    """The kinds of raw files that lie beside the trial."""
    prefix = f"{trial.planned.id}."
    return tuple(sorted(path.name.removeprefix(prefix) for path in (run / "raw").glob(f"{prefix}*")))
