"""What slowhttptest said, as it was captured from it, and as it must not be believed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from serverlab.faults import slowhttptest
from serverlab.faults.slowhttptest import BadOutput, Observed, Second, read_end, read_series

CAPTURED = Path(__file__).parents[1] / "captured"
HEAD = "Seconds,Closed,Pending,Connected,Service Available\n"


def captured(name, kind="csv"):
    return (CAPTURED / f"slowhttptest-{name}.{kind}").read_text(encoding="utf-8")


def observed(name):
    return Observed(read_series(captured(name)), read_end(captured(name, "txt")))


def test_a_server_of_one_thread_is_seen_to_serve_nobody_else():
    seen = observed("blocked")
    assert seen.series[4] == Second(at_s=4, closed=0, pending=33, connected=7, available=False)
    assert [each.available for each in seen.series] == [True] * 4 + [False] * 6
    assert (len(seen.decided), seen.unavailable_share) == (6, 1.0)
    assert str(seen) == "slowhttptest: service not available in 6 of 6 seconds; Hit test time limit"


def test_a_server_of_many_threads_is_seen_to_serve_others():
    seen = observed("served")
    assert seen.series[-1] == Second(at_s=9, closed=0, pending=0, connected=40, available=True)
    assert seen.unavailable_share == 0.0
    assert str(seen) == "slowhttptest: service not available in 0 of 6 seconds; Hit test time limit"


def test_a_test_that_was_ended_says_so_and_keeps_its_series():
    seen = observed("cancelled")
    assert (seen.end, len(seen.series), seen.unavailable_share) == ("Cancelled by user", 5, 1.0)


def test_slow_readers_are_told_alike():
    seen = observed("slow-read")
    assert (seen.series[-1].connected, seen.unavailable_share) == (40, 0.0)


def test_what_it_says_before_it_can_know_does_not_count():
    assert Observed(read_series(captured("refused")), "Cancelled by user").unavailable_share is None


def test_a_server_that_is_not_there_is_no_observed():
    with pytest.raises(BadOutput, match="slowhttptest ended with Connection refused"):
        read_end(captured("refused", "txt"))


@pytest.mark.parametrize("text", ["", "Killed\n", "Exit status: Hit test time limit\n" * 2])
def test_an_end_that_is_not_told_once_is_none(text):
    with pytest.raises(BadOutput, match="slowhttptest ended with"):
        read_end(text)


def test_a_line_that_is_still_being_written_is_left_for_later():
    assert read_series(f"{HEAD}0,0,1,0,40\n1,0,3") == (Second(0, 0, 1, 0, available=True),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "does not begin with"),
        ("Seconds,Closed,Pending,Connected\n", "does not begin with"),
        (f"{HEAD}0,0,1,0\n", "line 2 of its series"),
        (f"{HEAD}0,0,1,0,40,7\n", "line 2 of its series"),
        (f"{HEAD}0,0,1,0,40\n1,0,x,0,40\n", "line 3 of its series"),
        (f"{HEAD}0,0,-1,0,40\n", "with a number below 0"),
        (f"{HEAD}0,0,1,0,40\n2,0,1,0,40\n", "leaves seconds out"),
    ],
)
def test_a_series_that_is_not_as_it_should_be_is_refused(text, why):
    with pytest.raises(BadOutput, match=why):
        read_series(text)


def test_it_is_called_with_bounds_and_says_all_to_files():
    words = slowhttptest.command(
        "-X",
        "http://app:8000/lab/big?mb=4",
        connections=40,
        pace_s=2,
        lasts_s=50,
        options=("-w", "512"),
    )
    assert shlex.split(words) == [
        *("exec", "timeout", "--kill-after=5", "60", "slowhttptest", "-X"),
        *("-u", "http://app:8000/lab/big?mb=4", "-c", "40", "-r", "100", "-i", "2", "-p", "2", "-l", "50"),
        *("-w", "512", "-g", "-o", "/tmp/slowhttptest", ">", "/tmp/slowhttptest.txt", "2>&1"),
    ]
