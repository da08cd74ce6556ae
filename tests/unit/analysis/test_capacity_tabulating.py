"""From the trials of searches to the table of what they came to, of one run and of several."""

import msgspec
import pytest

from serverlab.analysis.capacity import cell_of
from serverlab.analysis.capacity_tabulating import capacity_table
from serverlab.errors import UsageError
from serverlab.model.capacity import Answer, Asked, Outcome, Purpose, Search
from serverlab.model.capacity_tables import SearchIn
from serverlab.model.records import State
from serverlab.runner.capacity import with_a_trial
from serverlab.scalability import throughput
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    UWSGI,
    a_latency,
    a_load,
    a_plan,
    a_run,
    a_trial,
    a_usage,
    an_environment,
)

SEARCH = Search(slo=("p99<=250ms", "errors<=0.1%"), shares=(0.5, 0.9))
UNSTEADY = (
    "while it was searched an answer cost the app 2.38 to 3.00 ms of CPU: the machine did not keep its speed, or the "
    "server has more than one; do not rank it, search again"
)
SLOW = a_latency(4000, p50_us=400_000)
FIRST, SECOND = "capacity/20261122-101500", "capacity/20261123-101500"


def tell(plan, cell, asked, **changes):
    """The plan with the trial that was asked for, and the trial."""
    plan = with_a_trial(plan, cell, asked)
    planned = plan.trials[-1]
    return plan, msgspec.structs.replace(a_trial(planned.target, **changes), planned=planned)


def a_search(*, rate=300.0, curve=False, void_above=None):
    """A run of two targets and one that lacks something: gunicorn carries the rate, runserver is VOID."""
    plan = a_plan(
        name="capacity",
        capacity=SEARCH,
        reference=None,
        targets=(RUNSERVER, GTHREAD, UWSGI),
        skipped={f"{UWSGI} profile": "static"},
    )
    plan, made = msgspec.structs.replace(plan, trials=()), []
    cell = cell_of(a_trial(GTHREAD).planned)
    told = [(Asked(purpose=Purpose.CLOSED), {})]
    told += [
        (Asked(purpose=Purpose.SEARCH, rate=rate), {}),
        (Asked(purpose=Purpose.SEARCH, rate=rate * 1.04), missed(void_above)),
        (Asked(purpose=Purpose.SEARCH, rate=rate * 1.04), missed(void_above)),
        (Asked(purpose=Purpose.CONFIRM, rate=rate), {}),
        (Asked(purpose=Purpose.LATENCY, rate=rate / 2, share=0.5), {"load": a_load(rate / 2)}),
        (Asked(purpose=Purpose.LATENCY, rate=rate * 0.9, share=0.9), void("the clock was set")),
        (
            Asked(purpose=Purpose.LATENCY, rate=rate * 0.9, share=0.9),
            {"load": a_load(rate * 0.9, latency=SLOW)},
        ),
    ]
    if curve:
        law = {"rate_of_one": 100.0, "contention": 0.05, "coherency": 0.01}
        told += [
            (Asked(purpose=Purpose.CURVE, users=users), {"load": a_load(throughput(users, **law))})
            for users in (1, 2, 4, 8) * 2
        ]
    for asked, changes in told:
        plan, trial = tell(plan, cell, asked, **changes)
        made.append(trial)
    for _ in range(2):
        plan, trial = tell(
            plan,
            cell_of(a_trial(RUNSERVER).planned),
            Asked(purpose=Purpose.CLOSED),
            **void("it died", load=None),
        )
        made.append(trial)
    return a_run(made, plan=plan)


def void(reason, **changes):
    return {"state": State.VOID, "void_reasons": (reason,), **changes}


def missed(void_above):
    slower = {"load": a_load(250.0, latency=SLOW), "usage": {"app": a_usage(0.6), "load": a_usage(0.3)}}
    return void(void_above) if void_above else slower


def costly(run, cores=1.2):
    """The run whose trials that confirm cost so much CPU; what the others cost is 0.95 cores."""
    trials = [
        msgspec.structs.replace(each, usage=each.usage | {"app": a_usage(cores)})
        if each.planned.asked.purpose is Purpose.CONFIRM
        else each
        for each in run.trials
    ]
    return msgspec.structs.replace(run, trials=tuple(trials))


