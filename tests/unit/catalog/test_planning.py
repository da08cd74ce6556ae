"""From an experiment to the order of its trials."""

from itertools import groupby

import pytest

from serverlab.catalog import load_catalog, make_plan
from serverlab.catalog.planning import overridden, with_a_round_more
from serverlab.errors import UsageError
from serverlab.model.definitions import LoadOverrides, Prediction, ReferenceScope
from tests.checkout import make_checkout
from tests.unit.builders import a_workload, an_experiment

SIX = {
    "targets": ("gunicorn", "gunicorn:sync", "runserver", "uwsgi", "daphne", "gunicorn+nginx"),
    "workloads": ("profile",),
    "reference": "gunicorn",
}


@pytest.fixture
def catalog(tmp_path):
    return load_catalog(make_checkout(tmp_path))


@pytest.fixture
def plan(catalog):
    def plan(**changes):
        return make_plan(catalog, an_experiment(**SIX | changes), name="quick", experiment_hash="e" * 64)

    return plan


def cells(trials):
    return [(each.target, each.workload, each.cpus) for each in trials]


def test_rounds_follow_each_other_and_each_holds_every_cell_once(plan):
    trials = plan(rounds=4, cpus=(1, 2), workloads=("profile",)).trials
    rounds = {number: list(group) for number, group in groupby(trials, key=lambda each: each.round)}
    assert list(rounds) == [1, 2, 3, 4]
    for group in rounds.values():
        assert len(group) == len(set(cells(group))) == 12
        assert set(cells(group)) == set(cells(rounds[1]))


def test_every_round_has_an_order_of_its_own(plan):
    trials = plan(rounds=3).trials
    orders = {tuple(cells(trials[start : start + 6])) for start in (0, 6, 12)}
    assert len(orders) == 3


def test_the_same_seed_gives_the_same_order_and_another_seed_another(plan):
    assert plan(seed=1).trials == plan(seed=1).trials
    assert plan(seed=1).trials != plan(seed=2).trials


def test_more_rounds_leave_the_first_ones_as_they_were(plan):
    assert plan(rounds=5).trials[:12] == plan(rounds=2).trials


def test_a_trials_name_says_what_it_is_and_can_be_a_file_name(plan):
    ids = [each.id for each in plan(rounds=1).trials]
    assert "r01-profile-c1-gunicorn.gthread+nginx" in ids
    assert len(set(ids)) == 6


def test_each_block_that_holds_the_reference_measures_it_once_more(plan):
    made = plan(rounds=2, cpus=(1, 2), workloads=("profile", "static"), control=True)
    twice = [(each.round, each.target, each.workload, each.cpus) for each in made.trials if each.control]
    assert sorted(twice) == [
        (number, "gunicorn:gthread", "profile", cpus) for number in (1, 2) for cpus in (1, 2)
    ]
    assert len({each.id for each in made.trials}) == len(made.trials)
    assert "r02-profile-c1-gunicorn.gthread-control" in {each.id for each in made.trials}


def test_with_references_per_edge_each_of_them_has_a_control(plan):
    made = plan(rounds=1, control=True, reference_scope=ReferenceScope.EDGE)
    assert sorted(each.target for each in made.trials if each.control) == [
        "gunicorn:gthread",
        "gunicorn:gthread+nginx",
    ]


def test_a_control_comes_anywhere_in_the_block_of_its_reference(plan):
    places = {
        [each.control for each in trials if each.target != "gunicorn:gthread+nginx"].index(True)
        for _, trials in groupby(plan(rounds=60, control=True).trials, key=lambda each: each.round)
        for trials in [list(trials)]
    }
    assert places == {0, 1, 2, 3, 4, 5}


def test_a_round_more_is_the_one_that_a_longer_plan_would_have_had(plan):
    longer = plan(rounds=3, control=True)
    grown = with_a_round_more(plan(rounds=2, control=True))
    assert (grown.trials, grown.experiment) == (longer.trials, longer.experiment)


def test_targets_of_predictions_are_kept_under_their_full_names(plan):
    made = plan(predictions=(Prediction(target="runserver", ratio=(0.7, 0.9), source="a talk"),))
    assert [each.target for each in made.experiment.predictions] == ["runserver:threaded"]


def test_targets_and_reference_are_kept_under_their_full_names(plan):
    experiment = plan().experiment
    assert experiment.targets[0] == "gunicorn:gthread"
    assert experiment.reference == "gunicorn:gthread"


def test_a_cell_whose_target_lacks_a_capability_is_not_tried_but_told(plan):
    made = plan(rounds=1, targets=("gunicorn", "gunicorn+nginx"), workloads=("profile", "static"))
    assert made.skipped == {"gunicorn:gthread static": "static"}
    assert sorted(cells(made.trials)) == [
        ("gunicorn:gthread", "profile", 1),
        ("gunicorn:gthread+nginx", "profile", 1),
        ("gunicorn:gthread+nginx", "static", 1),
    ]


def test_an_experiment_of_which_nothing_can_be_tried_is_refused(plan):
    with pytest.raises(UsageError, match="experiment quick: no target can do any of its workloads"):
        plan(targets=("gunicorn", "daphne"), workloads=("static",))


def test_the_plan_holds_the_workloads_as_the_experiment_changes_them(plan):
    made = plan(load=LoadOverrides(duration_s=1.5))
    assert (made.workloads["profile"].duration_s, made.workloads["profile"].warmup_s) == (1.5, 2.0)


def test_only_what_an_override_names_is_changed():
    plain = a_workload(users=16, warmup_s=2.0, duration_s=6.0)
    assert overridden(plain, LoadOverrides()) == plain
    assert overridden(plain, LoadOverrides(users=4, warmup_s=1.0)) == a_workload(
        users=4, warmup_s=1.0, duration_s=6.0
    )


def test_the_plan_says_from_which_files_it_was_made(plan):
    assert list(plan(targets=("gunicorn", "runserver")).hashes) == [
        "experiment",
        "app",
        "lab",
        "server/gunicorn",
        "server/runserver",
        "stack",
        "workload/profile",
        "workload/shared",
    ]
