"""What a trial tells of the objectives, and the table of what all of them came to."""

import msgspec
import pytest

from serverlab.analysis.capacity import capacity_table, cell_of, judged, requests_needed, window_s
from serverlab.capacity import objectives_of
from serverlab.errors import UsageError
from serverlab.model.capacity import Answer, Asked, Outcome, Purpose, Search
from serverlab.model.records import State
from serverlab.runner.capacity import with_a_trial
from serverlab.scalability import throughput
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    UWSGI,
    a_failure,
    a_latency,
    a_load,
    a_plan,
    a_run,
    a_trial,
    a_usage,
)

SEARCH = Search(slo=("p99<=250ms", "errors<=0.1%"), shares=(0.5, 0.9))
OBJECTIVES = objectives_of(SEARCH)
ONLY_ERRORS = objectives_of(Search(slo=("errors<=0.1%",)))
OPEN = (Purpose.SEARCH, Purpose.CONFIRM, Purpose.LATENCY)
UNSTEADY = (
    "while it was searched an answer cost the app 2.38 to 3.00 ms of CPU: the machine did not keep its speed, or the "
    "server has more than one; do not rank it, search again"
)
SLOW = a_latency(4000, p50_us=400_000)


def judge(**changes):
    return judged(a_trial(load=a_load(400.0, **changes)), OBJECTIVES, purpose=Purpose.SEARCH)


def at(rate, purpose=Purpose.LATENCY):
    return Asked(purpose=purpose, rate=rate)


def test_a_trial_within_its_objectives_met_them():
    assert judge() == (Answer.MET, "")


def test_a_trial_beyond_an_objective_missed_it_and_says_by_what():
    assert judge(latency=SLOW) == (Answer.MISSED, "p99 is 800 ms, not 250 at most")
    assert judge(latency=SLOW, failures=[a_failure(40)]) == (
        Answer.MISSED,
        "p99 is 800 ms, not 250 at most; errors are 0.99 %, not 0.10 % at most",
    )


def test_an_objective_that_is_just_reached_is_met():
    assert judge(latency=a_latency(4000, p50_us=125_000)) == (Answer.MET, "")


def test_too_few_requests_tell_nothing_of_a_percentile():
    few = a_latency(999)
    assert judge(latency=few) == (
        Answer.VOID,
        "p99<=250ms needs 1000 requests, there were 999; raise longest_s, or bound a lower percentile",
    )
    assert judge(latency=few, failures=[a_failure(40)])[0] is Answer.MISSED


def test_what_was_never_sent_is_an_error():
    load = msgspec.structs.replace(a_load(400.0), scheduled=8000, unsent=4000)
    answer, reason = judged(a_trial(load=load), ONLY_ERRORS, purpose=Purpose.SEARCH)
    assert answer is Answer.MISSED
    assert reason.endswith(", what was never sent among them, not 0.10 % at most")


def test_a_void_trial_tells_nothing_however_good_it_looks():
    void = a_trial(state=State.VOID, void_reasons=("generator-bound: it used 97%", "the clock was set"))
    assert judged(void, OBJECTIVES, purpose=Purpose.CONFIRM) == (Answer.VOID, "generator-bound: it used 97%")
    broke = a_trial(
        state=State.VOID, void_reasons=("the generator gave up\nserverlab-load-1 ended with 1:\n  | log",)
    )
    assert judged(broke, OBJECTIVES, purpose=Purpose.CONFIRM) == (Answer.VOID, "the generator gave up")
    assert judged(a_trial(load=None), OBJECTIVES, purpose=Purpose.CONFIRM) == (
        Answer.VOID,
        "it has no result",
    )


@pytest.mark.parametrize(
    ("rate", "lasts_s"), [(1000.0, 10.0), (110.0, 10.0), (50.0, 22.0), (20.0, 55.0), (1.0, 60.0)]
)
def test_a_window_is_as_long_as_the_objectives_need(rate, lasts_s):
    assert window_s(SEARCH, at(rate)) == lasts_s


