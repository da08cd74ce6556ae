"""What a fault measures itself is held against the bounds of its rule."""

from __future__ import annotations

import pytest

from serverlab.analysis.bounds import bounded
from serverlab.model.faults import Judgement, Rule, Verdict

RULE = Rule(measured_at_most={"in_flight_lost": 0, "killed": 0})


def a_judgement(verdict, reason=""):
    return Judgement(verdict=verdict, reason=reason)


@pytest.mark.parametrize(
    ("before", "measured", "after"),
    [
        (("pass", ""), {"in_flight_lost": 0, "killed": 0, "exit_code": 9}, ("pass", "")),
        (
            ("pass", ""),
            {"in_flight_lost": 2, "killed": 0},
            ("fail", "in_flight_lost 2, at most 0 is asked"),
        ),
        (
            ("unknown", "too short"),
            {"in_flight_lost": 0, "killed": 1},
            ("fail", "killed 1, at most 0 is asked"),
        ),
        (
            ("fail", "1 lost"),
            {"in_flight_lost": 2, "killed": 1},
            ("fail", "1 lost; in_flight_lost 2, at most 0 is asked; killed 1, at most 0 is asked"),
        ),
        (("fail", "1 lost"), {}, ("fail", "1 lost")),
        (("void", "late"), {"in_flight_lost": 2}, ("void", "late")),
        (("pass", ""), {"killed": 0}, ("unknown", "not measured: in_flight_lost")),
        (("unknown", "too short"), {}, ("unknown", "too short")),
    ],
)
def test_a_bound_that_is_broken_fails_and_one_that_was_not_measured_leaves_it_open(before, measured, after):
    found = bounded(a_judgement(Verdict(before[0]), before[1]), measured, RULE)
    assert (found.verdict.value, found.reason) == after


def test_a_rule_without_bounds_changes_nothing():
    judgement = a_judgement(Verdict.PASS)
    assert bounded(judgement, {"killed": 1}, Rule()) is judgement


def test_a_bound_may_be_told_in_words():
    rule = Rule(measured_at_most={"ill": 0, "killed": 0}, said={"ill": "ILL: it is not well"})
    found = bounded(a_judgement(Verdict.PASS), {"ill": 1, "killed": 1}, rule)
    assert (found.verdict, found.reason) == (
        Verdict.FAIL,
        "ILL: it is not well; killed 1, at most 0 is asked",
    )
    assert bounded(a_judgement(Verdict.PASS), {"ill": 0, "killed": 0}, rule).verdict is Verdict.PASS
