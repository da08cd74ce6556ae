"""Histories of a cell that were made up: 37 seconds of twenty attempts each, with a fault from the thirteenth on."""

from __future__ import annotations

import msgspec

from serverlab.analysis.judging import judge
from serverlab.model.faults import (
    Attempt,
    Event,
    Happening,
    Kind,
    Outcome,
    Probing,
    Rule,
    StoredRow,
    Timeline,
    Verdict,
)

PROBING = Probing(reads_per_s=10, writes_per_s=10, timeout_s=2)
TIMELINE = Timeline(settle_s=2, baseline_s=10, hold_s=5, observe_s=20)
SETTLED_S, JOURNALLED_S, INJECTED_S, REMOVED_S, END_S = 2.0, 12.0, 12.5, 17.0, 37.0
EVENTS = (
    Event(at_s=0, what=Happening.BEGAN),
    Event(at_s=JOURNALLED_S, what=Happening.JOURNALLED),
    Event(at_s=INJECTED_S, what=Happening.INJECTED),
    Event(at_s=REMOVED_S, what=Happening.REMOVED),
    Event(at_s=END_S, what=Happening.ENDED),
)
QUICK_S = 0.01


def attempt(number, **changes):
    """Number n is due after n / 20 seconds; the even ones are reads, the odd ones writes."""
    due_s = number / 20
    good = Attempt(
        number=number,
        kind=Kind.WRITE if number % 2 else Kind.READ,
        key=f"key-{number}" if number % 2 else f"key-{number - 1}" if number else "",
        due_s=due_s,
        sent_s=due_s,
        first_byte_s=due_s + QUICK_S,
        ended_s=due_s + QUICK_S,
        outcome=Outcome.OK,
        status=200,
    )
    return msgspec.structs.replace(good, **changes)


def failed(number, *, after_s=QUICK_S, outcome=Outcome.INFO, cause="eof", **changes):
    """One that did not succeed, and when its end was known."""
    ended_s = number / 20 + after_s
    told = {"outcome": outcome, "cause": cause, "status": None, "first_byte_s": None, "ended_s": ended_s}
    return attempt(number, **told | changes)


def history(*changed, length=740):
    """37 seconds in which all went well, but for the given attempts."""
    by_number = {number: attempt(number) for number in range(length)}
    return [*(by_number | {each.number: each for each in changed}).values()]


def late(numbers, sent_after_s):
    """Attempts that succeeded, but were sent so much later than they were due."""
    for number in numbers:
        sent_s = number / 20 + sent_after_s
        yield attempt(number, sent_s=sent_s, first_byte_s=sent_s + QUICK_S, ended_s=sent_s + QUICK_S)


def between(first_s, last_s):
    """The numbers of what is due from one moment on and before another."""
    return range(round(first_s * 20), round(last_s * 20))


def kept(attempts):
    """The rows of a database that has all that was acknowledged, and no more."""
    return [
        StoredRow(key=each.key, copies=1, children=2)
        for each in attempts
        if each.kind is Kind.WRITE and each.outcome is Outcome.OK
    ]


def judged(attempts, *, events=EVENTS, stored=..., rule=None, timeline=TIMELINE, probing=PROBING):
    rows = kept(attempts) if stored is ... else stored
    rule = rule or Rule()
    return judge(attempts, events, rows, rule=rule, timeline=timeline, probing=probing)


def verdict(*arguments, **options):
    found = judged(*arguments, **options)
    return found.verdict, found.reason


PASSED = (Verdict.PASS, "")


def marked(**moments):
    """The usual events, and further ones at these moments."""
    return (*EVENTS, *(Event(at_s=at_s, what=Happening(what)) for what, at_s in moments.items()))


def refused(first_s, last_s):
    return [failed(number, outcome=Outcome.FAIL, cause="refused") for number in between(first_s, last_s)]


def slow(numbers, ended_after_s):
    return [attempt(number, ended_s=number / 20 + ended_after_s) for number in numbers]


def without(what):
    return tuple(event for event in EVENTS if event.what is not what)


def moved(what, at_s):
    return tuple(msgspec.structs.replace(each, at_s=at_s) if each.what is what else each for each in EVENTS)