def test_a_window_that_searches_may_be_shorter_and_no_other():
    search = msgspec.structs.replace(SEARCH, search_s=5.0)
    lasts_s = {
        purpose: window_s(search, at(400.0, purpose))
        for purpose in (Purpose.SEARCH, Purpose.CONFIRM, Purpose.LATENCY)
    }
    assert lasts_s == {Purpose.SEARCH: 5.0, Purpose.CONFIRM: 10.0, Purpose.LATENCY: 10.0}
    assert window_s(search, at(50.0)) == 22.0


def test_where_only_errors_are_bounded_every_window_sees_enough_for_none_to_be_evidence():
    search = Search(slo=("errors<=1%",), duration_s=7.0)
    assert [window_s(search, at(rate, Purpose.SEARCH)) for rate in (100.0, 10.0, 1.0)] == [7.0, 33.0, 60.0]
    few, enough = a_latency(2994), a_latency(2995)
    assert judged(a_trial(load=a_load(400.0, latency=few)), ONLY_ERRORS, purpose=Purpose.SEARCH) == (
        Answer.VOID,
        "errors<=0.1% needs 2995 requests, there were 2994; raise longest_s, or allow more errors",
    )
    assert judged(a_trial(load=a_load(400.0, latency=enough)), ONLY_ERRORS, purpose=Purpose.SEARCH) == (
        Answer.MET,
        "",
    )


def test_beside_a_percentile_only_the_trial_that_confirms_needs_so_many():
    load = a_load(400.0, latency=a_latency(1500))
    told = {purpose: judged(a_trial(load=load), OBJECTIVES, purpose=purpose)[0] for purpose in OPEN}
    assert told == {Purpose.SEARCH: Answer.MET, Purpose.CONFIRM: Answer.VOID, Purpose.LATENCY: Answer.MET}


def test_that_there_are_no_errors_at_all_needs_as_many_as_one_in_a_thousand():
    none, any_share = objectives_of(Search(slo=("errors<=0%",))), objectives_of(Search(slo=("errors<=100%",)))
    assert requests_needed(none[0], none, Purpose.SEARCH) == 2995
    assert requests_needed(any_share[0], any_share, Purpose.SEARCH) == 1


def tell(plan, cell, asked, **changes):
    """The plan with the trial that was asked for, and the trial."""
    plan = with_a_trial(plan, cell, asked)
    planned = plan.trials[-1]
    return plan, msgspec.structs.replace(a_trial(planned.target, **changes), planned=planned)


def a_search(*, curve=False, void_above=None):
    """A run of two targets and one that lacks something: gunicorn carries 300/s, runserver is VOID."""
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
        (Asked(purpose=Purpose.SEARCH, rate=300.0), {}),
        (Asked(purpose=Purpose.SEARCH, rate=312.0), missed(void_above)),
        (Asked(purpose=Purpose.SEARCH, rate=312.0), missed(void_above)),
        (Asked(purpose=Purpose.CONFIRM, rate=300.0), {}),
        (Asked(purpose=Purpose.LATENCY, rate=150.0, share=0.5), {"load": a_load(150.0)}),
        (Asked(purpose=Purpose.LATENCY, rate=270.0, share=0.9), void("the clock was set")),
        (Asked(purpose=Purpose.LATENCY, rate=270.0, share=0.9), {"load": a_load(270.0, latency=SLOW)}),
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


def rows(run):
    (section,) = capacity_table(run).sections
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


@pytest.mark.parametrize(
    ("cores", "remarks"),
    [
        (1.18, ()),
        (1.2, (UNSTEADY,)),
    ],
)
def test_requests_that_cost_more_in_one_trial_than_in_another_are_told(cores, remarks):
    run = a_search()
    confirms = [each.planned.asked.purpose is Purpose.CONFIRM for each in run.trials]
    costly = [
        msgspec.structs.replace(each, usage=each.usage | {"app": a_usage(cores)}) if chosen else each
        for each, chosen in zip(run.trials, confirms, strict=True)
    ]
    row = rows(msgspec.structs.replace(run, trials=tuple(costly)))[GTHREAD]
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
