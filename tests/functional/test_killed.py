"""A run that is killed at any moment loses at most the trial under way, and is gone on with as if nothing had been."""

import signal

import pytest

from serverlab import store
from tests.killed import outcomes_of, whole_lines

TRIALS = 2
STRIDE = 3  # of about 90 points; 1 takes a minute


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """The outcome of each point, by its folder."""
    words = ["run", "quick", "--rounds", "1"]
    return outcomes_of(tmp_path_factory.mktemp("killed"), words, stride=STRIDE)


def runs(folder):
    return [plan.parent for plan in folder.glob("quick/*/plan.json")]


def killed_in_a_run(outcomes):
    """For each point at which there was a run: that run as it was left, and as it is now."""
    for root, outcome in outcomes.items():
        if outcome.get("began"):
            (left,), (now,) = runs(root / "killed"), runs(root / "results")
            yield left, now


def test_each_process_is_killed_but_the_last_and_each_is_gone_on_with(outcomes):
    *killed, last = outcomes.values()
    assert len(killed) > 20
    assert {outcome["code"] for outcome in killed} == {-signal.SIGKILL}
    assert {outcome["resumed"] for outcome in killed} == {0}
    assert last["code"] == 0


def test_points_before_between_and_after_the_trials_are_among_them(outcomes):
    began = [outcome["began"] for outcome in outcomes.values() if "began" in outcome]
    assert set(began) == {False, True}
    assert {len(whole_lines(left)) for left, _ in killed_in_a_run(outcomes)} == {0, 1, 2}


def test_what_was_saved_stays_byte_for_byte_and_the_rest_is_measured(outcomes):
    for left, now in killed_in_a_run(outcomes):
        kept = whole_lines(left)
        assert whole_lines(now)[: len(kept)] == kept
        run = store.read_run(now)
        assert (len(run.trials), store.pending(run)) == (TRIALS, ())
        assert len(run.problems) == len(store.read_run(left).problems)


def test_at_most_the_trial_under_way_is_measured_again(outcomes):
    for root, outcome in outcomes.items():
        measured = len((root / "measured").read_text().splitlines())
        assert measured - TRIALS in (0, 1), outcome


def test_every_saved_trial_has_its_raw_files_and_nothing_half_written_stays(outcomes):
    *_, whole = (run for root in outcomes for run in runs(root / "results"))
    kinds = {path.suffix for path in (whole / "raw").iterdir()}
    assert kinds
    for left, now in killed_in_a_run(outcomes):
        for run, trials in ((left, store.read_run(left).trials), (now, store.read_run(now).trials)):
            for trial in trials:
                names = [path.name for path in (run / "raw").glob(f"{trial.planned.id}.*")]
                assert len(names) == len({*(whole / "raw").iterdir()}) / TRIALS
        assert [path.name for path in now.rglob(".*")] == []
