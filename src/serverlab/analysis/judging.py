"""What a cell comes to: a verdict with its reason, from ledger, events and database, and from nothing else."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from serverlab.analysis.tolls import (
    WELL_FOR_S,
    WELL_P99,
    WELL_SHARE,
    Course,
    act_of,
    bare_toll,
    best_p99_s,
    course_of,
    failures,
    latency_s,
    moment,
    rate,
    stale_reads,
    toll_of,
)
from serverlab.model.faults import (
    Attempt,
    Event,
    Happening,
    Instant,
    Judgement,
    Outcome,
    Probing,
    Rule,
    StoredRow,
    Timeline,
    Toll,
    Verdict,
)
from serverlab.stats import nearest_rank

LAG_P99_S = 0.05
"""How late the prober may send; what comes later is its own failing, not the stack's."""

FOUND_SHARE = 0.98
"""Of the attempts that are due in the baseline, so many have to be in the ledger."""

LONG_BASELINE_S = 30
LONG_OBSERVE_S = 60
"""In less, the p99 of so few attempts is the slowest one or two of them, and no finding by itself."""

CLOCK_SLACK_S = 0.005
"""How far moments of one attempt may stand in the wrong order, for they are rounded."""


def judge(
    attempts: Iterable[Attempt],
    events: Iterable[Event],
    stored: Iterable[StoredRow] | None,
    *,
    rule: Rule,
    timeline: Timeline,
    probing: Probing,
    void: Sequence[str] = (),
) -> Judgement:
    """The verdict on a cell; ``stored`` is None where the database could not be read.

    ``void`` holds what went wrong while it was tried, as far as attempts and events do not tell.

    FAIL wins: what was lost, made up, doubled, torn or read stale is so whatever else went wrong. Then comes VOID: the
    prober was late, or the stack was not well before the fault, or the fault or its removal was not confirmed, or the
    clocks do not agree. Then the rule is asked; UNKNOWN is what it asks for and was not observed long enough, and a p99
    that alone is too high where baseline or observation are shorter than LONG_BASELINE_S and LONG_OBSERVE_S. What the
    fault itself measured is looked at in ``bounds``. Where the rule says that writes must be lost, those, and reads
    that missed them, are no FAIL, and to see none is VOID.
    """
    seen, happened = tuple(attempts), tuple(events)
    if stored is None:
        return _unread(seen, rule, list(void) or ["the database could not be read"])
    told = course_of(seen, happened, timeline=timeline, probing=probing)
    if told is None:
        toll = bare_toll(seen, stored)
        wrong = list(void) or list(_unconfirmed(seen, happened))
    else:
        toll = toll_of(told, stored, probing=probing)
        wrong = [*void, *_void(told, probing)]
    broken = list(_broken(toll, probing, rule))
    if rule.must_lose and not toll.lost:
        wrong.append("nothing was lost that had to be: that the lab sees loss is not shown")
    if broken or wrong or told is None:
        verdict = Verdict.FAIL if broken else Verdict.VOID
        return Judgement(verdict=verdict, reason=_joined([*broken, *wrong]), toll=toll)
    return _by_rule(told, toll, rule, slow_s=_slow_s(told, toll, timeline, probing))


def _unread(attempts: Sequence[Attempt], rule: Rule, why: Sequence[str]) -> Judgement:
    """Without the database: what the ledger alone proves is a FAIL, and what was lost is not known."""
    broken = list(_stale(stale_reads(attempts), rule))
    return Judgement(verdict=Verdict.FAIL if broken else Verdict.VOID, reason=_joined([*broken, *why]))


def course(attempts: Iterable[Attempt], events: Iterable[Event]) -> tuple[Instant, ...]:
    """Second by second what came of what was due in it, from the first to the last, none left out.

    Seconds count from the fault's act, or from the first attempt where there was none. Latencies are those of the
    attempts that were OK, from when they were due.
    """
    seen = sorted(attempts, key=lambda each: each.due_s)
    if not seen:
        return ()
    acted_s = act_of(events)
    zero_s = seen[0].due_s if acted_s is None else acted_s
    by_second: defaultdict[int, list[Attempt]] = defaultdict(list)
    for each in seen:
        by_second[math.floor(each.due_s - zero_s)].append(each)
    return tuple(_instant(second, by_second[second]) for second in range(min(by_second), max(by_second) + 1))


def _instant(second: int, attempts: Sequence[Attempt]) -> Instant:
    taken_ms = [latency_s(each) * 1000 for each in attempts if each.outcome is Outcome.OK]
    return Instant(
        at_s=second,
        ok=len(taken_ms),
        failed=len(attempts) - len(taken_ms),
        p50_ms=nearest_rank(taken_ms, 50) if taken_ms else None,
        p99_ms=nearest_rank(taken_ms, 99) if taken_ms else None,
    )


def _unconfirmed(attempts: Sequence[Attempt], events: Sequence[Event]) -> Iterator[str]:
    """Why the phases of a cell cannot be told."""
    if not attempts:
        yield "nothing was attempted"
    if moment(events, Happening.INJECTED) is None:
        yield "the fault was not confirmed"
    if moment(events, Happening.REMOVED) is None:
        yield "its removal was not confirmed"


