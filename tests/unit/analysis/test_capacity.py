"""What a trial tells of the objectives, and how long it has to be for that."""

import msgspec
import pytest

from serverlab.analysis.capacity import judged, requests_needed, window_s
from serverlab.capacity import objectives_of
from serverlab.model.capacity import Answer, Asked, Purpose, Search
from serverlab.model.records import State
from tests.unit.builders import a_failure, a_latency, a_load, a_trial

SEARCH = Search(slo=("p99<=250ms", "errors<=0.1%"), shares=(0.5, 0.9))
OBJECTIVES = objectives_of(SEARCH)
ONLY_ERRORS = objectives_of(Search(slo=("errors<=0.1%",)))
OPEN = (Purpose.SEARCH, Purpose.CONFIRM, Purpose.LATENCY)
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
