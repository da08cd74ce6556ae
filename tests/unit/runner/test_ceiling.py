"""The generator's ceiling: measured once for each set-up, kept with the run, and nothing is left behind."""

from __future__ import annotations

from dataclasses import replace

import docker.errors
import pytest

from serverlab import store
from serverlab.catalog import make_plan, read_experiment
from serverlab.errors import CommandFailed, EnvironmentLacks, Interrupted
from serverlab.model.ceilings import Connections, LoadSetup
from serverlab.model.definitions import Arrival
from serverlab.model.records import CoreSplit, State
from serverlab.runner import resume_run, start_run
from serverlab.runner.ceiling import measure_ceiling
from serverlab.runner.run import bench_of
from tests.fake_lab import a_result, interrupt
from tests.unit.builders import an_environment

SPLIT = CoreSplit(stack="0", generator="1", disjoint=True)


@pytest.fixture
def plan(fake):
    experiment = read_experiment(fake.root / "experiments/quick.toml", fake.lab.catalog)
    return make_plan(fake.lab.catalog, experiment, name="quick", experiment_hash="e" * 64)


def describe(name, splits):
    return an_environment(run=name, core_splits=dict(splits))


def start(fake, plan):
    return start_run(fake.lab, plan, cores=(0, 1), describe=describe)


def a_setup(**changes):
    plain = {"users": 32, "connections": Connections.KEPT, "arrival": Arrival.CLOSED, "cpus": 1}
    return LoadSetup(**plain | changes)


def measured(fake, setup):
    return measure_ceiling(bench_of(fake.lab), setup, split=SPLIT, label="quick-1")


def with_one_that_closes(fake):
    """Every connection of runserver serves one request."""

    def result(given, began, ended):
        made = a_result(began, ended, ok=fake.rps)
        closes = given["LAB_SERVER"] == "runserver"
        return made | {"connections": {"opened": fake.rps if closes else 16, "replaced": 0}}

    fake.result = result


def test_a_run_measures_the_ceiling_of_a_set_up_once(fake, plan):
    path = start(fake, plan)
    (kept,) = store.read_run(path).ceilings.ceilings
    assert kept.setup == a_setup(users=16)
    assert kept.rps > 0
    assert kept.wall_s > 0
    assert len(fake.ceilings) == 1
    assert len(store.read_run(path).trials) == len(plan.trials)


def test_connections_that_a_server_closes_have_a_ceiling_of_their_own(fake, plan):
    with_one_that_closes(fake)
    path = start(fake, plan)
    kept = store.read_run(path).ceilings
    assert {each.setup.connections for each in kept.ceilings} == {Connections.KEPT, Connections.NEW}
    asked = {each["LOCUST_LOCUSTFILE"] for each in fake.ceilings}
    assert asked == {"/loadtests/ping/locustfile.py", "/loadtests/ping-close/locustfile.py"}


def test_the_generator_is_set_up_as_in_the_trials_and_the_server_does_nothing(fake):
    found = measured(fake, a_setup())
    assert (found.setup, found.reason) == (a_setup(), None)
    (given,) = fake.ceilings
    asked = ("LOCUST_USERS", "LAB_LOAD_ARRIVAL", "LAB_LOAD_WARMUP_S", "LAB_LOAD_DURATION_S", "LOCUST_HOST")
    assert [given[name] for name in asked] == ["32", "closed", "0.5", "2.0", "http://app:8000"]
    assert (given["LAB_CPUSET"], given["LAB_LOAD_CPUSET"], given["LAB_RUN"]) == ("0", "1", "quick-1")
    laid = [[word.rpartition("/")[2] for word in call.split() if ".yml" in word] for call in fake.shell.calls]
    assert laid == [["null.yml", "load.yml", "held.yml"]]
    assert fake.client.is_empty


def test_an_open_load_has_more_requests_due_than_can_be_sent(fake):
    measured(fake, a_setup(arrival=Arrival.OPEN, users=64))
    (given,) = fake.ceilings
    assert (given["LAB_LOAD_ARRIVAL"], given["LAB_LOAD_STEPS"]) == ("open", "[[50000.0, 50000.0, 2.0]]")


def test_a_trial_that_is_void_needs_no_ceiling(fake, plan):
    for number in (1, 2, 3):
        fake.trouble[f"up {number}"] = lambda: fake.app.statuses.update({"/healthz": 500})
    fake.trouble["up 4"] = fake.app.statuses.clear
    path = start(fake, plan)
    states = [trial.state for trial in store.read_run(path).trials]
    assert states == [*[State.VOID] * 3, State.MEASURED]
    assert len(fake.ceilings) == 1


