"""What slow clients told is taken only if nothing of it is missing, and counted."""

from __future__ import annotations

import pytest

from serverlab.errors import TrialFailed
from serverlab.faults.clients import Counts, measured, parse_told
from tests.fake_slow import HELD, OPENING, ROWS, ended, lines, row


def test_what_is_told_is_read_with_or_without_its_last_line():
    whole = parse_told(lines(OPENING, HELD, *ended(*ROWS)), where="it")
    assert ([each.how for each in whole.rows], whole.closing.rows) == (["kept", "eof", "reset"], 3)
    begun = parse_told(lines(OPENING, HELD), where="it")
    assert (begun.counts, begun.rows, begun.closing) == (
        (Counts(at_s=100.5, waiting=0, held=3, ended=0),),
        (),
        None,
    )


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ([], "does not begin as this lab reads it"),
        (lines(OPENING | {"slow": 2}), "does not begin as this lab reads it"),
        (lines(HELD), "it, line 1: "),
        (lines(OPENING, {"other": 1}), "it, line 2: 'other'"),
        (lines(OPENING, HELD | {"held": -1}), "it, line 2: "),
        ([*lines(OPENING, HELD)[:1], *lines(OPENING, HELD, HELD)[2:]], "it, line 2: its checksum is wrong"),
        ([lines(OPENING)[0][:-4]], "it, line 1: it is cut short"),
        (
            lines(OPENING, *ROWS[:2], {"rows": 3, "ended_s": 1.0, "stopped": True}),
            "3 connections are announced, 2",
        ),
    ],
)
def test_what_is_told_is_refused_where_anything_is_missing_or_changed(told, why):
    with pytest.raises(TrialFailed, match=why):
        parse_told(told, where="it")


def test_nothing_closed_has_no_times():
    told = parse_told(lines(OPENING, *ended(row(0), row(1, "waiting", established_s=None))), where="it")
    found = measured([told], first=Counts(at_s=0, waiting=1, held=1, ended=0))
    assert (found["established"], found["never_taken"], found["closed_by_server"]) == (1, 1, 0)
    assert not [name for name in found if name.endswith("after_s")]
