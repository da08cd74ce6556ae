"""Formulas against values worked by hand, and against what must hold for all values."""

from __future__ import annotations

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverlab import stats
from serverlab.model.tables import Spread

RATES = st.lists(st.floats(min_value=0.1, max_value=1e6), min_size=1, max_size=12)


def test_the_median_of_an_odd_number_of_values_is_the_middle_one():
    assert stats.median([9.0, 1.0, 5.0]) == 5.0


def test_the_median_of_an_even_number_of_values_is_the_mean_of_the_middle_two():
    assert stats.median([4.0, 1.0, 2.0, 100.0]) == 3.0


def test_no_values_have_no_median():
    with pytest.raises(statistics.StatisticsError):
        stats.median([])


def test_the_median_absolute_deviation_is_the_median_distance_from_the_median():
    assert stats.median_absolute_deviation([1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]) == 1.0


def test_a_spread_has_median_ends_deviation_and_count():
    assert stats.spread([410.0, 390.0, 400.0, 500.0, 300.0]) == Spread(
        median=400.0, low=300.0, high=500.0, mad=10.0, count=5
    )


def test_no_values_have_no_spread():
    assert stats.spread([]) is None


def test_ratios_are_taken_within_rounds_before_the_median():
    # Round 2 was slow for both: the ratio of the medians (100 / 200) would miss that they differ by a quarter.
    of, to = {1: 150.0, 2: 75.0, 3: 100.0}, {1: 200.0, 2: 100.0, 3: 400.0}
    assert stats.paired_ratios(of, to) == Spread(median=0.75, low=0.25, high=0.75, mad=0.0, count=3)


def test_a_round_that_only_one_side_has_is_left_out_of_the_ratios():
    assert stats.paired_ratios({1: 50.0, 2: 10.0}, {1: 100.0, 3: 1.0}) == Spread(
        median=0.5, low=0.5, high=0.5, mad=0.0, count=1
    )


def test_sides_without_a_common_round_have_no_ratio():
    assert stats.paired_ratios({1: 50.0}, {2: 100.0}) is None


def test_a_round_in_which_the_reference_served_nothing_has_no_ratio():
    assert stats.paired_ratios({1: 50.0}, {1: 0.0}) is None


@pytest.mark.parametrize(("percent", "samples"), [(5, 200), (50, 20), (90, 100), (95, 200), (99, 1000)])
def test_a_percentile_needs_ten_samples_beyond_it(percent, samples):
    assert stats.samples_needed(percent) == samples


@given(RATES)
def test_the_median_lies_within_the_spread(values):
    found = stats.spread(values)
    assert found is not None
    assert found.low <= found.median <= found.high
    assert found.mad <= found.high - found.low


@given(RATES)
def test_a_target_compared_with_itself_has_the_ratio_1(values):
    rounds = dict(enumerate(values))
    found = stats.paired_ratios(rounds, rounds)
    assert found is not None
    assert (found.low, found.median, found.high, found.mad) == (1.0, 1.0, 1.0, 0.0)


@given(RATES, st.floats(min_value=0.5, max_value=2.0))
def test_a_slow_round_that_hits_both_alike_leaves_the_ratio_as_it_is(values, slowdown):
    rounds, reference = dict(enumerate(values)), dict.fromkeys(range(len(values)), 100.0)
    before = stats.paired_ratios(rounds, reference)
    rounds[0], reference[0] = rounds[0] * slowdown, reference[0] * slowdown
    after = stats.paired_ratios(rounds, reference)
    assert before is not None
    assert after is not None
    assert after.median == pytest.approx(before.median)


@pytest.mark.parametrize(("rounds", "share"), [(1, 1.0), (2, 0.5), (3, 0.25), (5, 0.0625)])
def test_equal_servers_fall_on_one_side_by_chance(rounds, share):
    assert stats.one_side_by_chance(rounds) == share


def test_one_side_by_chance_is_what_counting_all_outcomes_gives():
    outcomes = list(itertools.product((False, True), repeat=4))
    assert stats.one_side_by_chance(4) == sum(len(set(sides)) == 1 for sides in outcomes) / len(outcomes)
