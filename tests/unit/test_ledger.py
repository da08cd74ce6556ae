"""A ledger is read back whole and unchanged, or refused with the line and the reason."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from serverlab.ledger import BrokenLedger, parse_ledger, read_opening
from serverlab.model.faults import Attempt, Kind, Outcome

OPENING = {
    "ledger": 1,
    "began_s": 100.0,
    "boot_id": "b",
    "url": "http://app:8000",
    "reads_per_s": 20.0,
    "writes_per_s": 10.0,
    "timeout_s": 5.0,
    "duration_s": 60.0,
    "guarded": True,
}


def row(number, **changes):
    told = {
        "number": number,
        "kind": "write",
        "key": f"key-{number}",
        "due_s": 100.0 + number,
        "sent_s": 100.125 + number,
        "first_byte_s": None,
        "ended_s": 100.25 + number,
        "outcome": "ok",
        "status": 201,
        "cause": "",
    }
    return told | changes


def chained(*rows):
    """The lines that a prober writes of these rows, put together here once more."""
    lines, digest = [], b""
    for each in rows:
        body = json.dumps(each, separators=(",", ":"))
        digest = hashlib.sha256(digest + body.encode()).digest()
        lines.append(f'{body[:-1]},"chain":"{digest.hex()[:16]}"}}')
    return lines


GOOD = chained(
    OPENING, row(0), row(1, outcome="info", status=None, cause="eof"), {"rows": 2, "ended_s": 109.0}
)


def test_what_was_written_down_is_read_back():
    ledger = parse_ledger(GOOD, where="it")
    assert (ledger.opening.began_s, ledger.closing.ended_s) == (100.0, 109.0)
    assert ledger.attempts == (
        Attempt(
            number=0,
            kind=Kind.WRITE,
            key="key-0",
            due_s=100.0,
            sent_s=100.125,
            first_byte_s=None,
            ended_s=100.25,
            outcome=Outcome.OK,
            status=201,
        ),
        Attempt(
            number=1,
            kind=Kind.WRITE,
            key="key-1",
            due_s=101.0,
            sent_s=101.125,
            first_byte_s=None,
            ended_s=101.25,
            outcome=Outcome.INFO,
            cause="eof",
        ),
    )


def test_the_first_line_can_be_read_before_the_others_are_there():
    assert read_opening(GOOD[0], where="it") == parse_ledger(GOOD, where="it").opening


def changed(lines, number, old, new):
    """The lines with a change in the one of this number, counted from 1."""
    assert old in lines[number - 1]
    return [*lines[: number - 1], lines[number - 1].replace(old, new), *lines[number:]]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "it is empty"),
        (changed(GOOD, 2, '"ok"', '"info"'), "it, line 2: its checksum is wrong"),
        (changed(GOOD, 1, "20.0", "10.0"), "it, line 1: its checksum is wrong"),
        ([GOOD[0], *GOOD[2:]], "it, line 2: its checksum is wrong"),
        ([GOOD[0], GOOD[2], GOOD[1], GOOD[3]], "it, line 2: its checksum is wrong"),
        (GOOD[1:], "it, line 1: its checksum is wrong"),
        ([*GOOD[:2], GOOD[1], *GOOD[2:]], "it, line 3: its checksum is wrong"),
        (GOOD[:-1], "it ends after line 3 without its last line"),
        ([*GOOD[:-1], GOOD[-1][:-5]], "it, line 4: it is cut short or has no checksum"),
        ([*GOOD[:2], '{"number": 1}'], "it, line 3: it is cut short or has no checksum"),
        ([*GOOD, GOOD[-1]], "it, line 5: there are lines after the last one"),
        (
            chained(OPENING, row(0), {"rows": 2, "ended_s": 1.0}),
            "it, line 3: 2 attempts are announced, 1 there",
        ),
        (chained(OPENING, row(0, outcome="good")), "it, line 2: Invalid enum value 'good'"),
        (chained(OPENING | {"ledger": 2}), "it has format 2, this lab reads 1"),
        (chained(row(0)), "it, line 1: Object "),
    ],
)
def test_a_ledger_that_is_not_whole_is_refused_with_the_line_and_the_reason(lines, reason):
    with pytest.raises(BrokenLedger, match=f"^{re.escape(reason)}"):
        parse_ledger(lines, where="it")


def is_taken(text):
    try:
        parse_ledger(text.split("\n"), where="it")
    except BrokenLedger:
        return False
    return True


TEXT = "\n".join(GOOD)


def test_cut_off_anywhere_it_is_refused():
    assert is_taken(TEXT)
    assert [kept for kept in range(len(TEXT)) if is_taken(TEXT[:kept])] == []


def test_with_any_one_character_changed_it_is_refused():
    def other(place):
        return TEXT[:place] + ("y" if TEXT[place] == "x" else "x") + TEXT[place + 1 :]

    assert [place for place in range(len(TEXT)) if is_taken(other(place))] == []
