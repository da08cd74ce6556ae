"""What tables say of open arrival: the load, what was late and by whom, the tails."""

from __future__ import annotations

import msgspec
import pytest

from serverlab.analysis import tabulate
from serverlab.model.definitions import Arrival, Spacing, Step
from serverlab.model.records import Failure, StepResult
from serverlab.model.tables import DoubtKind
from serverlab.reports.columns import COLUMNS, default_columns
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    a_latency,
    a_load,
    a_plan,
    a_run,
    a_trial,
    a_usage,
    a_workload,
)

OPEN = a_workload(arrival=Arrival.OPEN, rate=400.0, users=64)


def an_open_load(rps=400.0, *, count=None, **changes):
    """400 arrivals per second, all sent in time and answered."""
    latency = msgspec.structs.replace(
        a_latency(round(rps * 10) if count is None else count), p90_us=40_000, p999_us=90_000
    )
    plain = {
        "users": 64,
        "arrival": "open",
        "rate": 400.0,
        "scheduled": 4000,
        "sent": 4000,
        "queued": 0,
        "unsent": 0,
        "lost": 0,
        "lag": msgspec.structs.replace(a_latency(4000), p99_us=700),
        "latency": latency,
    }
    return a_load(rps, **plain | changes)


def five(target=RUNSERVER, *, load=None, **changes):
    return [a_trial(target, round=number, load=load or an_open_load(), **changes) for number in range(1, 6)]


def section_of(made, *, workload=OPEN):
    (section,) = tabulate(
        a_run(five(GTHREAD, load=an_open_load(count=20_000)), made, plan=a_plan(workload=workload))
    ).sections
    return section


def load_of(workload):
    return next(
        fact.value for fact in section_of(five(), workload=workload).conditions if fact.label == "Load"
    )


def doubts_of(made, **parts):
    return {
        doubt.kind: [(*each.targets, each.text) for each in doubt.details]
        for doubt in section_of(made, **parts).doubts
    }


def row_of(made, **parts):
    return next(row for row in section_of(made, **parts).rows if row.target == RUNSERVER)


END = (
    "whatever the answers do; latency counts from when a request was due, to the window's end for what was never sent; "
    "at most 64 in flight, each on its own connection; time-out 10 s, counted as an error and in the latencies"
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "open: 400 requests/s, evenly spaced, "),
        (
            {"spacing": Spacing.POISSON},
            "open: 400 requests/s, as independent visitors come (Poisson, the same in each round for all), ",
        ),
        (
            {
                "rate": None,
                "steps": (Step(duration_s=4.0, rate=10.0, ramp_to=50.0), Step(duration_s=6.0, rate=50.0)),
            },
            "open: requests/s 10 to 50 for 4 s, then 50 for 6 s, evenly spaced, ",
        ),
    ],
)
def test_the_load_is_told_with_its_rate_and_spacing(changes, said):
    assert load_of(msgspec.structs.replace(OPEN, **changes)) == said + END


def test_a_closed_load_with_steps_tells_them():
    steps = (Step(duration_s=4.0, users=1), Step(duration_s=6.0, users=16))
    assert load_of(a_workload(steps=steps)).startswith(
        "closed: 1 user for 4 s, then 16 users for 6 s, each waits for its answer, no think time; "
    )


def test_all_that_was_due_was_sent_and_answered():
    assert doubts_of(five(load=an_open_load(count=20_000))) == {}


def test_requests_that_waited_for_a_user_or_were_never_sent_are_told():
    late = an_open_load(100.0, count=20_000, sent=3000, queued=2000, unsent=1000)
    assert doubts_of(five(load=late))[DoubtKind.QUEUED] == [(RUNSERVER, "50 % were sent late, 25 % never")]


def test_what_was_never_sent_makes_no_share_of_errors_smaller():
    wrong = Failure(name="ping", kind="status", status=503, count=5, example="503")
    row = row_of(five(load=an_open_load(count=2995, sent=1000, unsent=2000, failures=(wrong,))))
    assert row.errors.share == pytest.approx(0.005)


def test_what_was_never_sent_and_how_late_the_generator_was_are_columns():
    row = row_of(five(load=an_open_load(100.0, sent=3000, unsent=1000)))
    assert (row.unsent_share, row.lag_us.median) == (0.25, 700)
    assert (COLUMNS["unsent"].show(row), COLUMNS["lag"].show(row)) == ("25 %", "0.700")


def test_requests_per_second_are_the_schedules_and_not_compared():
    section = section_of(five(load=an_open_load(300.0, count=20_000)))
    conditions = {fact.label: fact.value for fact in section.conditions}
    assert conditions["Ratios"] == "none: where requests are due at a rate, requests/s are the schedule's"
    assert [(row.ratio, row.ratio_interval, row.shown, row.group) for row in section.rows] == [
        (None,) * 4
    ] * 2


def test_an_open_section_shows_tails_and_what_was_late():
    assert default_columns(section_of(five()))[1:6] == ("p50", "p90", "p99", "p999", "max")
    assert {"samples", "unsent", "lag"} <= {*default_columns(section_of(five()))}


def test_a_closed_load_has_neither():
    row = row_of(five(load=a_load(400.0)), workload=a_workload())
    assert (row.unsent_share, row.lag_us) == (None, None)


def test_tails_are_shown_where_enough_lies_beyond_them():
    row = row_of(five(load=an_open_load(count=10_000)))
    assert (row.p90_us.median, row.p999_us.median) == (40_000, 90_000)
    assert (COLUMNS["p90"].show(row), COLUMNS["p999"].show(row)) == ("40.0", "90.0")


def test_a_tail_of_too_few_is_absent_with_a_doubt():
    made = five(load=an_open_load(count=9_999))
    assert row_of(made).p999_us is None
    assert doubts_of(made) == {DoubtKind.FEW_SAMPLES: [(RUNSERVER, "no p99.9: 9999 requests in a round")]}


def test_a_tail_that_an_older_run_has_not_read_is_absent():
    assert row_of(five(load=a_load(400.0, latency=a_latency(20_000))), workload=a_workload()).p999_us is None


def test_a_server_that_has_time_left_at_a_rate_is_no_wonder():
    """Idle cores and fewer slots than users tell something of closed users alone."""
    made = five(load=an_open_load(count=20_000), usage={"app": a_usage(0.1), "load": a_usage(0.2)})
    assert doubts_of(made) == {}


STEPS = (Step(duration_s=4.0, rate=10.0), Step(duration_s=6.0, rate=50.0))


def test_a_window_of_steps_has_no_percentiles_of_its_own_and_says_so():
    result = StepResult(level=10.0, ramp_to=10.0, duration_s=4.0, ended=40, ok=40, latency=a_latency(40))
    made = five(load=an_open_load(count=20_000, steps=(result,)))
    row = row_of(made, workload=msgspec.structs.replace(OPEN, rate=None, steps=STEPS))
    assert (row.p50_us, row.p90_us, row.p99_us, row.p999_us) == (None, None, None, None)
    assert row.max_us == 120_000
    assert doubts_of(made, workload=msgspec.structs.replace(OPEN, rate=None, steps=STEPS)) == {
        DoubtKind.STEPPED: [("2 steps",)]
    }
