"""Whether other generators agree with the lab's own, and why not."""

import pytest

from serverlab.analysis.crosscheck import crosscheck_table
from serverlab.model.crosscheck import Agreement, Pace, Tool
from tests.unit.builders import GTHREAD
from tests.unit.crosschecks import a_check, a_reading, measured, rounds_of

OURS = [500.0, 510.0, 490.0, 505.0, 495.0]


def row_of(measurements, tool, pace, **changes):
    rows = crosscheck_table(a_check(measurements, **changes)).rows
    (row,) = [each for each in rows if (each.tool, each.pace) == (tool, pace)]
    return row


def beside_ours(tool, pace, factors, *, p99=20_000):
    """Ours in five rounds, and the tool with so many times the requests per second of each."""
    seen = [rps * factor for rps, factor in zip(OURS, factors, strict=True)]
    return [*rounds_of(Tool.OURS, pace, OURS), *rounds_of(tool, pace, seen, p99=p99)]


ALIKE = [1.01, 0.99, 1.0, 1.005, 0.995]
FASTER = [1.21, 1.19, 1.2, 1.205, 1.195]
SCATTERED = [1.1, 0.9, 1.0, 1.1, 0.9]


@pytest.mark.parametrize(
    ("factors", "agrees", "reason"),
    [
        (ALIKE, Agreement.YES, ""),
        (FASTER, Agreement.NO, "req/s 1.20 [1.19–1.21] lies beyond ±5 %"),
        (SCATTERED, Agreement.UNCLEAR, "req/s 1.00 [0.88–1.13] reaches beyond ±5 %"),
    ],
    ids=["alike", "faster", "scattered"],
)
def test_at_saturation_throughput_is_held_against_ours(factors, agrees, reason):
    row = row_of(beside_ours(Tool.H2LOAD, Pace.SATURATED, factors), Tool.H2LOAD, Pace.SATURATED)
    assert (row.agrees, row.reason) == (agrees, reason)


@pytest.mark.parametrize(
    ("p99_us", "agrees", "reason"),
    [
        (21_000, Agreement.YES, ""),
        (24_000, Agreement.NO, "p99 1.20 [1.20–1.20] lies beyond ±10 %"),
        (16_000, Agreement.NO, "p99 0.80 [0.80–0.80] lies beyond ±10 %"),
    ],
)
def test_at_half_of_it_the_99th_percentile_is(p99_us, agrees, reason):
    row = row_of(beside_ours(Tool.H2LOAD, Pace.HALF, ALIKE, p99=p99_us), Tool.H2LOAD, Pace.HALF)
    assert (row.agrees, row.reason) == (agrees, reason)


def test_at_saturation_no_99th_percentile_counts_and_wrk_has_none_that_it_measured_alone():
    measurements = [
        *rounds_of(Tool.OURS, Pace.SATURATED, OURS),
        *rounds_of(Tool.WRK, Pace.SATURATED, OURS, p99=30_000),
        *rounds_of(Tool.H2LOAD, Pace.SATURATED, OURS, p99=30_000),
    ]
    wrk, h2load = (row_of(measurements, tool, Pace.SATURATED) for tool in (Tool.WRK, Tool.H2LOAD))
    assert (wrk.agrees, wrk.reason) == (Agreement.YES, "no p99: wrk adds samples of its own")
    assert (wrk.p50_us, wrk.p99_us, wrk.p99_ratio, wrk.p99_interval) == (None, None, None, None)
    assert (h2load.agrees, h2load.p99_ratio) == (Agreement.YES, pytest.approx(1.5))


def test_wrk_at_half_is_not_asked_and_the_row_says_why():
    row = row_of(rounds_of(Tool.OURS, Pace.HALF, OURS), Tool.WRK, Pace.HALF)
    assert (row.agrees, row.reason, row.rps) == (Agreement.NA, "wrk cannot be given a rate", None)


def test_who_did_not_carry_the_rate_does_not_agree_whatever_its_latency():
    row = row_of(beside_ours(Tool.H2LOAD, Pace.HALF, [0.9] * 5), Tool.H2LOAD, Pace.HALF)
    assert row.agrees is Agreement.NO
    assert (
        row.reason
        == "it was given the same rate and carried 0.90 of it, so that its latency is of another load"
    )


def test_too_few_rounds_say_nothing():
    measurements = [
        measured(Tool.OURS, reading=a_reading(500.0)),
        measured(Tool.WRK, reading=a_reading(500.0)),
    ]
    row = row_of(measurements, Tool.WRK, Pace.SATURATED)
    assert (row.agrees, row.rps_ratio, row.rps_interval) == (Agreement.UNCLEAR, pytest.approx(1.0), None)
    assert row.reason == "req/s: too few rounds for an interval; no p99: wrk adds samples of its own"


def test_only_rounds_in_which_both_are_valid_make_a_ratio():
    measurements = [
        *rounds_of(Tool.OURS, Pace.SATURATED, OURS),
        *rounds_of(Tool.H2LOAD, Pace.SATURATED, [500.0, 510.0, 490.0, 505.0]),
        measured(Tool.H2LOAD, round=5, void=("it used 90% of a core",), reading=a_reading(9000.0)),
    ]
    row = row_of(measurements, Tool.H2LOAD, Pace.SATURATED)
    assert (row.rounds, row.rps_ratio, row.agrees) == (4, pytest.approx(1.0), Agreement.YES)
    assert row.reason == "1 of 5 rounds VOID: it used 90% of a core"


def test_a_row_without_a_valid_round_has_no_number():
    row = row_of([measured(Tool.WRK, void=("wrk ended with 1\n  | refused",))], Tool.WRK, Pace.SATURATED)
    assert (row.rps, row.p99_us, row.agrees, row.rounds) == (None, None, Agreement.NA, 0)
    assert row.reason == "VOID: wrk ended with 1 | refused"


def test_failed_requests_are_told():
    measurements = [measured(Tool.OURS, reading=a_reading(500.0, failed=2))]
    assert row_of(measurements, Tool.OURS, Pace.SATURATED).reason == "2 requests failed"


def test_rows_come_by_target_and_pace_ours_first():
    other = "uwsgi:http"
    measurements = [
        measured(tool, pace, target=target, reading=a_reading())
        for target in (other, GTHREAD)
        for pace in (Pace.HALF, Pace.SATURATED)
        for tool in (Tool.H2LOAD, Tool.OURS)
    ]
    rows = crosscheck_table(a_check(measurements, targets=(GTHREAD, other))).rows
    assert [(row.target, row.pace.value, row.tool.value) for row in rows[:5]] == [
        (GTHREAD, "saturated", "serverlab"),
        (GTHREAD, "saturated", "h2load"),
        (GTHREAD, "half", "serverlab"),
        (GTHREAD, "half", "wrk"),
        (GTHREAD, "half", "h2load"),
    ]
