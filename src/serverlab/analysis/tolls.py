"""What a fault cost, counted from attempts, events and rows: plain counting, no opinion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from serverlab.model.faults import (
    Attempt,
    Event,
    Happening,
    Kind,
    Outcome,
    Probing,
    StoredRow,
    Timeline,
    Toll,
)
from serverlab.stats import nearest_rank

CHILDREN = 2
"""How many rows belong to one that was written whole."""

WELL_FOR_S = 10.0
WELL_SHARE = 0.99
WELL_P99 = 1.5
"""Well again when ten seconds have this share of successes and at most so many times the p99 of before."""

SENT_SHARE = 0.9
"""Of the attempts that are due in a span, so many have to be there for anything to be said of it."""


@dataclass(frozen=True)
class Course:
    """The moments of a cell, in seconds of its clock, and its attempts as they were due.

    The baseline ends at ``onset_s``, when the fault was journalled: whatever is in flight then, or due before
    ``under_until_s``, is under the fault. ``acted_s`` is when its act was begun: detection and goodput count from it.
    ``lifted_s`` is the moment at which its cause was gone: success and recovery count from it, whenever the undo was
    confirmed. ``under_until_s`` is that moment, or the end of the time that the fault is held where that is later, as
    it is for what ends by itself. ``injected_s`` and ``removed_s`` are when effect and undo had been confirmed,
    ``end_s`` when nothing more was due.
    """

    attempts: tuple[Attempt, ...]
    baseline_s: float
    onset_s: float
    acted_s: float
    injected_s: float
    lifted_s: float
    under_until_s: float
    removed_s: float
    end_s: float

    @property
    def observed_s(self) -> float:
        """For how long it was looked at after the cause was gone."""
        return self.end_s - self.lifted_s

    def phase(self, attempt: Attempt) -> str:
        """``settle``, ``baseline``, ``fault`` or ``after``."""
        if attempt.ended_s < self.onset_s:
            return "settle" if attempt.due_s < self.baseline_s else "baseline"
        return "fault" if attempt.due_s < self.under_until_s else "after"

    def of(self, *phases: str) -> list[Attempt]:
        """The attempts of these phases."""
        return [each for each in self.attempts if self.phase(each) in phases]


def course_of(
    attempts: Iterable[Attempt], events: Sequence[Event], *, timeline: Timeline, probing: Probing
) -> Course | None:
    """The course of a cell; None where nothing was attempted, or the fault was not both injected and removed."""
    due = tuple(sorted(attempts, key=lambda each: (each.due_s, each.number)))
    injected, removed = moment(events, Happening.INJECTED), moment(events, Happening.REMOVED)
    if not due or injected is None or removed is None:
        return None
    journalled, acted = moment(events, Happening.JOURNALLED), act_of(events)
    lifted = max((event.at_s for event in events if event.what is Happening.LIFTED), default=removed)
    onset_s = injected if journalled is None else min(journalled, injected)
    acted_s = onset_s if acted is None else acted
    return Course(
        attempts=due,
        baseline_s=due[0].due_s + timeline.settle_s,
        onset_s=onset_s,
        acted_s=acted_s,
        injected_s=injected,
        lifted_s=lifted,
        under_until_s=max(lifted, acted_s + timeline.hold_s),
        removed_s=removed,
        end_s=due[-1].due_s + 1 / rate(probing),
    )


def act_of(events: Iterable[Event]) -> float | None:
    """When the fault's act was begun, as far as it was said; None where there was none."""
    told = {event.what: event.at_s for event in sorted(events, key=lambda each: each.at_s, reverse=True)}
    marks = (Happening.ACTED, Happening.JOURNALLED, Happening.INJECTED)
    return next((told[mark] for mark in marks if mark in told), None)


def moment(events: Iterable[Event], what: Happening) -> float | None:
    """When it happened first; None if it did not."""
    return min((event.at_s for event in events if event.what is what), default=None)


def rate(probing: Probing) -> float:
    """Attempts per second."""
    return probing.reads_per_s + probing.writes_per_s


def latency_s(attempt: Attempt) -> float:
    """How long who wanted it sent when it was due has waited for what came of it."""
    return attempt.ended_s - attempt.due_s


def p99_s(attempts: Iterable[Attempt]) -> float | None:
    """The 99th percentile of their latencies, failures as well; None where there are none."""
    found = [latency_s(each) for each in attempts]
    return nearest_rank(found, 99) if found else None


def kept_rows(attempts: Sequence[Attempt], stored: Iterable[StoredRow]) -> dict[str, Any]:
    """What became of the writes, as the fields ``lost``, ``phantom``, ``duplicate``, ``torn`` and ``recovered``.

    A write of which the client knew that it was not done and that is there all the same is a phantom, as one that
    nobody attempted.
    """
    rows = {row.key: row for row in stored if row.copies}
    written = {
        outcome: {each.key for each in attempts if each.kind is Kind.WRITE and each.outcome is outcome}
        for outcome in Outcome
    }
    return {
        "lost": len(written[Outcome.OK] - rows.keys()),
        "phantom": len(rows.keys() - written[Outcome.OK] - written[Outcome.INFO]),
        "duplicate": sum(row.copies > 1 for row in rows.values()),
        "torn": sum(row.children != CHILDREN * row.copies for row in rows.values()),
        "recovered": len(rows.keys() & (written[Outcome.INFO] - written[Outcome.OK])),
    }


