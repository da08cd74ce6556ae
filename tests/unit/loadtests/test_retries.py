"""How often, how soon and how much of all that is sent may be sent again."""

from __future__ import annotations

import pytest

from shared.retries import SAVED_UP, Retries


def test_without_a_budget_each_request_is_sent_again_as_often_as_is_set():
    retries = Retries(3, 0.0, None)
    assert [retries.take(made) for made in range(5)] == [True, True, True, False, False]


def test_a_budget_is_used_up_and_grows_with_requests():
    retries = Retries(3, 0.0, 0.5)
    taken = sum(retries.take(0) for _ in range(100))
    assert taken == SAVED_UP
    retries.request_begun()
    assert not retries.take(0)
    retries.request_begun()
    assert [retries.take(0), retries.take(0)] == [True, False]


def test_no_more_is_saved_up_than_there_was_at_first():
    retries = Retries(3, 0.0, 1.0)
    for _ in range(100):
        retries.request_begun()
    assert sum(retries.take(0) for _ in range(100)) == SAVED_UP


def test_what_has_been_sent_often_enough_takes_nothing_from_the_budget():
    retries = Retries(1, 0.0, 0.0)
    assert not any(retries.take(1) for _ in range(20))
    assert retries.take(0)


@pytest.mark.parametrize(("made", "longest_s"), [(0, 1.0), (1, 2.0), (2, 4.0)])
def test_pauses_are_random_and_their_bound_doubles(made, longest_s):
    pauses = [Retries(3, 1.0, None).pause_s(made) for _ in range(400)]
    assert 0 <= min(pauses) < 0.1 * longest_s
    assert 0.9 * longest_s < max(pauses) <= longest_s


def test_without_backoff_there_is_no_pause():
    assert Retries(3, 0.0, None).pause_s(2) == 0