def later(run, **environment):
    """The run as if it had been made a day later."""
    day = {"run": "20261123-101500", "started_at": "2026-11-23T10:15:00+00:00"}
    return msgspec.structs.replace(run, name=SECOND, environment=an_environment(**day | environment))


def rows(*runs):
    (section,) = capacity_table(*runs).sections
    return {row.target: row for row in section.rows}


def test_targets_stand_in_the_order_of_what_they_carry():
    assert list(rows(a_search())) == [GTHREAD, RUNSERVER, UWSGI]


def test_a_row_has_the_capacity_and_the_latency_at_shares_of_it():
    row = rows(a_search())[GTHREAD]
    assert (row.found.outcome, row.found.rate, row.found.missed_at) == (Outcome.FOUND, 300.0, 312.0)
    assert [(each.share, each.rate, each.answer, each.p50_us, each.p99_us) for each in row.latencies] == [
        (0.5, 150.0, Answer.MET, 30_000, 60_000),
        (0.9, 270.0, Answer.MISSED, 400_000, 800_000),
    ]
    assert (row.trials, row.void, row.remarks) == (8, 1, ("VOID, latency, 1 trial: the clock was set",))


def test_a_row_has_the_cost_of_the_trial_that_confirmed_its_capacity():
    found = rows(costly(a_search(), cores=1.25))
    assert (found[GTHREAD].per_cpu_s, found[RUNSERVER].per_cpu_s, found[UWSGI].per_cpu_s) == (
        320.0,
        None,
        None,
    )


def found_busy(run):
    """The run with a slow core and half of the arrivals sent late, in what confirms and what is at shares."""
    queued = {"scheduled": 4000, "queued": 2000, "unsent": 0}
    trials = [
        msgspec.structs.replace(
            each, load=msgspec.structs.replace(each.load, **queued), speed_before=30.0, speed_after=40.0
        )
        if each.planned.asked.purpose in {Purpose.CONFIRM, Purpose.LATENCY}
        else msgspec.structs.replace(each, speed_before=40.0, speed_after=40.0)
        for each in run.trials
    ]
    return msgspec.structs.replace(run, trials=tuple(trials))


def test_what_is_doubtful_about_a_trial_that_is_shown_stands_among_the_remarks():
    remarks = rows(found_busy(a_search()))[GTHREAD].remarks
    queued = (
        "50 % of the arrivals found all 16 users busy and were sent late: their waiting is in the latencies"
    )
    slow = "just before or after it the core was 25 % slower than the run's median"
    assert remarks == (
        "VOID, latency, 1 trial: the clock was set",
        *(
            f"{where}: {doubt}"
            for where in ("at its capacity", "at 50 % of its capacity", "at 90 % of its capacity")
            for doubt in (queued, slow)
        ),
    )


def test_a_share_whose_last_trial_is_void_has_neither_numbers_nor_doubts():
    run = found_busy(a_search())
    trials = [
        msgspec.structs.replace(each, state=State.VOID, void_reasons=("it died",))
        if each.planned.asked.share == 0.9
        else each
        for each in run.trials
    ]
    row = rows(msgspec.structs.replace(run, trials=tuple(trials)))[GTHREAD]
    assert [(each.answer, each.p50_us) for each in row.latencies] == [
        (Answer.MET, 30_000),
        (Answer.VOID, None),
    ]
    assert [each for each in row.remarks if "90 %" in each] == []


@pytest.mark.parametrize(
    ("cores", "remarks"),
    [
        (1.18, ()),
        (1.2, (UNSTEADY,)),
    ],
)
def test_requests_that_cost_more_in_one_trial_than_in_another_are_told(cores, remarks):
    row = rows(costly(a_search(), cores))[GTHREAD]
    assert row.remarks[1:] == remarks


def test_a_rate_that_was_void_is_no_bound():
    row = rows(a_search(void_above="generator-bound: it used 97%"))[GTHREAD]
    assert (row.found.outcome, row.found.rate, row.found.missed_at) == (Outcome.AT_LEAST, 300.0, None)
    assert row.found.reason == "312/s was VOID: generator-bound: it used 97%"


def test_a_target_that_was_void_throughout_and_one_that_was_not_tried_have_no_number():
    found = rows(a_search())
    assert (found[RUNSERVER].found.outcome, found[RUNSERVER].found.rate) == (Outcome.UNKNOWN, None)
    assert found[RUNSERVER].found.reason == "nothing was answered: it died"
    assert (found[UWSGI].lacks, found[UWSGI].trials) == ("static", 0)