def _broken(toll: Toll, probing: Probing, rule: Rule) -> Iterator[str]:
    """What no fault excuses."""
    if toll.lost and not rule.must_lose:
        yield f"{toll.lost} acknowledged writes are lost"
    if toll.phantom:
        yield f"{toll.phantom} rows are there that nobody wrote, or that were certainly not written"
    if toll.duplicate and probing.guarded:
        yield f"{toll.duplicate} writes are there more than once"
    if toll.torn:
        yield f"{toll.torn} rows are torn from those that belong to them"
    yield from _stale(toll.stale, rule)


def _stale(count: int, rule: Rule) -> Iterator[str]:
    if count and not rule.must_lose:
        yield f"{count} reads missed what had been acknowledged before"


def _void(course: Course, probing: Probing) -> Iterator[str]:
    """Why what was counted says nothing."""
    yield from _disordered(course)
    made = sum(course.baseline_s <= each.due_s < course.onset_s for each in course.attempts)
    due = (course.onset_s - course.baseline_s) * rate(probing)
    if due <= 0 or made < FOUND_SHARE * due - 1:
        yield f"the prober made {made} attempts before the fault, {max(0, due):.0f} were due"
    baseline = course.of("baseline")
    successes = sum(each.outcome is Outcome.OK for each in baseline)
    if not successes or successes < WELL_SHARE * len(baseline):
        yield f"the stack was not well before the fault: {successes} of {len(baseline)} attempts succeeded"
    for name, phases in (("before", ("baseline",)), ("after", ("fault", "after"))):
        lag_s = _lag_p99_s(course.of(*phases))
        if lag_s > LAG_P99_S:
            yield f"the prober was late {name} the injection: p99 of {lag_s * 1000:.0f} ms"


def _disordered(course: Course) -> Iterator[str]:
    if course.removed_s < course.injected_s:
        yield "the fault was removed before it was injected"
    moments = (course.onset_s, course.acted_s, course.lifted_s, course.removed_s)
    if not course.attempts[0].due_s <= moments[0] <= moments[1] <= moments[2] <= moments[3] <= course.end_s:
        yield "the fault was not within the time that was probed"
    if any(not _is_ordered(each) for each in course.attempts):
        yield "the clock of the prober jumped"


def _is_ordered(attempt: Attempt) -> bool:
    told = [attempt.due_s, attempt.sent_s, attempt.first_byte_s, attempt.ended_s]
    moments = [each for each in told if each is not None]
    return all(later >= earlier - CLOCK_SLACK_S for earlier, later in pairwise(moments))


def _lag_p99_s(attempts: Sequence[Attempt]) -> float:
    """How late they were sent; what was never sent is late for as long as it was waited for."""
    lags = [(each.ended_s if each.sent_s is None else each.sent_s) - each.due_s for each in attempts]
    return nearest_rank(lags, 99) if lags else 0.0


def _slow_s(course: Course, toll: Toll, timeline: Timeline, probing: Probing) -> float | None:
    """The p99 that it came down to, where nothing but that kept it from being well again and too little was seen."""
    seen_enough = timeline.baseline_s >= LONG_BASELINE_S and timeline.observe_s >= LONG_OBSERVE_S
    return None if seen_enough or toll.to_recovery_s is not None else best_p99_s(course, probing)


def _by_rule(course: Course, toll: Toll, rule: Rule, *, slow_s: float | None) -> Judgement:
    """``slow_s`` is as _slow_s says."""
    if failed := list(_missed(course, toll, rule, is_slow=slow_s is not None)):
        return Judgement(verdict=Verdict.FAIL, reason=_joined(failed), toll=toll)
    if unknown := list(_unobserved(course, toll, rule, slow_s)):
        return Judgement(verdict=Verdict.UNKNOWN, reason=_joined(unknown), toll=toll)
    return Judgement(verdict=Verdict.PASS, reason="", toll=toll)


def _missed(course: Course, toll: Toll, rule: Rule, *, is_slow: bool) -> Iterator[str]:
    count = len(failures(course))
    if rule.failures_at_most is not None and count > rule.failures_at_most:
        yield f"{count} attempts failed, {rule.failures_at_most} may"
    gap_s = toll.longest_gap_s
    if rule.longest_gap_s is not None and gap_s is not None and gap_s > rule.longest_gap_s:
        yield f"nothing succeeded for {gap_s:.1f} s, it may for {rule.longest_gap_s:g} s"
    kept = toll.goodput_kept
    if rule.goodput_at_least is not None and kept is not None and kept < rule.goodput_at_least:
        yield f"{kept:.0%} of the successes per second were left under the fault, {rule.goodput_at_least:.0%} must"
    if rule.recovers and toll.to_recovery_s is None and course.observed_s >= WELL_FOR_S and not is_slow:
        yield f"not recovered within {course.observed_s:.0f} s"


def _unobserved(course: Course, toll: Toll, rule: Rule, slow_s: float | None) -> Iterator[str]:
    if rule.recovers and toll.to_recovery_s is None and slow_s is not None:
        asked_ms = WELL_P99 * (toll.baseline_p99_ms or 0.0)
        yield (
            f"enough succeeded again, with a p99 of {slow_s * 1000:.1f} ms at best where {asked_ms:.1f} ms is asked: "
            f"{LONG_BASELINE_S} s before the fault and {LONG_OBSERVE_S} s after it are needed to tell"
        )
    elif rule.recovers and toll.to_recovery_s is None:
        yield f"observed for {course.observed_s:.1f} s after the fault, {WELL_FOR_S:g} s are needed"
    if rule.goodput_at_least is not None and toll.goodput_kept is None:
        yield "nothing was observed under the fault"


def _joined(reasons: Sequence[str]) -> str:
    return "; ".join(reasons)
