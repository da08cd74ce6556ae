"""The Universal Scalability Law: its fit to exact points, with noise, and what it says nothing of."""

from __future__ import annotations

import random

import pytest

from serverlab.scalability import fitted, peak, throughput

USERS = (1, 2, 4, 8, 16, 32)
ROUNDS = 3


def exact(*, rate_of_one=100.0, contention=0.05, coherency=0.001, users=USERS):
    law = {"rate_of_one": rate_of_one, "contention": contention, "coherency": coherency}
    return [(each, throughput(each, **law)) for each in users]


def noisy(points, *, noise, seed):
    luck = random.Random(seed)  # noqa: S311 - not a secret
    return [(users, rate * luck.lognormvariate(0, noise)) for users, rate in points for _ in range(ROUNDS)]


def test_one_user_has_the_rate_of_one():
    assert throughput(1, rate_of_one=80.0, contention=0.3, coherency=0.2) == 80.0


def test_the_law_by_hand():
    """10 users, 5 % contention, 0.1 % coherency: 100 * 10 / (1 + 0.45 + 0.09) = 649.35."""
    assert throughput(10, rate_of_one=100.0, contention=0.05, coherency=0.001) == pytest.approx(649.3506)


@pytest.mark.parametrize(
    ("contention", "coherency"),
    [(0.05, 0.001), (0.9, 0.0001), (0.0, 0.0), (0.3, 0.0), (0.0, 0.01), (0.99, 0.002)],
)
def test_exact_points_give_their_parameters_back(contention, coherency):
    fit = fitted(exact(contention=contention, coherency=coherency))
    assert fit.rate_of_one.middle == pytest.approx(100.0, rel=1e-5)
    assert fit.contention.middle == pytest.approx(contention, rel=1e-4, abs=1e-6)
    assert fit.coherency.middle == pytest.approx(coherency, rel=1e-4, abs=1e-6)
    assert fit.error < 1e-6


def test_a_gain_above_the_number_of_users_is_no_contention_below_0():
    fit = fitted([(1, 100.0), (2, 230.0), (4, 480.0), (8, 900.0), (16, 1700.0)])
    assert fit.contention.middle >= 0
    assert fit.coherency.middle >= 0
    assert fit.contention.low == 0.0


def test_with_less_than_four_numbers_of_users_nothing_is_fitted():
    assert fitted(exact(users=(1, 2, 4)) * 5) is None
    assert fitted([*exact(users=(1, 2, 4)), (8, 0.0)]) is None


@pytest.mark.parametrize(
    "points",
    [
        [(4, 364.9), (8, 299.7), (16, 241.9), (32, 199.7)],
        [(8, 318.6), (16, 290.6), (32, 280.5), (64, 288.5)],
    ],
    ids=["an interval without end", "no best fit"],
)
def test_points_of_a_server_that_is_full_with_the_fewest_users_are_not_fitted(points):
    assert fitted(points) is None


def test_a_peak_within_twice_the_measured_range_is_stated_and_no_other():
    """sqrt((1 - 0.05) / 0.001) = 30.8 users."""
    assert peak(0.05, 0.001, most_users=16) == pytest.approx(30.822, abs=0.001)
    assert peak(0.05, 0.001, most_users=15) is None
    assert peak(0.05, 0.0, most_users=15) is None
    assert peak(1.0, 0.001, most_users=15) is None


@pytest.mark.parametrize(("contention", "coherency"), [(0.1, 0.001), (0.6, 0.0005), (0.9, 0.002)])
def test_intervals_cover_the_truth_as_often_as_they_claim(contention, coherency):
    covered = {"rate_of_one": 0, "contention": 0, "coherency": 0}
    truth = {"rate_of_one": 100.0, "contention": contention, "coherency": coherency}
    for seed in range(600):
        fit = fitted(noisy(exact(contention=contention, coherency=coherency), noise=0.03, seed=seed))
        for name, value in truth.items():
            interval = getattr(fit, name)
            covered[name] += interval.low <= value <= interval.high
    assert {name: 0.92 <= count / 600 <= 0.98 for name, count in covered.items()} == dict.fromkeys(
        truth, True
    )