def test_a_curve_is_fitted_over_all_valid_trials_and_its_peak_stated():
    row = rows(a_search(curve=True))[GTHREAD]
    assert [(each.users, len(each.each)) for each in row.curve] == [(1, 2), (2, 2), (4, 2), (8, 2)]
    assert row.fit.contention.middle == pytest.approx(0.05, abs=0.01)
    assert row.fit.peak_users == pytest.approx(9.7, abs=0.3)


def test_the_table_says_how_its_rates_were_found():
    (section,) = capacity_table(a_search()).sections
    said = {fact.label: fact.value for fact in section.conditions}
    assert said["Objectives"] == "p99<=250ms, errors<=0.1%"
    assert said["Load"].startswith(
        "open, poisson arrivals, at most 64 requests in flight, each on its own connection"
    )
    assert said["Capacity"].endswith("within 5.0 % above it a trial missed them")
    assert said["Budget"] == "1 core: stack on 0, generator on 1"


def test_a_plain_run_has_no_such_table():
    with pytest.raises(UsageError, match="quick: not a search for capacity"):
        capacity_table(a_run())


def conditions(*runs):
    (section,) = capacity_table(*runs).sections
    return {fact.label: fact.value for fact in section.conditions}


def test_a_search_in_which_answers_did_not_cost_the_same_does_not_count_and_that_is_explained():
    doubted, steady = rows(costly(a_search()))[GTHREAD], rows(a_search())[GTHREAD]
    assert doubted.searches == (SearchIn(run=FIRST, found=doubted.found, cpu_ms=(2.375, 3.0), doubted=True),)
    assert steady.searches == (SearchIn(run=FIRST, found=steady.found, cpu_ms=(2.375, 2.4), doubted=False),)
    assert [each.searches[0].counts for each in (doubted, steady)] == [False, True]
    assert conditions(costly(a_search()))["In brackets"] == (
        "what was found while an answer cost the app over a quarter more CPU than it did at the least in any search of "
        "the target; nothing is ranked by it"
    )
    assert "In brackets" not in conditions(a_search())


def test_of_two_runs_a_row_has_both_searches_and_all_else_of_the_one_that_is_not_doubted():
    second = rows(later(a_search(rate=520.0)))[GTHREAD]
    for runs in (
        (costly(a_search()), later(a_search(rate=520.0))),
        (later(a_search(rate=520.0)), costly(a_search())),
    ):
        row = rows(*runs)[GTHREAD]
        assert [(each.run, each.found.rate, each.counts) for each in row.searches] == [
            (FIRST, 300.0, False),
            (SECOND, 520.0, True),
        ]
        assert msgspec.structs.replace(row, searches=second.searches) == second
    assert conditions(*runs)["Searches"] == (
        f"each target's in the order of {FIRST}, {SECOND}; ranked by the geometric mean of those that found a rate and "
        "are not in brackets, and all else is of the newest of them"
    )


def test_a_target_of_one_run_keeps_its_row_beside_those_of_the_other():
    only = later(a_search(rate=520.0))
    left = msgspec.structs.replace(only.plan.experiment, targets=(GTHREAD,))
    only = msgspec.structs.replace(
        only,
        plan=msgspec.structs.replace(only.plan, experiment=left),
        trials=tuple(each for each in only.trials if each.planned.target == GTHREAD),
    )
    before, both = rows(a_search()), rows(costly(a_search()), only)
    assert list(both) == list(before)
    assert {name: both[name] for name in (RUNSERVER, UWSGI)} == {
        name: before[name] for name in (RUNSERVER, UWSGI)
    }


def test_a_table_of_two_runs_is_named_after_the_first_and_has_of_the_second_what_is_not_alike():
    second = later(a_search(), commit="f" * 40)
    table = capacity_table(second, a_search())
    (further,) = table.further
    assert (table.run, further.run, further.unlike) == (FIRST, SECOND, ())
    assert [(fact.label, fact.value) for fact in further.facts] == [
        ("Measured", "2026-11-23T10:15:00+00:00, 7 valid of 10 trials, 3 VOID"),
        ("Lab", "serverlab 0.1.0, commit ffffffffffff, Python 3.11.7"),
    ]
    assert [each.what for each in further.differing] == ["started", "commit"]
    assert capacity_table(second).further == ()
