"""A search over a lab without containers: each trial planned from the last ones, saved, and gone on with."""

import msgspec
import pytest

from serverlab import store
from serverlab.analysis.capacity_tabulating import capacity_table
from serverlab.catalog import make_plan, read_experiment
from serverlab.errors import EnvironmentLacks, Interrupted, UsageError
from serverlab.model.capacity import Asked, Outcome, Purpose, Search
from serverlab.model.definitions import Arrival, Spacing, Step
from serverlab.model.records import State
from serverlab.runner import start_run
from serverlab.runner.capacity import formed_by, resume_search, start_search
from tests.checkout import write
from tests.fake_capacity import EXPERIMENT, carrying
from tests.fake_lab import interrupt
from tests.unit.builders import a_workload, an_environment

ASKED = Asked(purpose=Purpose.SEARCH, rate=50.0)
SEARCH = Search(slo=("p99<=250ms",))


@pytest.fixture
def plan(fake):
    fake.result = carrying(1e6, closed=1.15e6)
    path = write(fake.root, "experiments/capacity.toml", EXPERIMENT)
    experiment = read_experiment(path, fake.lab.catalog)
    return make_plan(fake.lab.catalog, experiment, name="capacity", experiment_hash="e" * 64)


def describe(name, splits):
    return an_environment(run=name, core_splits=dict(splits))


def search(fake, plan):
    return store.read_run(start_search(fake.lab, plan, cores=(0, 1), describe=describe))


def saved(fake):
    (path,) = (fake.root / "results/capacity").iterdir()
    return store.read_run(path)


def resume(fake):
    (path,) = (fake.root / "results/capacity").iterdir()
    return store.read_run(resume_search(fake.lab, path, describe=describe))


def asked_of(run):
    return [(each.target, each.asked.purpose, each.asked.rate) for each in run.plan.trials]


def found(run):
    (section,) = capacity_table(run).sections
    return {row.target: row.found for row in section.rows}


def test_each_target_is_searched_to_its_end_and_every_trial_saved_in_the_plan(fake, plan):
    run = search(fake, plan)
    assert run.problems == ()
    assert [trial.planned for trial in run.trials] == list(run.plan.trials)
    assert {trial.state for trial in run.trials} == {State.MEASURED}
    assert {name: each.outcome for name, each in found(run).items()} == {
        "gunicorn:gthread": Outcome.FOUND,
        "runserver:threaded": Outcome.FOUND,
    }
    for each in found(run).values():
        assert each.rate <= 1e6 < each.missed_at <= each.rate * 1.053
    assert fake.client.is_empty


def test_the_trials_of_a_search_have_ids_rounds_and_workloads_of_their_own(fake, plan):
    run = search(fake, plan)
    trials = run.plan.trials
    assert len({each.id for each in trials}) == len(trials)
    assert [each.round for each in trials] == list(range(1, len(trials) + 1))
    assert trials[0].id == "001-profile.closed-c1-gunicorn.gthread"
    assert {each.workload for each in trials} | {"profile"} == set(run.plan.workloads)
    opened = [run.plan.workloads[each.workload] for each in trials if each.asked.rate]
    assert {(each.arrival, each.spacing, each.users) for each in opened} == {
        (Arrival.OPEN, Spacing.POISSON, 64)
    }


def test_the_plan_keeps_the_window_of_each_trial_where_a_rate_is_tried_for_several_purposes(fake, plan):
    shorter = msgspec.structs.replace(plan.experiment.capacity, search_s=2.0)
    experiment = msgspec.structs.replace(plan.experiment, capacity=shorter)
    run = search(fake, msgspec.structs.replace(plan, experiment=experiment))
    windows = {
        (each.asked.rate, each.asked.purpose): run.plan.workloads[each.workload].duration_s
        for each in run.plan.trials
    }
    tried = {rate for rate, purpose in windows if purpose is Purpose.CONFIRM}
    assert tried
    assert {windows[rate, Purpose.SEARCH] for rate in tried} == {2.0}
    assert {windows[rate, Purpose.CONFIRM] for rate in tried} == {shorter.duration_s}


def test_the_generator_is_given_the_rate_and_a_seed_of_its_own_each_time(fake, plan):
    run = search(fake, plan)
    given = [
        each for each in fake.shell.environments if "LAB_LOAD_SEED" in each and each not in fake.ceilings
    ]
    assert [each["LAB_LOAD_SEED"] for each in given] == [str(each.round) for each in run.plan.trials]
    assert {each["LOCUST_LOCUSTFILE"] for each in given} == {"/loadtests/profile/locustfile.py"}


