"""From when on a fault, its cost and the recovery from it are counted, and when too little was seen to tell."""

import msgspec
import pytest

from serverlab.model.faults import Event, Happening, Rule, Timeline, Verdict
from tests.unit.histories import (
    EVENTS,
    INJECTED_S,
    PASSED,
    failed,
    history,
    judged,
    marked,
    moved,
    refused,
    slow,
    verdict,
)


def test_recovery_counts_from_the_moment_the_cause_was_lifted_and_not_from_when_the_undo_was_confirmed():
    """Started at 14 s, ready at 16.5 s, confirmed at 17 s: an outage of start-up is no recovery of 0.0 s."""
    found = judged(history(*refused(12.1, 16.5)), events=marked(lifted=14.0))
    assert found.toll.to_success_s == pytest.approx(16.51 - 14.0)
    assert found.toll.to_recovery_s == pytest.approx(16.4 - 14.0)


def test_what_ends_by_itself_is_recovered_from_since_its_act():
    """Killed at 12.1 s and back at 15.1 s, which is before the time is over for which it is held."""
    found = judged(history(*refused(12.1, 15.1)), events=marked(acted=12.1, lifted=12.15))
    assert found.toll.to_recovery_s == pytest.approx(15.0 - 12.15)
    assert found.toll.to_detect_s == pytest.approx(0.01)
    # until 17.1 s, the act and the 5 s that the fault is held: 40 of 100 that would have been
    assert found.toll.goodput_kept == pytest.approx(0.4, abs=0.01)
    assert found.toll.failed_by == {"fault/read/fail/refused": 30, "fault/write/fail/refused": 30}


def test_what_is_over_before_its_effect_is_confirmed_keeps_what_it_cost():
    """Replicas were replaced from 12.1 s to 14 s, confirmed at 14.5 s: what failed meanwhile was under the fault."""
    events = (*moved(Happening.INJECTED, 14.5), Event(at_s=12.1, what=Happening.ACTED))
    found = judged(history(*refused(12.1, 14)), events=(*events, Event(at_s=14.0, what=Happening.LIFTED)))
    assert found.toll.to_detect_s == pytest.approx(0.01)
    assert found.toll.goodput_kept == pytest.approx(0.62, abs=0.01)


def test_of_several_liftings_the_last_one_counts():
    twice = (*marked(lifted=13.0), Event(at_s=14.0, what=Happening.LIFTED))
    assert judged(history(*refused(12.1, 16.5)), events=twice).toll.to_recovery_s == pytest.approx(2.4)


ALWAYS_SLOWER = list(slow(range(240, 740), 0.0200))


def test_what_only_takes_longer_is_unknown_where_too_little_was_seen():
    found = judged(history(*ALWAYS_SLOWER))
    assert (found.verdict, found.toll.to_recovery_s) == (Verdict.UNKNOWN, None)
    assert found.reason == (
        "enough succeeded again, with a p99 of 20.0 ms at best where 15.0 ms is asked: "
        "30 s before the fault and 60 s after it are needed to tell"
    )
    assert verdict(history(*ALWAYS_SLOWER), rule=Rule(recovers=False)) == PASSED


def test_what_only_takes_longer_fails_where_as_much_was_seen_as_is_asked():
    later = tuple(msgspec.structs.replace(each, at_s=each.at_s + 20) for each in EVENTS[1:])
    long = Timeline(settle_s=2, baseline_s=30, hold_s=5, observe_s=60)
    slower = history(*slow(range(640, 1940), 0.0200), length=1940)
    assert verdict(slower, events=later, timeline=long) == (Verdict.FAIL, "not recovered within 60 s")


def test_what_fails_as_well_as_taking_longer_is_no_question_of_how_much_was_seen():
    never = [failed(number, after_s=0.02) for number in range(345, 740, 30)]
    assert verdict(history(*ALWAYS_SLOWER, *never)) == (Verdict.FAIL, "not recovered within 20 s")


def test_goodput_covers_the_time_that_a_fault_is_held_also_where_it_had_no_length():
    instant = moved(Happening.REMOVED, INJECTED_S)
    found = judged(history(*refused(14.5, 17)), events=instant, rule=Rule(goodput_at_least=0.6))
    assert (found.verdict, found.toll.goodput_kept) == (Verdict.FAIL, pytest.approx(0.5))