def stale_reads(attempts: Sequence[Attempt]) -> int:
    """Reads that missed what had been acknowledged before they were sent."""
    acknowledged = {
        each.key: each.ended_s for each in attempts if each.kind is Kind.WRITE and each.outcome is Outcome.OK
    }
    return sum(
        each.kind is Kind.READ
        and each.cause == "missing"
        and each.sent_s is not None
        and acknowledged.get(each.key, each.ended_s) <= each.sent_s
        for each in attempts
    )


def bare_toll(attempts: Sequence[Attempt], stored: Iterable[StoredRow]) -> Toll:
    """What can be counted without knowing when the fault was."""
    return Toll(
        attempts=len(attempts),
        ok=sum(each.outcome is Outcome.OK for each in attempts),
        stale=stale_reads(attempts),
        failed_by=_counted(("unknown", each) for each in attempts),
        **kept_rows(attempts, stored),
    )


def toll_of(course: Course, stored: Iterable[StoredRow], *, probing: Probing) -> Toll:
    """The whole toll."""
    baseline = p99_s(course.of("baseline"))
    return Toll(
        attempts=len(course.attempts),
        ok=sum(each.outcome is Outcome.OK for each in course.attempts),
        stale=stale_reads(course.attempts),
        failed_by=_counted((course.phase(each), each) for each in course.attempts),
        longest_gap_s=_longest_gap_s(course),
        to_detect_s=_to_detect_s(course),
        to_success_s=_to_success_s(course),
        to_recovery_s=None if baseline is None else _to_recovery_s(course, baseline, probing),
        goodput_kept=_goodput_kept(course),
        baseline_p99_ms=None if baseline is None else baseline * 1000,
        observed_s=course.observed_s,
        **kept_rows(course.attempts, stored),
    )


def failures(course: Course) -> list[Attempt]:
    """What was not OK from the moment on at which the fault set in."""
    return [each for each in course.of("fault", "after") if each.outcome is not Outcome.OK]


def _counted(attempts: Iterable[tuple[str, Attempt]]) -> dict[str, int]:
    """How many were not OK, by their phases and what became of them."""
    return dict(
        sorted(
            Counter(
                f"{phase}/{each.kind.value}/{each.outcome.value}/{each.cause}"
                for phase, each in attempts
                if each.outcome is not Outcome.OK
            ).items()
        )
    )


def _successes(course: Course) -> list[float]:
    return sorted(each.ended_s for each in course.attempts if each.outcome is Outcome.OK)


def _longest_gap_s(course: Course) -> float | None:
    """From the last success before the fault to the end of what was due, the longest time without any."""
    found = _successes(course)
    before = [each for each in found if each < course.onset_s]
    if not before:
        return None
    seen = [before[-1], *(each for each in found if each >= course.onset_s)]
    return max(later - earlier for earlier, later in pairwise([*seen, max(course.end_s, seen[-1])]))


def _to_detect_s(course: Course) -> float | None:
    first = min((each.ended_s for each in failures(course)), default=None)
    return None if first is None else max(0.0, first - course.acted_s)


def _to_success_s(course: Course) -> float | None:
    first = min((each for each in _successes(course) if each >= course.lifted_s), default=None)
    return None if first is None else first - course.lifted_s


def _to_recovery_s(course: Course, baseline_p99_s: float, probing: Probing) -> float | None:
    """From when the cause was lifted to the first moment from which on ten seconds are well; None if there is none."""
    for start_s, found in _right_windows(course, probing):
        if found <= WELL_P99 * baseline_p99_s:
            return start_s - course.lifted_s
    return None


def best_p99_s(course: Course, probing: Probing) -> float | None:
    """The lowest p99 of ten seconds after the cause was lifted of which enough succeed; None where there are none."""
    return min((found for _, found in _right_windows(course, probing)), default=None)


def _right_windows(course: Course, probing: Probing) -> Iterator[tuple[float, float]]:
    """Where ten seconds begin, after the cause was lifted, of which enough succeed, and their p99."""
    later = [each for each in course.attempts if each.due_s >= course.lifted_s]
    first = last = 0
    for start_s in [course.lifted_s, *(each.due_s for each in later)]:
        if start_s + WELL_FOR_S > course.end_s:
            return
        while first < len(later) and later[first].due_s < start_s:
            first += 1
        while last < len(later) and later[last].due_s < start_s + WELL_FOR_S:
            last += 1
        window = later[first:last]
        found = p99_s(window)
        if found is not None and _is_right(window, probing):
            yield start_s, found


def _is_right(window: Sequence[Attempt], probing: Probing) -> bool:
    successes = sum(each.outcome is Outcome.OK for each in window)
    return len(window) >= SENT_SHARE * WELL_FOR_S * rate(probing) and successes >= WELL_SHARE * len(window)


def _goodput_kept(course: Course) -> float | None:
    """Successes per second that ended under the fault, as a share of those in the baseline."""
    before_s, under_s = course.onset_s - course.baseline_s, course.under_until_s - course.acted_s
    found = _successes(course)
    before = sum(course.baseline_s <= each < course.onset_s for each in found)
    under = sum(course.acted_s <= each < course.under_until_s for each in found)
    if before_s <= 0 or under_s <= 0 or not before:
        return None
    return (under / under_s) / (before / before_s)
