"""Formulas against values worked by hand, and against what must hold for all values."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serverlab import stats
from serverlab.model.tables import Interval, Spread

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


def test_ratios_are_taken_within_rounds():
    # Round 2 was slow for both: the ratio of the medians (100 / 200) would miss that they differ by a quarter.
    of, to = {2: 75.0, 1: 150.0, 3: 100.0}, {1: 200.0, 2: 100.0, 3: 400.0}
    assert stats.paired_ratios(of, to) == (0.75, 0.75, 0.25)


def test_a_round_that_only_one_side_has_is_left_out_of_the_ratios():
    assert stats.paired_ratios({1: 50.0, 2: 10.0}, {1: 100.0, 3: 1.0}) == (0.5,)


def test_sides_without_a_common_round_have_no_ratio():
    assert stats.paired_ratios({1: 50.0}, {2: 100.0}) == ()


def test_a_round_in_which_the_reference_served_nothing_has_no_ratio():
    assert stats.paired_ratios({1: 50.0}, {1: 0.0}) == ()


def test_students_interval_is_that_of_the_textbook():
    # NIST/SEMATECH e-Handbook 1.3.5.2, data set ZARR13: 195 values, mean 9.261460, standard deviation 0.02278881.
    mean, deviation, count = 9.261460, 0.02278881, 195
    values = [mean - deviation] * 97 + [mean] + [mean + deviation] * 97
    assert (len(values), statistics.stdev(values)) == (count, pytest.approx(deviation))
    assert stats.student(values) == pytest.approx((9.258242, 9.264679), abs=1e-6)


def test_the_interval_of_three_ratios_worked_by_hand():
    # Logarithms of 1/2, 1, 2: mean 0, standard deviation ln 2, error ln 2 / sqrt(3); t(0.975, 2) = 4.302653.
    half = 4.302653 * math.log(2) / math.sqrt(3)
    found = stats.interval([0.5, 1.0, 2.0])
    assert found == Interval(
        middle=pytest.approx(1.0),
        low=pytest.approx(math.exp(-half)),
        high=pytest.approx(math.exp(half)),
        level=0.95,
        method="Student's t",
        count=3,
    )


def test_the_interval_does_not_depend_on_which_of_the_two_is_the_reference():
    ratios = [0.8, 0.9, 0.95, 0.7]
    there, back = stats.interval(ratios), stats.interval([1 / each for each in ratios])
    assert (1 / back.low, 1 / back.high) == pytest.approx((there.high, there.low))


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.1], [1.0, 0.0, 1.1]])
def test_fewer_than_three_rounds_or_a_ratio_of_0_have_no_interval(values):
    assert stats.interval(values) is None


def test_ratios_that_are_all_alike_have_an_interval_of_no_width():
    assert stats.interval([2.0] * 4).low == stats.interval([2.0] * 4).high == pytest.approx(2.0)
    assert stats.bca([0.5] * 300) == (0.5, 0.5)


@pytest.mark.parametrize(("count", "method"), [(199, "Student's t"), (200, "BCa")])
def test_bca_is_used_from_two_hundred_rounds_on(count, method):
    ratios = [math.exp(math.sin(number)) for number in range(count)]
    found = stats.interval(ratios)
    assert (found.method, found.count) == (method, count)
    assert found == stats.interval(ratios)
    assert found.low < found.middle < found.high


def test_the_chance_of_equals_is_that_of_students_test():
    # As above; t = mean / error = ln 2 / (ln 2 / sqrt(3)) for 1, 2, 4, and P(|T| > sqrt 3) = 1 - sqrt(3/5) for 2 df.
    assert stats.chance_if_equal([1.0, 2.0, 4.0]) == pytest.approx(1 - math.sqrt(3 / 5))


@pytest.mark.parametrize(("ratio", "chance"), [(1.0, 1.0), (1.1, 0.0)])
def test_ratios_without_any_noise_are_equal_or_not(ratio, chance):
    assert stats.chance_if_equal([ratio] * 3) == chance


def test_the_interval_includes_1_just_where_the_test_does_not_reject():
    edge = [0.2, 0.2, 0.2 + math.log(4)]
    low, _ = stats.student(edge)
    for shift, rejects in ((1e-6, True), (-1e-6, False)):
        ratios = [math.exp(each - low + shift) for each in edge]
        assert (stats.interval(ratios).low > 1) is rejects
        assert (stats.chance_if_equal(ratios) < 0.05) is rejects


def test_holm_rejects_step_by_step():
    # 0.05/4 = 0.0125, 0.05/3 = 0.0167, 0.05/2 = 0.025: the third is not below it, so the fourth is not asked.
    chances = {"d": 0.04, "a": 0.005, "c": 0.03, "b": 0.015}
    assert stats.holm(chances) == {"a", "b"}


def test_holm_of_one_or_none():
    assert stats.holm({"a": 0.05}) == {"a"}
    assert stats.holm({}) == frozenset()


@pytest.mark.parametrize(
    ("percent", "samples"), [(5, 200), (50, 20), (90, 100), (95, 200), (99, 1000), (99.9, 10000)]
)
def test_a_percentile_needs_ten_samples_beyond_it(percent, samples):
    assert stats.samples_needed(percent) == samples


@pytest.mark.parametrize(
    ("share", "trials"), [(0.001, 2995), (0.01, 299), (0.05, 59), (0.5, 5), (1e-6, 2995731)]
)
def test_so_many_trials_without_an_event_show_that_it_is_rare(share, trials):
    assert stats.trials_without_event(share) == trials
    assert (1 - share) ** trials <= 0.05 < (1 - share) ** (trials - 1)


@given(RATES)
def test_the_median_lies_within_the_spread(values):
    found = stats.spread(values)
    assert found is not None
    assert found.low <= found.median <= found.high
    assert found.mad <= found.high - found.low


@given(RATES)
def test_a_target_compared_with_itself_has_the_ratio_1(values):
    rounds = dict(enumerate(values))
    assert stats.paired_ratios(rounds, rounds) == (1.0,) * len(values)


@given(RATES, st.floats(min_value=0.5, max_value=2.0))
def test_a_slow_round_that_hits_both_alike_leaves_the_ratios_as_they_are(values, slowdown):
    rounds, reference = dict(enumerate(values)), dict.fromkeys(range(len(values)), 100.0)
    before = stats.paired_ratios(rounds, reference)
    rounds[0], reference[0] = rounds[0] * slowdown, reference[0] * slowdown
    assert stats.paired_ratios(rounds, reference) == pytest.approx(before)


@given(st.lists(st.floats(min_value=0.1, max_value=10), min_size=3, max_size=12))
def test_a_higher_level_has_a_wider_interval_around_the_same_middle(ratios):
    usual, wide = stats.interval(ratios), stats.interval(ratios, level=0.99)
    assert wide.low <= usual.low <= usual.middle <= usual.high <= wide.high
    assert wide.middle == usual.middle
