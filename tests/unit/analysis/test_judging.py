"""The judge, on histories that were made up and worked out by hand."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from serverlab.analysis.judging import course, judge
from serverlab.model.faults import (
    Event,
    Happening,
    Instant,
    Judgement,
    Kind,
    Outcome,
    Rule,
    StoredRow,
    Toll,
    Verdict,
)
from tests.unit.histories import (
    EVENTS,
    JOURNALLED_S,
    PASSED,
    PROBING,
    QUICK_S,
    REMOVED_S,
    TIMELINE,
    attempt,
    between,
    failed,
    history,
    judged,
    kept,
    late,
    moved,
    slow,
    verdict,
    without,
)

UNHURRIED = settings(deadline=None, max_examples=50)
"""A history of 37 s is worked through, on machines where others are at work, too."""


def test_where_nothing_went_wrong_nothing_is_shown():
    assert judged(
        history(), rule=Rule(failures_at_most=0, longest_gap_s=0.1, goodput_at_least=0.99)
    ) == Judgement(
        verdict=Verdict.PASS,
        reason="",
        toll=Toll(
            attempts=740,
            ok=740,
            lost=0,
            phantom=0,
            duplicate=0,
            torn=0,
            stale=0,
            recovered=0,
            failed_by={},
            longest_gap_s=pytest.approx(0.05),
            to_detect_s=None,
            to_success_s=pytest.approx(QUICK_S),
            to_recovery_s=0.0,
            goodput_kept=pytest.approx(1.0),
            baseline_p99_ms=pytest.approx(QUICK_S * 1000),
            observed_s=pytest.approx(20.0),
        ),
    )


def test_an_outage_is_measured():
    """Refused from 13 s to 17 s, which is 80 attempts, and one answer that was cut off when it began."""
    broken = [failed(number, outcome=Outcome.FAIL, cause="refused") for number in between(13, 17)]
    found = judged(history(failed(259, after_s=0.2), *broken))
    assert found.verdict is Verdict.PASS
    assert found.toll.failed_by == {
        "fault/read/fail/refused": 40,
        "fault/write/fail/refused": 40,
        "fault/write/info/eof": 1,
    }
    assert found.toll.longest_gap_s == pytest.approx(17.01 - 12.91)
    assert found.toll.to_detect_s == pytest.approx(13.01 - JOURNALLED_S)
    assert found.toll.to_success_s == pytest.approx(0.01)
    assert found.toll.to_recovery_s == 0.0
    # from its act on, successes at 12.01 to 12.91, nineteen of them, in 5 s; before it 200 in 10 s
    assert found.toll.goodput_kept == pytest.approx((19 / 5) / (200 / 10))


def test_what_was_in_flight_when_the_fault_set_in_counts_as_its_own():
    cut = failed(236, after_s=0.3)
    found = judged(history(cut), rule=Rule(failures_at_most=0))
    assert (found.verdict, found.reason) == (Verdict.FAIL, "1 attempts failed, 0 may")
    assert found.toll.failed_by == {"fault/read/info/eof": 1}
    assert found.toll.to_detect_s == pytest.approx(11.8 + 0.3 - JOURNALLED_S)


def test_a_failure_that_ended_before_the_fault_is_not_its_own():
    found = judged(history(failed(200), failed(10)), rule=Rule(failures_at_most=0))
    assert found.verdict is Verdict.PASS
    assert found.toll.failed_by == {"baseline/read/info/eof": 1, "settle/read/info/eof": 1}


@pytest.mark.parametrize(
    ("stored", "counted", "reason"),
    [
        (lambda rows: rows[3:], {"lost": 3}, "3 acknowledged writes are lost"),
        (
            lambda rows: [msgspec.structs.replace(rows[0], copies=0, children=0), *rows[1:]],
            {"lost": 1},
            "1 acknowledged writes are lost",
        ),
        (
            lambda rows: [*rows, StoredRow(key="nobody", copies=1, children=2)],
            {"phantom": 1},
            "1 rows are there that nobody wrote, or that were certainly not written",
        ),
        (
            lambda rows: [msgspec.structs.replace(rows[0], copies=2, children=4), *rows[1:]],
            {"duplicate": 1},
            "1 writes are there more than once",
        ),
        (
            lambda rows: [msgspec.structs.replace(rows[0], children=1), *rows[1:]],
            {"torn": 1},
            "1 rows are torn from those that belong to them",
        ),
        (lambda rows: [], {"lost": 370}, "370 acknowledged writes are lost"),
    ],
)
def test_what_the_database_holds_wrongly_is_counted_and_never_excused(stored, counted, reason):
    attempts = history()
    for rule in (Rule(), Rule(recovers=False)):
        found = judged(attempts, stored=stored(kept(attempts)), rule=rule)
        assert (found.verdict, found.reason) == (Verdict.FAIL, reason)
        names = ("lost", "phantom", "duplicate", "torn", "stale")
        assert {name: value for name in names if (value := getattr(found.toll, name))} == counted


def test_a_write_that_certainly_failed_and_is_there_is_a_phantom():
    refused = failed(251, outcome=Outcome.FAIL, cause="refused")
    attempts = history(refused)
    found = judged(attempts, stored=[*kept(attempts), StoredRow(key="key-251", copies=1, children=2)])
    assert (found.verdict, found.toll.phantom) == (Verdict.FAIL, 1)


def test_of_what_is_unknown_the_database_tells_what_was_done():
    attempts = history(failed(251), failed(253))
    found = judged(attempts, stored=[*kept(attempts), StoredRow(key="key-251", copies=1, children=2)])
    assert (found.verdict, found.toll.recovered, found.toll.lost, found.toll.phantom) == (
        Verdict.PASS,
        1,
        0,
        0,
    )


def test_without_a_guard_what_arrives_twice_may_be_there_twice():
    attempts = history()
    twice = [msgspec.structs.replace(row, copies=2, children=4) for row in kept(attempts)]
    found = judged(attempts, stored=twice, probing=msgspec.structs.replace(PROBING, guarded=False))
    assert (found.verdict, found.toll.duplicate) == (Verdict.PASS, 370)


def test_a_read_that_misses_what_was_acknowledged_before_is_stale():
    missed = failed(300, outcome=Outcome.FAIL, cause="missing", status=404)
    found = judged(history(missed))
    assert (found.verdict, found.toll.stale) == (Verdict.FAIL, 1)
    assert found.reason == "1 reads missed what had been acknowledged before"


def test_a_read_that_was_sent_before_the_acknowledgement_is_not():
    missed = failed(300, outcome=Outcome.FAIL, cause="missing", status=404, key="key-301")
    assert judged(history(missed)).toll.stale == 0


def test_well_again_is_ten_seconds_of_which_ninety_nine_percent_succeed():
    """Two of two hundred may fail; the third is out of the ten seconds only after 1.05 s."""
    wrong = [failed(number) for number in (341, 361, 381)]
    assert judged(history(*wrong[:2])).toll.to_recovery_s == 0.0
    assert judged(history(*wrong)).toll.to_recovery_s == pytest.approx(342 / 20 - REMOVED_S)


def test_well_again_is_a_p99_of_at_most_one_and_a_half_of_before():
    """Of two hundred the third slowest counts."""
    numbers = (341, 361, 381)
    assert judged(history(*slow(numbers, 0.0149))).toll.to_recovery_s == 0.0
    assert judged(history(*slow(numbers[:2], 5))).toll.to_recovery_s == 0.0
    assert judged(history(*slow(numbers, 0.0151))).toll.to_recovery_s == pytest.approx(342 / 20 - REMOVED_S)


def test_latency_counts_from_when_it_was_due():
    late = [
        attempt(number, sent_s=number / 20 + 0.04, ended_s=number / 20 + 0.04 + QUICK_S)
        for number in (341, 361, 381)
    ]
    assert judged(history(*late)).toll.to_recovery_s == pytest.approx(342 / 20 - REMOVED_S)


def test_what_never_gets_well_again_fails_where_the_rule_asks_for_it():
    never = [failed(number) for number in range(345, 740, 30)]
    assert verdict(history(*never)) == (Verdict.FAIL, "not recovered within 20 s")
    assert verdict(history(*never), rule=Rule(recovers=False)) == PASSED


def test_ten_seconds_have_to_be_seen_whole():
    """What fails last fails 10 s before the end, or a little later; two failures within ten seconds are let pass."""
    ended = [failed(number) for number in between(17, 27)]
    assert judged(history(*ended)).toll.to_recovery_s == pytest.approx(9.9)
    later = [failed(number) for number in between(17, 27.2)]
    assert verdict(history(*later)) == (Verdict.FAIL, "not recovered within 20 s")


def test_an_observation_that_is_too_short_for_the_rule_is_unknown():
    found = judged(history(length=500))
    assert (found.verdict, found.toll.to_recovery_s) == (Verdict.UNKNOWN, None)
    assert found.reason == "observed for 8.0 s after the fault, 10 s are needed"
    assert verdict(history(length=500), rule=Rule(recovers=False)) == PASSED


def test_a_prober_that_was_silent_shows_no_recovery():
    """From 17 s to 36 s there is nothing: that is not well."""
    silent = [each for each in history() if each.number not in between(17, 36)]
    assert judged(silent).toll.to_recovery_s is None


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Rule(failures_at_most=79), "80 attempts failed, 79 may"),
        (Rule(longest_gap_s=4.0), "nothing succeeded for 4.1 s, it may for 4 s"),
        (Rule(goodput_at_least=0.25), "20% of the successes per second were left under the fault, 25% must"),
        (
            Rule(failures_at_most=0, longest_gap_s=1),
            "80 attempts failed, 0 may; nothing succeeded for 4.1 s, it may for 1 s",
        ),
    ],
)
def test_each_bound_of_a_rule_fails_by_itself(rule, reason):
    attempts = history(*(failed(number, outcome=Outcome.FAIL, cause="refused") for number in between(13, 17)))
    assert verdict(attempts, rule=rule) == (Verdict.FAIL, reason)
    generous = Rule(failures_at_most=80, longest_gap_s=4.2, goodput_at_least=0.1)
    assert verdict(attempts, rule=generous) == PASSED


def test_a_gap_lasts_until_nothing_more_is_due():
    """All is well until 20 s, then nothing any more."""
    ended = [failed(number) for number in between(20, 37)]
    found = judged(history(*ended))
    assert found.toll.longest_gap_s == pytest.approx(37 - 19.96)
    assert found.verdict is Verdict.FAIL


def test_where_nothing_ever_succeeds_again_there_is_no_first_success():
    ended = [failed(number, outcome=Outcome.FAIL, cause="refused") for number in between(12, 37)]
    found = judged(history(*ended))
    assert (found.toll.to_success_s, found.toll.to_recovery_s, found.toll.goodput_kept) == (None, None, 0.0)
    assert found.reason == "not recovered within 20 s"


@pytest.mark.parametrize(
    ("attempts", "options", "reason"),
    [
        (
            [],
            {},
            "nothing was attempted",
        ),
        (history(), {"events": ()}, "the fault was not confirmed; its removal was not confirmed"),
        (history(), {"events": without(Happening.INJECTED)}, "the fault was not confirmed"),
        (history(), {"events": without(Happening.REMOVED)}, "its removal was not confirmed"),
        (history(), {"stored": None}, "the database could not be read"),
        (
            [failed(number) for number in range(740)],
            {},
            "the stack was not well before the fault: 0 of 200 attempts succeeded",
        ),
        (
            history(failed(100), failed(120), failed(140)),
            {},
            "the stack was not well before the fault: 197 of 200 attempts succeeded",
        ),
        (
            history(*late((99, 98, 97), 0.06)),
            {},
            "the prober was late before the injection: p99 of 60 ms",
        ),
        (
            history(*late(range(260, 267), 0.06)),
            {},
            "the prober was late after the injection: p99 of 60 ms",
        ),
        (
            [each for each in history() if each.number % 20 != 5 or each.number > 240],
            {},
            "the prober made 190 attempts before the fault, 200 were due",
        ),
        (history(attempt(100, ended_s=4.9)), {}, "the clock of the prober jumped"),
        (
            history(),
            {"events": moved(Happening.REMOVED, 40.0)},
            "the fault was not within the time that was probed",
        ),
        (
            history(),
            {"events": moved(Happening.REMOVED, 12.2)},
            "the fault was removed before it was injected",
        ),
        (
            history(),
            {"events": (*EVENTS, Event(at_s=17.5, what=Happening.LIFTED))},
            "the fault was not within the time that was probed",
        ),
    ],
)
def test_what_says_nothing_is_void_with_its_reason(attempts, options, reason):
    assert verdict(attempts, **options) == (Verdict.VOID, reason)


def test_a_fault_before_any_baseline_is_void():
    early = moved(Happening.JOURNALLED, 1.0)
    found, reason = verdict(history(), events=early)
    assert found is Verdict.VOID
    assert reason.startswith(
        "the prober made 0 attempts before the fault, 0 were due; the stack was not well"
    )


def test_a_server_that_is_always_slow_is_no_prober_that_is_starved():
    """With a second of latency twenty attempts are in flight when the fault sets in."""
    assert verdict(slow(range(740), 1.0)) == PASSED


def test_what_was_lost_is_lost_also_where_the_fault_was_not_confirmed():
    found = judged(history(), stored=[], events=without(Happening.INJECTED))
    assert found.verdict is Verdict.FAIL
    assert found.reason == "370 acknowledged writes are lost; the fault was not confirmed"
    assert (found.toll.lost, found.toll.longest_gap_s) == (370, None)


def test_failures_of_which_nobody_knows_whether_they_were_the_faults_are_told_as_such():
    found = judged(history(failed(251)), events=without(Happening.INJECTED))
    assert found.toll.failed_by == {"unknown/write/info/eof": 1}
    assert found.toll.observed_s is None


def test_a_read_that_missed_what_was_acknowledged_is_stale_also_where_the_database_cannot_be_read():
    missed = failed(300, outcome=Outcome.FAIL, cause="missing", status=404)
    assert verdict(history(missed), stored=None) == (
        Verdict.FAIL,
        "1 reads missed what had been acknowledged before; the database could not be read",
    )


def test_what_went_wrong_while_it_was_tried_makes_it_void_unless_something_was_lost_and_then_both_are_said():
    told = {"rule": Rule(failures_at_most=0), "timeline": TIMELINE, "probing": PROBING, "void": ["no room"]}
    attempts = history(failed(251))
    found = judge(attempts, EVENTS, kept(attempts), **told)
    assert (found.verdict, found.reason) == (Verdict.VOID, "no room")
    found = judge(attempts, EVENTS, kept(attempts)[1:], **told)
    assert (found.verdict, found.reason) == (Verdict.FAIL, "1 acknowledged writes are lost; no room")


def test_without_a_journal_the_fault_sets_in_when_it_is_confirmed():
    found = judged(history(failed(245)), events=without(Happening.JOURNALLED))
    assert found.toll.failed_by == {"baseline/write/info/eof": 1}


@UNHURRIED
@given(some.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random):
    attempts = history(*(failed(number) for number in between(13, 15)))
    stored = kept(attempts)
    expected = judged(attempts, stored=stored)
    random.shuffle(shuffled := list(attempts))
    random.shuffle(rows := list(stored))
    assert judged(shuffled, stored=rows, events=tuple(random.sample(EVENTS, len(EVENTS)))) == expected


@UNHURRIED
@given(some.sets(some.integers(0, 739)), some.sets(some.integers(0, 369)), some.integers(0, 5))
def test_every_write_is_accounted_for(unknown, absent, strangers):
    """Lost + found = acknowledged, and whatever is in the database was acknowledged, unknown, or a phantom."""
    attempts = history(*(failed(number) for number in unknown))
    rows = [
        StoredRow(key=f"key-{2 * index + 1}", copies=1, children=2)
        for index in range(370)
        if index not in absent
    ] + [StoredRow(key=f"stranger-{index}", copies=1, children=2) for index in range(strangers)]
    found = judged(attempts, stored=rows)
    toll = found.toll
    acknowledged = {each.key for each in attempts if each.kind is Kind.WRITE and each.outcome is Outcome.OK}
    assert toll.lost == len(acknowledged - {row.key for row in rows})
    assert toll.phantom == strangers
    assert len(acknowledged) - toll.lost + toll.recovered + toll.phantom == len(rows)
    assert toll.ok + sum(toll.failed_by.values()) == toll.attempts == 740
    if toll.lost or strangers:
        assert found.verdict is Verdict.FAIL


@UNHURRIED
@given(some.sets(some.integers(240, 739)), some.integers(240, 739))
def test_one_more_failure_never_makes_a_cell_better(numbers, further):
    before = judged(history(*(failed(number) for number in numbers))).toll
    after = judged(history(*(failed(number) for number in numbers | {further}))).toll
    assert after.longest_gap_s >= before.longest_gap_s
    assert after.goodput_kept <= before.goodput_kept
    assert sum(after.failed_by.values()) >= sum(before.failed_by.values())
    assert (after.to_recovery_s or 99) >= (before.to_recovery_s or 0)


def test_a_course_has_every_second_also_those_in_which_nothing_was_due():
    attempts = [attempt(0), attempt(1, ended_s=0.25), failed(2), attempt(60)]
    assert course(attempts, (Event(at_s=1.0, what=Happening.INJECTED),)) == (
        Instant(at_s=-1, ok=2, failed=1, p50_ms=pytest.approx(10), p99_ms=pytest.approx(200)),
        Instant(at_s=0, ok=0, failed=0, p50_ms=None, p99_ms=None),
        Instant(at_s=1, ok=0, failed=0, p50_ms=None, p99_ms=None),
        Instant(at_s=2, ok=1, failed=0, p50_ms=pytest.approx(10), p99_ms=pytest.approx(10)),
    )


def test_a_course_without_a_fault_counts_from_its_first_attempt():
    counted = [(each.at_s, each.ok) for each in course(history(), ())]
    assert counted == [(second, 20) for second in range(37)]
    assert course([], EVENTS) == ()
    assert list(itertools.islice((each.at_s for each in course(history(), EVENTS)), 2)) == [-12, -11]


def test_a_control_passes_where_loss_is_seen_and_shows_nothing_where_none_is():
    control = Rule(recovers=False, must_lose=True)
    missed = history(failed(246, outcome=Outcome.FAIL, cause="missing"))
    assert verdict(missed, stored=kept(missed)[5:], rule=control) == PASSED
    nothing = "nothing was lost that had to be: that the lab sees loss is not shown"
    assert verdict(history(), rule=control) == (Verdict.VOID, nothing)


def test_a_control_excuses_loss_and_nothing_else():
    rows = kept(history())
    torn = [msgspec.structs.replace(rows[5], children=1), *rows[6:]]
    assert judged(history(), stored=torn, rule=Rule(must_lose=True)).verdict is Verdict.FAIL
