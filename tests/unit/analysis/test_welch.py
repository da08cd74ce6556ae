"""Welch's t against worked values, SciPy's own, and by simulation."""

import math

import numpy as np
import pytest
import scipy.stats

from serverlab.analysis.welch import Shift, shift_of_means, unseen_share
from tests import simulation

AUTOMOBILES = [18, 15, 18, 16, 17, 15, 14, 14, 14, 15]
IMPORTS = [24, 27, 27, 25, 31, 35, 24, 19]
RUNS = 5000


def test_shift_error_and_freedom_are_those_worked_by_hand():
    found = shift_of_means([1.0, 2.0, 3.0], [4.0, 8.0])
    assert (found.value, found.error**2) == (4.0, pytest.approx(1 / 3 + 8 / 2))
    assert found.freedom == pytest.approx((1 / 3 + 4) ** 2 / ((1 / 3) ** 2 / 2 + 4**2 / 1))


def test_interval_and_p_values_are_those_of_scipy():
    found = shift_of_means(AUTOMOBILES, IMPORTS)
    other = scipy.stats.ttest_ind(IMPORTS, AUTOMOBILES, equal_var=False)
    assert found.interval(0.95) == pytest.approx(tuple(other.confidence_interval(0.95)))
    moved = scipy.stats.ttest_ind(
        IMPORTS, [each + 8 for each in AUTOMOBILES], equal_var=False, alternative="greater"
    )
    assert found.chance_below(8.0) == pytest.approx(moved.pvalue)


def test_the_other_way_round_everything_has_the_other_sign():
    found = shift_of_means(AUTOMOBILES, IMPORTS)
    low, high = found.interval(0.9)
    assert found.mirrored().interval(0.9) == pytest.approx((-high, -low))
    assert shift_of_means(IMPORTS, AUTOMOBILES).interval(0.9) == pytest.approx((-high, -low))


@pytest.mark.parametrize(("base", "new"), [([], [1, 2]), ([1], [1, 2]), ([1, 2], [3])])
def test_two_values_of_each_are_needed(base, new):
    assert shift_of_means(base, new) is None


def test_values_without_variance_leave_no_doubt():
    found = shift_of_means([2.0, 2.0], [3.0, 3.0, 3.0])
    assert found.interval(0.95) == (1.0, 1.0)
    assert (found.chance_below(1.0), found.chance_below(0.9), found.chance_below(1.1)) == (0.0, 0.0, 1.0)


def test_what_was_not_seen_widens_the_interval_to_its_side():
    found = Shift(value=0.0, error=0.0, freedom=math.inf, unseen_below=0.01, unseen_above=0.002)
    assert found.interval(0.95) == (-0.01, 0.002)
    assert found.mirrored().interval(0.95) == (-0.002, 0.01)
    assert (found.chance_below(-0.02), found.chance_below(-0.005)) == (0.0, 1.0)


def test_the_rule_of_three():
    assert (unseen_share(3000), unseen_share(3), unseen_share(0)) == (0.001, 1.0, 1.0)


@pytest.mark.parametrize(("base", "new"), [(3, 3), (5, 5), (5, 10)])
@pytest.mark.parametrize("spread", [(0.05, 0.05), (0.02, 0.1)])
@pytest.mark.parametrize(("noise", "above"), [(simulation.even, 0.04), (simulation.lopsided, 0.045)])
def test_an_interval_of_95_percent_covers_92_to_98(base, new, spread, noise, above):
    """A share of 5000 is known to 0.3 points. What lies above is nominally 2.5 %, and more where noise is lopsided."""
    draw = np.random.default_rng(20261122)
    before = 5.0 + spread[0] * noise(draw, (RUNS, base))
    after = 5.1 + spread[1] * noise(draw, (RUNS, new))
    covered = missed_above = 0
    for one, other in zip(before.tolist(), after.tolist(), strict=True):
        found = shift_of_means(one, other)
        low, high = found.interval(0.95)
        covered += low <= 0.1 <= high
        missed_above += found.chance_below(0.1) <= 0.025
    assert 0.92 <= covered / RUNS <= 0.98
    assert missed_above / RUNS <= above
