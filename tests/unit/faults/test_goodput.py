"""Whether a load's goodput came back, from what its sender told twice a second."""

from __future__ import annotations

import pytest

from serverlab.faults.fault import NotEffective
from serverlab.faults.flooding import Counts
from serverlab.faults.goodput import Rates, back_after_s, rates_of


def course(*spans, begins_s=100.0):
    """What is told twice a second where so many are answered a second for so many seconds; 40 are sent, 10 again."""
    told, at_s, ok = [], begins_s, 0.0
    for rps, lasts_s in spans:
        for _ in range(round(2 * lasts_s)):
            at_s, ok = at_s + 0.5, ok + rps / 2
            sent_s = at_s - begins_s
            told.append(
                Counts(
                    due=round(40 * sent_s),
                    begun=round(40 * sent_s),
                    taken=0,
                    ok=round(ok),
                    refused=0,
                    most_open=0,
                    retried=round(10 * sent_s),
                    at_s=at_s,
                )
            )
    return told


@pytest.mark.parametrize(
    ("spans", "back_s"),
    [
        ([(40, 12)], 0.5),
        ([(36, 12)], 0.5),
        ([(35, 72)], None),
        ([(0, 20), (40, 12)], 19.0),
        ([(40, 9.5)], None),
        ([(0, 60.5), (40, 11)], 59.5),
        ([(0, 62), (40, 20)], None),
        ([(40, 8), (0, 20), (40, 11)], 27.0),
        ([], None),
    ],
)
def test_it_is_back_when_ten_seconds_have_nine_tenths_of_it(spans, back_s):
    # of these ten seconds one may have nothing: what is back at once after a gap is so up to a second before its end
    assert back_after_s(course(*spans), before_rps=40.0, since_s=100.0, within_s=60.0) == back_s


def test_what_was_before_does_not_count():
    told = course((40, 30), (0, 5), (40, 12))
    assert back_after_s(told, before_rps=40.0, since_s=130.0, within_s=60.0) == 4.0


def test_rates_are_those_of_the_last_seconds():
    assert rates_of(course((0, 10), (20, 5)), 5.0) == Rates(sent=40.0, sent_again=10.0, answered=20.0)


def test_of_a_time_that_nothing_was_told_of_there_are_no_rates():
    with pytest.raises(NotEffective, match="the sender told nothing of 5 s"):
        rates_of(course((40, 5)), 5.0)
