"""How a workload says that requests arrive: what is refused, and what an experiment makes of it."""

import pytest

from serverlab.catalog import load_catalog, read_experiment
from serverlab.catalog.checks import workload_mistakes
from serverlab.errors import UsageError
from serverlab.model.definitions import Arrival, LoadOverrides, Spacing, Step
from tests.checkout import make_checkout, write
from tests.unit.builders import a_workload


def an_open(**changes):
    return a_workload(**{"arrival": Arrival.OPEN, "rate": 200.0} | changes)


def ten_seconds(**first):
    return (Step(duration_s=4.0, **first), Step(duration_s=6.0, rate=80.0))


@pytest.mark.parametrize(
    "workload",
    [
        an_open(),
        an_open(spacing=Spacing.POISSON),
        an_open(rate=None, steps=ten_seconds(rate=20.0, ramp_to=80.0)),
        a_workload(steps=(Step(duration_s=4.0, users=1), Step(duration_s=6.0, users=16))),
    ],
)
def test_arrivals_that_are_whole_have_no_mistakes(workload):
    assert list(workload_mistakes(workload)) == []


@pytest.mark.parametrize(
    ("workload", "mistake"),
    [
        (
            an_open(rate=None),
            "rate: missing; where arrival is open it says how many requests are due per second",
        ),
        (an_open(steps=ten_seconds(rate=10.0)), "rate: steps have their own; leave one of the two out"),
        (
            an_open(think_time_ms=5.0),
            "think_time_ms: nobody thinks where requests are due at a rate; leave it out",
        ),
        (
            an_open(needs=("websocket",)),
            "arrival: only requests can be due at a rate, and these users hold sockets; closed is what they can",
        ),
        (
            an_open(rate=None, steps=ten_seconds()),
            "steps[0].rate: missing; where arrival is open each step has one",
        ),
        (
            an_open(rate=None, steps=ten_seconds(rate=10.0, users=3)),
            "steps[0].users: where arrival is open the rate changes; users at the top is their bound",
        ),
        (
            an_open(rate=None, steps=(Step(duration_s=9.5, rate=10.0),)),
            "steps[0].duration_s: 9.5 is no whole number of seconds",
        ),
        (
            an_open(rate=None, steps=(Step(duration_s=9.0, rate=10.0),)),
            "steps: they last 9 s together, the window 10 s",
        ),
        (
            a_workload(rate=5.0),
            "rate: only where arrival is open; closed users ask as fast as they are answered",
        ),
        (
            a_workload(spacing=Spacing.CONSTANT),
            "spacing: only where arrival is open; closed users ask as fast as they are answered",
        ),
        (
            a_workload(steps=(Step(duration_s=10.0, users=2, rate=5.0),)),
            "steps[0].rate: only where arrival is open; here each step has users",
        ),
        (
            a_workload(steps=(Step(duration_s=10.0),)),
            "steps[0].users: missing; where arrival is closed each step has them",
        ),
        (
            a_workload(steps=(Step(duration_s=10.0, users=17),)),
            "steps[0].users: 17 is more than the workload's 16",
        ),
    ],
)
def test_what_does_not_fit_the_arrival_is_told_with_its_key(workload, mistake):
    assert mistake in list(workload_mistakes(workload))


def test_a_closed_workload_becomes_open_by_the_experiment_and_loses_what_is_of_users_alone():
    closed = a_workload(think_time_ms=20.0, steps=(Step(duration_s=10.0, users=4),))
    changed = LoadOverrides(arrival=Arrival.OPEN, rate=50.0, spacing=Spacing.POISSON, users=64).applied_to(
        closed
    )
    assert changed == a_workload(arrival=Arrival.OPEN, rate=50.0, spacing=Spacing.POISSON, users=64)


def test_an_open_workload_becomes_closed_and_loses_its_rate():
    assert LoadOverrides(arrival=Arrival.CLOSED).applied_to(an_open(spacing=Spacing.POISSON)) == a_workload()


def test_a_rate_takes_the_place_of_steps_and_steps_that_of_a_rate():
    steps = ten_seconds(rate=20.0)
    assert LoadOverrides(rate=200.0).applied_to(an_open(rate=None, steps=steps)) == an_open()
    assert LoadOverrides(steps=steps).applied_to(an_open()) == an_open(rate=None, steps=steps)


def test_the_course_of_a_rate_that_does_not_change_is_one_step():
    assert an_open().course() == (Step(duration_s=10.0, rate=200.0),)
    assert a_workload().course() == ()


EXPERIMENT = """
format = 1
title = "Open"
question = "How long do answers take?"
targets = ["gunicorn", "runserver"]
workloads = ["profile"]
reference = "gunicorn"

[load]
{load}
"""


def test_an_experiment_that_makes_workloads_open_is_read_with_its_rate_and_steps(tmp_path):
    root = make_checkout(tmp_path)
    path = write(root, "experiments/open.toml", EXPERIMENT.format(load='arrival = "open"\nrate = 50'))
    assert read_experiment(path, load_catalog(root)).load == LoadOverrides(arrival=Arrival.OPEN, rate=50.0)


def test_an_experiment_whose_changes_do_not_fit_a_workload_is_refused_with_its_name(tmp_path):
    root = make_checkout(tmp_path)
    path = write(root, "experiments/open.toml", EXPERIMENT.format(load="rate = 50"))
    with pytest.raises(UsageError) as refused:
        read_experiment(path, load_catalog(root))
    assert refused.value.what == (
        f"{path}: load, with profile: rate: only where arrival is open; closed users ask as fast as they are answered"
    )
