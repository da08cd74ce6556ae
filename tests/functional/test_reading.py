"""Reading and judging a run takes time in proportion to its trials: counted in calls, which no busy machine changes."""

import cProfile
import pstats

import pytest

from benchmarks.reading import make_run
from serverlab import analysis, reports, store


def calls(folder, *, rounds, trials):
    path = make_run(folder, rounds=rounds, trials=trials)
    with cProfile.Profile() as profile:
        table = analysis.tabulate(store.read_run(path))
        for render in reports.FORMATS.values():
            render(table)
    return pstats.Stats(profile).total_calls


def test_a_run_that_is_timed_is_written_as_a_run_is(tmp_path):
    path = make_run(tmp_path, rounds=4, trials=48)
    run = store.read_run(path)
    assert (len(run.trials), run.problems) == (48, ())
    lines = (path / "trials.jsonl").read_bytes().splitlines()
    assert lines == [store.line_of(trial) for trial in run.trials]
    assert {trial.proof_after.identity["packages"] for trial in run.trials} == set(
        store.read_packages(path).lists
    )
    assert {run.ceilings.of(trial.setup).rps for trial in run.trials} == {4000.0}


@pytest.fixture(autouse=True)
def _what_is_imported_late(tmp_path):
    calls(tmp_path / "first", rounds=4, trials=48)


def test_twice_the_rounds_take_at_most_twice_the_calls(tmp_path):
    one = calls(tmp_path / "one", rounds=20, trials=600)
    assert calls(tmp_path / "two", rounds=40, trials=1200) < 2.1 * one


def test_twice_the_targets_take_hardly_more_than_twice_the_calls(tmp_path):
    one = calls(tmp_path / "one", rounds=4, trials=600)
    assert calls(tmp_path / "two", rounds=4, trials=1200) < 2.5 * one