def test_a_generator_that_cannot_carry_more_gives_at_least_and_says_so(fake, plan):
    fake.result = carrying(1e6, generator=8e5, closed=1.15e6)
    results = found(search(fake, plan))
    for each in results.values():
        assert each.outcome is Outcome.AT_LEAST
        assert 8e5 / 1.053 < each.rate <= 8e5
        assert "was VOID: generator-bound: " in each.reason


def test_a_target_that_does_not_start_is_given_up_and_the_next_one_searched(fake, plan):
    for number in (1, 2):
        fake.trouble[f"up {number}"] = lambda: fake.app.statuses.update({"/healthz": 500})
    fake.trouble["up 3"] = fake.app.statuses.clear
    results = found(search(fake, plan))
    assert results["gunicorn:gthread"].outcome is Outcome.UNKNOWN
    assert "status 500, expected 200" in results["gunicorn:gthread"].reason
    assert results["runserver:threaded"].outcome is Outcome.FOUND


@pytest.mark.parametrize("moment", [1, 4, 9, 14])
def test_ctrl_c_keeps_what_was_measured_and_the_search_goes_on_as_if_it_had_not_stopped(fake, plan, moment):
    whole = asked_of(search(fake, plan))
    for each in (fake.root / "results/capacity").iterdir():
        each.rename(fake.root / "results/before")
    fake.stacks = 0
    fake.trouble[f"window {moment}"] = interrupt
    with pytest.raises(Interrupted) as stopped:
        search(fake, plan)
    before = saved(fake)
    assert stopped.value.hint == f"Go on with: serverlab capacity --resume {before.name}"
    assert (len(before.trials), len(before.plan.trials)) == (moment - 1, moment)
    assert fake.client.is_empty
    fake.trouble.clear()
    after = resume(fake)
    assert after.trials[: moment - 1] == before.trials
    assert [trial.planned for trial in after.trials] == list(after.plan.trials)
    assert [each[:2] for each in asked_of(after)] == [each[:2] for each in whole]


def test_a_search_that_is_complete_needs_no_further_trial(fake, plan):
    run = search(fake, plan)
    assert resume(fake).trials == run.trials


def test_a_search_does_not_go_on_when_what_it_measures_has_changed(fake, plan):
    search(fake, plan)
    served = fake.root / "deploy" / "gunicorn" / "server.toml"
    served.write_text(served.read_text() + "# changed\n")
    with pytest.raises(UsageError, match="server/gunicorn changed since it began"):
        resume(fake)


def test_a_plain_run_is_no_search(fake, plan):
    quick = read_experiment(fake.root / "experiments/quick.toml", fake.lab.catalog)
    plan = make_plan(fake.lab.catalog, quick, name="capacity", experiment_hash="e" * 64)
    start_run(fake.lab, plan, cores=(0, 1), describe=describe)
    with pytest.raises(UsageError, match="not a search for capacity"):
        resume(fake)


def test_a_stack_that_a_person_started_is_left_alone(fake, plan):
    fake.client.add("app", run="up")
    with pytest.raises(EnvironmentLacks, match="a stack is up"):
        search(fake, plan)
    assert not (fake.root / "results").exists()


def test_a_curve_is_measured_closed_and_without_think_time(fake):
    curve = Asked(purpose=Purpose.CURVE, users=8)
    thinking = a_workload(think_time_ms=5.0, users=16)
    formed = formed_by(thinking, SEARCH, curve)
    assert (formed.arrival, formed.users, formed.duration_s, formed.think_time_ms) == (
        Arrival.CLOSED,
        8,
        4.0,
        0.0,
    )


def test_an_open_trial_has_the_rate_alone_and_nothing_of_what_the_workload_says_of_its_own_arrivals():
    stepped = a_workload(arrival=Arrival.OPEN, steps=(Step(duration_s=10.0, rate=5.0),), users=3)
    formed = formed_by(stepped, SEARCH, ASKED)
    assert (formed.rate, formed.steps, formed.users, formed.duration_s) == (50.0, (), 64, 22.0)


@pytest.mark.parametrize(("rate", "warmup_s"), [(1000.0, 2.0), (20.0, 3.2), (1.0, 10.0)])
def test_the_warm_up_is_long_enough_for_a_request_on_each_connection_up_to_a_bound(rate, warmup_s):
    asked = Asked(purpose=Purpose.SEARCH, rate=rate)
    assert formed_by(a_workload(warmup_s=2.0), SEARCH, asked).warmup_s == warmup_s
