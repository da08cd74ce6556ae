"""What wrk and h2load said, as it was captured from them, and as it must not be believed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from serverlab.model.crosscheck import Reading
from serverlab.witnesses import (
    BadOutput,
    Question,
    h2load_command,
    percentile,
    read_h2load,
    read_wrk,
    wrk_command,
)

CAPTURED = Path(__file__).parent / "captured"
QUESTION = Question(
    url="http://app:8000/me/",
    headers={"Authorization": "Bearer x"},
    connections=32,
    warmup_s=1.0,
    window_s=1.0,
    timeout_s=10.0,
)
SUMMARY = "requests: {total} total, 3 started, 3 done, 3 succeeded, 0 failed, {errored} errored, {timeout} timeout\n"


def captured(name):
    return (CAPTURED / name).read_text(encoding="utf-8")


def summary(*, total=9, errored=0, timeout=0):
    return SUMMARY.format(total=total, errored=errored, timeout=timeout)


def log(*requests):
    return "".join(f"{began}\t{status}\t{took}\n" for began, status, took in requests)


def test_wrk_s_own_words_and_its_script_s_line_become_a_reading():
    assert read_wrk(captured("wrk.txt")) == Reading(
        ok=1650, failed=0, window_s=3.009304, count=1650, p50_us=None, p99_us=None
    )


def test_answers_that_are_not_2xx_are_no_throughput_of_wrk_s():
    with pytest.raises(BadOutput, match="wrk got no right answer:\n"):
        read_wrk(captured("wrk-401.txt"))


def test_some_failures_are_counted_beside_wrk_s_right_answers():
    text = captured("wrk.txt").replace('"status": 0, "timeout": 0', '"status": 50, "timeout": 3')
    reading = read_wrk(text)
    assert (reading.ok, reading.failed, reading.count) == (1600, 53, 1650)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unable to connect to app:8001 Connection refused\n",
        captured("wrk.txt").replace("LAB ", ""),
        captured("wrk.txt").replace('"bytes": 1118949, ', ""),
        captured("wrk.txt").replace("1118949", "null"),
        captured("wrk.txt").replace("1118949", "1.5"),
        captured("wrk.txt").replace('"connect": 0', '"connect": -1'),
        captured("wrk.txt")[:-20],
        captured("wrk.txt") * 2,
    ],
    ids=["nothing", "refused", "no line", "no p99", "null", "a fraction", "negative", "cut short", "twice"],
)
def test_what_wrk_never_says_is_an_error(text):
    with pytest.raises(BadOutput, match=r"^wrk "):
        read_wrk(text)


def test_h2load_is_read_by_its_log_within_the_window():
    """The figures were counted by awk and sort from the captured log."""
    reading = read_h2load(captured("h2load.txt"), captured("h2load.tsv"), question=QUESTION)
    assert reading == Reading(ok=256, failed=0, window_s=1.0, count=256, p50_us=2354, p99_us=7145)


def test_answers_that_are_not_2xx_are_no_throughput_of_h2load_s():
    question = QUESTION.__class__(**{**vars(QUESTION), "warmup_s": 0.5})
    with pytest.raises(BadOutput, match="h2load got no right answer:\n"):
        read_h2load(captured("h2load-401.txt"), captured("h2load-401.tsv"), question=question)


def test_throughput_is_of_what_ends_in_the_window_and_latency_of_what_begins_in_it():
    requests = log(
        (0, 200, 1_000_000),  # ends as the window begins
        (999_999, 200, 500_000),  # began before it
        (1_000_000, 200, 700),
        (1_500_000, 503, 300),
        (1_600_000, -1, 300),
        (1_999_999, 200, 500_000),  # ends after it
        (2_000_000, 200, 900),
    )
    reading = read_h2load(summary(errored=2, timeout=1), requests, question=QUESTION)
    assert reading == Reading(ok=3, failed=5, window_s=1.0, count=2, p50_us=700, p99_us=500_000)


@pytest.mark.parametrize(
    ("output", "requests", "said"),
    [
        ("", log((0, 200, 5)), "did not say what it measured"),
        (summary() * 2, log((0, 200, 5)), "did not say what it measured"),
        (summary(), "", "logged no request"),
        (captured("h2load-refused.txt"), "", "logged no request"),
        (summary(), "0\t200\n", "has the line '0\\t200', which is no request"),
        (summary(), "0\t200\t5\t7\n", "which is no request"),
        (summary(), "0\tOK\t5\n", "which is no request"),
        (summary(), "0\t200\t-5\n", "took less than no time"),
        (summary(), log((0, 200, 5), (1_900_000, 200, 5)), "ended before its window of 1 s did"),
        (summary(), log((0, 200, 5), (2_900_000, 200, 5)), "got no right answer"),
        (
            summary(total=1),
            log((0, 200, 5), (1, 200, 5)),
            "made 1 requests and its log has 2, of an earlier call",
        ),
    ],
    ids=[
        "nothing",
        "twice",
        "no log",
        "refused",
        "short",
        "long",
        "words",
        "negative",
        "early",
        "none",
        "appended",
    ],
)
def test_what_h2load_never_says_is_an_error(output, requests, said):
    with pytest.raises(BadOutput) as bad:
        read_h2load(output, requests, question=QUESTION)
    assert said in bad.value.what


def test_both_are_asked_for_the_same():
    """A fifth of a kilohertz: 32 connections of which each asks 6.25 times a second, one opened every 5 ms."""
    assert wrk_command(QUESTION, lasts_s=1.5) == [
        "timeout",
        "--kill-after=5",
        "32",
        "wrk",
        "--threads=1",
        "--connections=32",
        "--duration=2s",
        "--timeout=10s",
        "--script=/lab/percentiles.lua",
        "--header=Authorization: Bearer x",
        "http://app:8000/me/",
    ]
    saturated, half = h2load_command(QUESTION, rate=None), h2load_command(QUESTION, rate=200.0)
    assert saturated == [
        "timeout",
        "--kill-after=5",
        "33",
        "h2load",
        "--h1",
        "--threads=1",
        "--clients=32",
        "--max-concurrent-streams=1",
        "--connection-inactivity-timeout=10s",
        "--log-file=/tmp/requests.log",
        "--duration=3",
        "--header=Authorization: Bearer x",
        "http://app:8000/me/",
    ]
    assert [word for word in half if word not in saturated] == [
        "--requests=600",
        "--rps=6.250000",
        "--rate=1",
        "--rate-period=5ms",
    ]


@pytest.mark.parametrize(
    ("rate", "opened"), [(900.0, ("1", "1ms")), (1500.0, ("2", "1ms")), (4000.0, ("4", "1ms"))]
)
def test_connections_are_opened_in_whole_milliseconds(rate, opened):
    at_once, period = opened
    assert {f"--rate={at_once}", f"--rate-period={period}"} <= set(h2load_command(QUESTION, rate=rate))


def test_percentiles_are_by_the_nearest_rank():
    """Of 1 to 200 the 99th is the 198th, the 50th the 100th; of one value each is that one."""
    values = range(1, 201)
    assert [percentile(values, percent) for percent in (50, 99, 100, 0)] == [100, 198, 200, 1]
    assert percentile([7], 99) == 7


def test_a_reading_survives_the_way_to_disk_and_back():
    reading = read_wrk(captured("wrk.txt"))
    assert msgspec.json.decode(msgspec.json.encode(reading), type=Reading) == reading
