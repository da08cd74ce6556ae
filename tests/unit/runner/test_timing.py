"""What is told of the time that a run takes."""

import msgspec

from serverlab.model.ceilings import Ceiling, Ceilings, Connections, LoadSetup
from serverlab.model.definitions import Arrival, Spacing
from serverlab.runner.timing import seconds_left, seconds_of
from tests.unit.builders import GTHREAD, a_plan, a_run, a_trial, a_workload, planned


def a_ceiling(*, users=16, connections=Connections.KEPT, **changes):
    setup = LoadSetup(users=users, connections=connections, arrival=Arrival.CLOSED, cpus=1)
    plain = {"measured_at": "2026-11-22T10:17:00+00:00", "rps": 9000.0, "generator_cores": 0.9}
    return Ceiling(setup=setup, **plain | changes)


def ceilings(*found):
    return Ceilings(ceilings=found)


KNOWN = ceilings(a_ceiling(wall_s=6.0))


def test_the_time_left_is_the_load_an_expected_overhead_and_a_ceiling_until_they_were_timed():
    plan = a_plan(rounds=2, workload=a_workload(warmup_s=2.0, duration_s=6.0))
    assert seconds_left(plan.trials, plan, []) == 4 * (8.0 + 8.0) + 5.0


def test_the_time_left_follows_what_the_measured_trials_took():
    plan = a_plan(rounds=2, workload=a_workload(warmup_s=2.0, duration_s=6.0))
    measured = [a_trial(wall_s=10.0), a_trial(wall_s=14.0)]
    assert seconds_left(plan.trials[2:], plan, measured, KNOWN) == 2 * (8.0 + 4.0)
    assert seconds_left((), plan, measured) == 0


def test_every_workload_counts_with_its_own_length():
    short, long = a_workload(warmup_s=1.0, duration_s=1.0), a_workload(warmup_s=1.0, duration_s=9.0)
    plan = a_plan(rounds=1, workloads=("profile", "wait"), targets=(GTHREAD,))
    plan = msgspec.structs.replace(plan, workloads={"profile": short, "wait": long})
    measured = [a_trial(wall_s=5.0, workload="profile")]
    assert seconds_left([planned(workload="wait")], plan, measured, KNOWN) == 10.0 + 3.0


def left_for(workload, known, *, cpus=1):
    """The time of the ceilings alone."""
    plan = a_plan(rounds=1, workload=workload, targets=(GTHREAD,))
    load_s = workload.warmup_s + workload.duration_s
    return seconds_left([planned(cpus=cpus)], plan, [a_trial(wall_s=load_s)], known) - load_s


def test_each_set_up_that_has_no_ceiling_yet_takes_as_long_as_those_that_have_one_took():
    known = ceilings(a_ceiling(wall_s=6.0), a_ceiling(users=4, rps=None, tries=2, wall_s=6.0))
    assert left_for(a_workload(), known) == 0
    assert left_for(a_workload(users=32), known) == 4.0
    assert left_for(a_workload(arrival=Arrival.OPEN, rate=9.0, spacing=Spacing.CONSTANT), known) == 4.0
    assert left_for(a_workload(), known, cpus=2) == 4.0


def test_a_ceiling_that_was_tried_in_vain_is_tried_again_until_it_is_given_up():
    assert left_for(a_workload(), ceilings(a_ceiling(rps=None, tries=2, wall_s=8.0))) == 4.0
    assert left_for(a_workload(), ceilings(a_ceiling(rps=None, tries=3, wall_s=9.0))) == 0


def test_websockets_have_no_ceiling():
    assert left_for(a_workload(needs=("websocket",)), Ceilings()) == 0


def test_set_ups_that_trials_share_count_once():
    plan = a_plan(rounds=3)
    assert seconds_left(plan.trials, plan, []) - seconds_left(plan.trials, plan, [], KNOWN) == 5.0


def test_a_longer_plan_takes_what_was_spent_and_what_its_new_trials_will():
    short, long = a_plan(rounds=1), a_plan(rounds=3)
    measured = [a_trial(wall_s=15.0), a_trial("runserver:threaded", wall_s=19.0)]
    run = a_run(measured, plan=short, ceilings=KNOWN)
    assert seconds_of(run, long) == 34.0 + 6.0 + 4 * 17.0


def test_ceilings_of_older_runs_count_with_what_is_usual():
    measured, plan = [a_trial(wall_s=15.0)], a_plan(rounds=1)
    assert seconds_of(a_run(measured, plan=plan, ceilings=ceilings(a_ceiling(tries=2))), plan) == 15.0 + 10.0