def test_a_ceiling_that_cannot_be_measured_is_kept_with_its_reason_and_spoils_no_trial(fake, plan):
    fake.ceiling = lambda began, ended: (
        a_result(began, ended, ok=5)
        | {"errors": [{"name": "/", "kind": "status", "status": 404, "count": 3, "example": "404"}]}
    )
    path = start(fake, plan)
    run = store.read_run(path)
    (kept,) = run.ceilings.ceilings
    assert (kept.rps, kept.generator_cores) == (None, None)
    assert (kept.reason, kept.tries) == ("requests to a server that does nothing failed: status", 3)
    assert {trial.state for trial in run.trials} == {State.MEASURED}
    assert fake.client.is_empty


def test_a_generator_that_was_not_sampled_leaves_no_ceiling_and_no_half_of_a_run(fake):
    plain = fake.client.stats_of

    def stats(container):
        return {} if "load" in container.name else plain(container)

    fake.client.stats_of = stats
    found = measured(fake, a_setup())
    assert (found.rps, found.generator_cores) == (None, None)
    assert found.reason == "not sampled: load; see which figures the engine gives (`serverlab doctor`)"


def breaking(error):
    def breaks():
        raise error

    return breaks


@pytest.mark.parametrize(
    "error",
    [EnvironmentLacks("an image is missing"), CommandFailed("starting null did not end within 180 s")],
)
def test_a_ceiling_that_breaks_off_stops_no_run_and_loses_no_trial(fake, plan, error):
    fake.trouble["ceiling"] = breaking(error)
    run = store.read_run(start(fake, plan))
    (kept,) = run.ceilings.ceilings
    assert (kept.rps, kept.reason, kept.tries) == (None, error.what, 3)
    assert [trial.state for trial in run.trials] == [State.MEASURED] * 4
    assert fake.client.is_empty


def test_a_ceiling_that_could_not_be_measured_is_tried_again_after_the_next_trial(fake, plan):
    def breaks_once():
        fake.trouble.clear()
        raise CommandFailed("late")

    fake.trouble["ceiling"] = breaks_once
    (kept,) = store.read_ceilings(start(fake, plan)).ceilings
    assert (kept.setup, kept.reason, kept.tries) == (a_setup(users=16), None, 2)
    assert kept.rps > 0


def test_an_engine_that_no_longer_answers_while_a_ceiling_is_measured_ends_the_run_with_the_trial_saved(
    fake, plan
):
    fake.trouble["ceiling"] = breaking(docker.errors.APIError("500 Server Error"))
    with pytest.raises(EnvironmentLacks, match="no longer answers") as ended:
        start(fake, plan)
    assert ended.value.hint.startswith("1 trials are saved")
    (path,) = (fake.root / "results/quick").iterdir()
    assert [trial.planned for trial in store.read_run(path).trials] == list(plan.trials[:1])


def test_without_the_image_of_the_server_that_does_nothing_no_ceiling_is_tried(fake):
    lab = replace(fake.lab, unbuilt={"nginx": "building nginx failed\n  | no space left"})
    found = measure_ceiling(bench_of(lab), a_setup(), split=SPLIT, label="quick-1")
    assert (found.rps, found.reason) == (None, "building nginx failed")
    assert (fake.ceilings, fake.shell.calls) == ([], [])


def test_ctrl_c_while_a_ceiling_is_measured_leaves_nothing_and_the_run_goes_on_with_it(fake, plan):
    fake.trouble["ceiling"] = interrupt
    with pytest.raises(Interrupted):
        start(fake, plan)
    assert fake.client.is_empty
    (path,) = (fake.root / "results/quick").iterdir()
    assert store.read_run(path).ceilings.ceilings == ()
    assert [trial.planned for trial in store.read_run(path).trials] == list(plan.trials[:1])
    fake.trouble.clear()
    resume_run(fake.lab, path, describe=describe)
    run = store.read_run(path)
    assert len(run.ceilings.ceilings) == 1
    assert len(run.trials) == len(plan.trials)


def test_a_run_that_goes_on_keeps_the_ceilings_that_it_has(fake, plan):
    fake.trouble["up 2"] = interrupt
    with pytest.raises(Interrupted):
        start(fake, plan)
    fake.trouble.clear()
    (path,) = (fake.root / "results/quick").iterdir()
    before = store.read_ceilings(path)
    assert len(before.ceilings) == 1
    resume_run(fake.lab, path, describe=describe)
    assert store.read_ceilings(path) == before
    assert len(fake.ceilings) == 1
