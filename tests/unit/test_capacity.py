"""The search for capacity, tried on servers whose capacity is known."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverlab.capacity import (
    found,
    mistakes,
    most_trials,
    next_asked,
    objectives_of,
    read_objective,
    usual_trials,
)
from serverlab.model.capacity import Answer, Asked, Found, Metric, Objective, Outcome, Probe, Purpose, Search

SLO = ("p99<=250ms", "errors<=0.1%")
GENERATOR = "generator-bound: it used 97% of a core"
SUMMED_UP = 1.053


def a_search(**changes):
    return Search(**{"slo": SLO, "start": 0.7, "growth": 1.3, **changes})


def a_probe(asked, answer=Answer.MET, *, reason="", throughput=None, wall_s=1.0):
    return Probe(asked=asked, answer=answer, reason=reason, throughput=throughput, wall_s=wall_s)


def searched(search, answers, *, throughput=100.0, wall_s=1.0):
    """All probes of a search, `answers(asked)` giving answer and reason of each but the closed one."""
    probes = []
    while (asked := next_asked(search, probes)) is not None:
        assert len(probes) < most_trials(search), "the search has no end"
        if asked.purpose is Purpose.CLOSED:
            probes.append(a_probe(asked, throughput=throughput, wall_s=wall_s))
        else:
            answer, reason = answers(asked)
            probes.append(a_probe(asked, answer, reason=reason, throughput=50.0, wall_s=wall_s))
    return probes


def server(capacity, *, generator=math.inf, noise=0.0, seed=0):
    """Meets what is not above its capacity, VOID above what the generator makes; noise is of each trial."""
    luck = random.Random(seed)  # noqa: S311 - not a secret

    def answers(asked):
        if asked.rate is None:
            return Answer.MET, ""
        if asked.rate > generator:
            return Answer.VOID, GENERATOR
        carried = capacity * math.exp(luck.gauss(0, noise)) if noise else capacity
        return (Answer.MET, "") if asked.rate <= carried else (Answer.MISSED, "p99 is 812 ms, not <= 250 ms")

    return answers


def tried(probes, *purposes):
    return [each.asked.rate for each in probes if each.asked.purpose in purposes]


@pytest.mark.parametrize(
    ("text", "metric", "at_most"),
    [
        ("p99<=250ms", Metric.P99, 250_000.0),
        (" p50 <= 0.5 s ", Metric.P50, 500_000.0),
        ("p99.9<=1s", Metric.P999, 1_000_000.0),
        ("errors<=0.1%", Metric.ERRORS, 0.001),
        ("errors<=0%", Metric.ERRORS, 0.0),
    ],
)
def test_an_objective_is_read(text, metric, at_most):
    assert read_objective(text) == Objective(metric=metric, at_most=at_most)


@pytest.mark.parametrize(
    "text",
    ["", "p99", "p99<250ms", "p99<=250", "p99<=0ms", "p98<=1s", "p99<=5%", "errors<=1ms", "errors<=101%"],
)
def test_what_is_no_objective_is_none(text):
    assert read_objective(text) is None


def test_an_objective_is_written_as_it_was_read():
    assert [str(each) for each in objectives_of(a_search(slo=("p99.9<=1s", "errors<=0.1%")))] == [
        "p99.9<=1000ms",
        "errors<=0.1%",
    ]


def test_mistakes_of_a_search_are_named_together():
    wrong = a_search(
        slo=("p99<=250ms", "p99<=1s", "fast"),
        growth=1.04,
        lowest_rate=10.0,
        highest_rate=5.0,
        longest_s=5.0,
        search_s=11.0,
        shares=(0.9, 0.5),
        curve=(1, 1),
    )
    assert list(mistakes(wrong)) == [
        "slo[2]: 'fast' is no objective such as p99<=250ms or errors<=0.1%",
        "slo: the same metric is bounded twice",
        "growth: 1.04 is no more than a step of the resolution, 1.05",
        "lowest_rate: 10 is not below highest_rate, 5",
        "longest_s: 5 is less than duration_s, 10",
        "search_s: 11 is more than duration_s, 10",
        "shares: the values do not rise",
        "curve: the values do not rise",
    ]
    assert list(mistakes(a_search(slo=()))) == [
        "slo: without a curve at least one objective is needed, for example p99<=250ms"
    ]
    assert list(mistakes(a_search(slo=(), curve=(1, 2)))) == []
    assert list(mistakes(a_search())) == []


def test_a_search_begins_closed_and_then_at_a_share_of_what_that_gave():
    search = a_search()
    assert next_asked(search, []) == Asked(purpose=Purpose.CLOSED)
    closed = a_probe(Asked(purpose=Purpose.CLOSED), Answer.VOID, throughput=300.0)
    assert next_asked(search, [closed]) == Asked(purpose=Purpose.SEARCH, rate=210.0)


def test_a_search_grows_halves_confirms_and_measures_at_shares():
    probes = searched(a_search(), server(100.0), throughput=110.0)
    assert tried(probes, Purpose.SEARCH) == [77.0, 100.1, 87.79, 93.74, 96.87]
    assert tried(probes, Purpose.CONFIRM) == [96.87]
    assert tried(probes, Purpose.LATENCY) == [48.44, 67.81, 87.18]
    assert found(a_search(), probes) == Found(outcome=Outcome.FOUND, rate=96.87, missed_at=100.1, reason="")


def test_each_step_in_the_same_direction_is_as_far_as_all_before_it():
    probes = searched(a_search(growth=1.1), server(1000.0), throughput=100.0)
    assert tried(probes, Purpose.SEARCH)[:5] == [70.0, 77.0, 93.17, 136.4, 292.4]
    assert tried(searched(a_search(growth=4.0), server(1e4)), Purpose.SEARCH)[:4] == [
        70.0,
        280.0,
        1120.0,
        4480.0,
    ]


def test_a_start_that_is_nearly_right_costs_few_trials_and_one_that_is_far_off_not_many():
    search = a_search(start=0.85, growth=1.1)
    needed = {
        share: sum(
            each.purpose is Purpose.SEARCH for each in usual_trials(search, throughput=400.0, carried=share)
        )
        for share in (0.01, 0.3, 0.6, 0.8, 0.9, 1.0, 2.0, 50.0)
    }
    assert needed == {0.01: 13, 0.3: 9, 0.6: 7, 0.8: 3, 0.9: 3, 1.0: 5, 2.0: 9, 50.0: 7}


def test_with_noise_few_trials_search_and_confirm_and_what_they_find_lies_just_below_the_capacity():
    def told(search):
        trials, errors = [], []
        for seed in range(300):
            share = 0.75 + 0.3 * seed / 300
            probes = searched(search, server(400.0 * share, noise=0.02, seed=seed), throughput=400.0)
            trials.append(len(tried(probes, Purpose.SEARCH, Purpose.CONFIRM)))
            errors.append(found(search, probes).rate / (400.0 * share))
        return sum(trials) / len(trials), sum(errors) / len(errors)

    trials, error = told(a_search(start=0.85, growth=1.1))
    assert trials < 5.5  # 6.6 with even steps of 1.3 from 0.7 on
    assert 0.95 < error < 1.0


def test_a_search_that_begins_too_high_falls():
    probes = searched(a_search(), server(20.0))
    assert tried(probes, Purpose.SEARCH)[:6] == [70.0, 53.85, 31.86, 11.16, 18.86, 24.51]
    assert found(a_search(), probes).outcome is Outcome.FOUND


@given(capacity=st.floats(1.5, 15_000), error=st.floats(0.5, 2.0))
def test_a_capacity_without_noise_is_found_to_the_resolution(capacity, error):
    search = a_search(probes=60)
    result = found(search, searched(search, server(capacity), throughput=capacity * error))
    assert result.outcome is Outcome.FOUND
    assert result.rate <= capacity < result.missed_at <= result.rate * SUMMED_UP


def claims_no_more_than_was_told(search, probes):
    result = found(search, probes)
    assert len(probes) <= most_trials(search)
    rates = tried(probes, Purpose.SEARCH, Purpose.CONFIRM)
    assert all(search.lowest_rate <= rate <= search.highest_rate for rate in rates)
    last = {each.asked.rate: each.answer for each in probes if each.asked.purpose is Purpose.CONFIRM}
    missed = {each.asked.rate for each in probes if each.answer is Answer.MISSED}
    if result.outcome in (Outcome.FOUND, Outcome.AT_LEAST):
        met = [each.asked.rate for each in probes if each.answer is Answer.MET and each.asked.share is None]
        assert last[result.rate] is Answer.MET
        assert sum(rate is not None and rate >= result.rate for rate in met) >= 2
        assert len(tried(probes, Purpose.LATENCY)) >= len(search.shares)
    if result.outcome is Outcome.FOUND:
        assert result.missed_at in missed
        assert result.rate < result.missed_at <= result.rate * SUMMED_UP
    if result.outcome is Outcome.LESS_THAN:
        assert result.rate in missed
    assert (result.reason == "") == (result.outcome is Outcome.FOUND)


def test_every_sequence_of_answers_of_a_short_search_ends_and_claims_no_more_than_was_told():
    search = a_search(probes=5, confirmations=4, shares=(0.5,))
    for answers in itertools.product(Answer, repeat=9):
        told = iter(answers)
        probes = searched(search, lambda _asked, told=told: (next(told, Answer.MET), "why"))
        claims_no_more_than_was_told(search, probes)


@given(answers=st.lists(st.sampled_from(Answer), max_size=60), throughput=st.floats(0.1, 1e6), data=st.data())
def test_whatever_trials_tell_a_search_ends_and_claims_no_more_than_was_told(answers, throughput, data):
    search = a_search(
        probes=data.draw(st.integers(1, 12)), curve=(1, 2, 4), lowest_rate=2.0, highest_rate=5000.0
    )
    told = iter(answers)
    probes = searched(search, lambda _asked: (next(told, Answer.VOID), "why"), throughput=throughput)
    claims_no_more_than_was_told(search, probes)


@given(answers=st.lists(st.sampled_from([Answer.MISSED, Answer.VOID]), max_size=60))
def test_no_rate_is_claimed_that_was_never_met(answers):
    told = iter(answers)
    result = found(a_search(), searched(a_search(), lambda _asked: (next(told, Answer.VOID), "why")))
    assert result.outcome in (Outcome.LESS_THAN, Outcome.UNKNOWN)


@given(answers=st.lists(st.sampled_from([Answer.MET, Answer.VOID]), max_size=60))
def test_a_trial_that_is_void_never_counts_as_missed(answers):
    told = iter(answers)
    result = found(a_search(), searched(a_search(), lambda _asked: (next(told, Answer.MET), "why")))
    assert result.missed_at is None
    assert result.outcome in (Outcome.AT_LEAST, Outcome.UNKNOWN)


def test_above_the_generator_the_result_is_at_least_and_says_why():
    probes = searched(a_search(), server(1000.0, generator=90.0), throughput=100.0)
    result = found(a_search(), probes)
    assert result.outcome is Outcome.AT_LEAST
    assert 90 / SUMMED_UP < result.rate <= 90
    assert result.missed_at is None
    assert result.reason.endswith(f"/s was VOID: {GENERATOR}")


def test_below_the_generator_it_does_not_matter_that_higher_rates_are_void():
    probes = searched(a_search(), server(80.0, generator=90.0), throughput=140.0)
    assert probes[1].answer is Answer.VOID
    assert found(a_search(), probes).outcome is Outcome.FOUND


def test_a_trial_that_was_void_by_chance_is_made_again():
    once = iter([Answer.VOID])

    def answers(asked):
        return (
            (next(once), "the clock was set")
            if asked.rate == 70.0 and once.__length_hint__()
            else (server(100.0)(asked))
        )

    probes = searched(a_search(), answers)
    assert tried(probes, Purpose.SEARCH)[:3] == [70.0, 70.0, 91.0]
    assert found(a_search(), probes).outcome is Outcome.FOUND


def test_a_rate_that_fails_its_confirmation_is_left_one_step_down_and_confirmed_there():
    def answers(asked):
        limit = 90.0 if asked.purpose is Purpose.CONFIRM else 100.0
        return server(limit)(asked)

    probes = searched(a_search(), answers, throughput=110.0)
    assert tried(probes, Purpose.CONFIRM) == [96.87, 92.26, 87.87]
    assert found(a_search(), probes) == Found(outcome=Outcome.FOUND, rate=87.87, missed_at=92.26, reason="")
    assert tried(probes, Purpose.LATENCY)[0] == 43.94


def test_a_confirmation_that_is_void_is_said_above_the_rate_that_was_confirmed_below():
    def answers(asked):
        if asked.purpose is Purpose.CONFIRM and asked.rate == 200.0:
            return Answer.VOID, GENERATOR
        return Answer.MET, ""

    search = a_search(highest_rate=200.0)
    probes = searched(search, answers)
    assert tried(probes, Purpose.CONFIRM) == [200.0, 200.0, 190.5]
    assert found(search, probes) == Found(
        outcome=Outcome.AT_LEAST,
        rate=190.5,
        missed_at=None,
        reason=f"200/s was met once, and then VOID: {GENERATOR}",
    )


def test_what_is_never_confirmed_is_no_result():
    def answers(asked):
        return server(0.0 if asked.purpose is Purpose.CONFIRM else 100.0)(asked)

    probes = searched(a_search(), answers, throughput=110.0)
    assert len(tried(probes, Purpose.CONFIRM)) == a_search().confirmations
    assert tried(probes, Purpose.LATENCY) == []
    assert found(a_search(), probes) == Found(
        outcome=Outcome.UNKNOWN,
        rate=None,
        missed_at=None,
        reason="96.87/s was met once, but neither it nor a lower rate twice: p99 is 812 ms, not <= 250 ms",
    )


def test_a_target_that_answers_nothing_is_given_up_at_once():
    search = a_search(curve=(1, 2))
    dead = [a_probe(Asked(purpose=Purpose.CLOSED), Answer.VOID, reason="it did not start")] * 2
    assert next_asked(search, dead[:1]) == Asked(purpose=Purpose.CLOSED)
    assert next_asked(search, dead) is None
    assert found(search, dead).reason == "nothing was answered: it did not start"


def test_a_search_whose_trials_are_spent_says_what_lies_above():
    search = a_search(probes=2)
    result = found(search, searched(search, server(100.0), throughput=120.0))
    assert result == Found(
        outcome=Outcome.AT_LEAST, rate=84.0, missed_at=109.2, reason="the search ended with its 2 trials"
    )


def test_a_search_whose_time_is_spent_is_still_confirmed():
    search = a_search(budget_s=40.0)
    probes = searched(search, server(100.0), throughput=120.0, wall_s=20.0)
    assert len(tried(probes, Purpose.SEARCH)) == 1
    assert found(search, probes).reason == "the search ended with its time of 40 s"


def test_where_the_time_is_spent_before_a_rate_was_tried_nothing_is_known():
    search = a_search(budget_s=10.0)
    probes = searched(search, server(100.0), throughput=120.0, wall_s=20.0)
    assert tried(probes, Purpose.SEARCH) == []
    assert found(search, probes).outcome is Outcome.UNKNOWN
    assert found(search, probes).reason == "the search ended with its time of 10 s"


def test_a_target_that_carries_every_rate_carries_at_least_the_highest():
    search = a_search(highest_rate=200.0)
    result = found(search, searched(search, server(1e9)))
    assert result == Found(
        outcome=Outcome.AT_LEAST, rate=200.0, missed_at=None, reason="200/s is the highest rate that is tried"
    )


def test_a_target_that_misses_every_rate_carries_less_than_the_lowest():
    search = a_search(lowest_rate=50.0)
    result = found(search, searched(search, server(1.0)))
    assert result == Found(
        outcome=Outcome.LESS_THAN, rate=50.0, missed_at=50.0, reason="it is the lowest rate that is tried"
    )


def test_a_search_that_was_interrupted_has_no_result_and_goes_on_where_it_stopped():
    search = a_search(curve=(1, 2, 4), curve_rounds=2)
    whole = searched(search, server(100.0))
    for length in range(len(whole)):
        assert next_asked(search, whole[:length]) == whole[length].asked
    assert found(search, whole[:4]).reason == "not tried to the end"


def test_without_objectives_there_is_only_the_curve():
    search = a_search(slo=(), curve=(1, 2), curve_rounds=2)
    probes = searched(search, server(100.0))
    assert [each.asked for each in probes] == [
        Asked(purpose=Purpose.CURVE, users=users) for users in (1, 2, 2, 1)
    ]
    assert most_trials(search) == 4
    assert found(search, probes).reason == "not searched for"


def test_what_is_asked_for_is_said_in_a_few_words():
    assert [
        str(Asked(purpose=Purpose.CLOSED)),
        str(Asked(purpose=Purpose.SEARCH, rate=87.5)),
        str(Asked(purpose=Purpose.LATENCY, rate=45.0, share=0.5)),
        str(Asked(purpose=Purpose.CURVE, users=1)),
        str(Asked(purpose=Purpose.CURVE, users=8)),
    ] == ["closed", "search 87.5/s", "latency 45/s (50% of capacity)", "curve 1 user", "curve 8 users"]


def test_the_curve_goes_up_and_down_in_turns():
    search = a_search(curve=(1, 2, 4), curve_rounds=3)
    curve = [each.asked.users for each in searched(search, server(100.0)) if each.asked.users]
    assert curve == [1, 2, 4, 4, 2, 1, 1, 2, 4]


@pytest.mark.parametrize(("noise", "within"), [(0.02, 1.10), (0.05, 1.20)])
def test_with_noise_the_result_lies_near_the_capacity_in_95_of_100_searches(noise, within):
    near = 0
    for seed in range(400):
        capacity = 50 * 1.37 ** (seed % 11)
        probes = searched(a_search(), server(capacity, noise=noise, seed=seed), throughput=capacity * 1.1)
        result = found(a_search(), probes)
        near += result.rate is not None and capacity / within <= result.rate <= capacity * within
    assert near >= 380
