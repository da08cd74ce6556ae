"""When the schedule of an open workload was not kept, and by whom."""

import msgspec
import pytest

from serverlab.model.definitions import Arrival, Spacing
from serverlab.runner import gates
from tests.unit.builders import NO_LATENCY, a_latency, a_load, a_workload

RATE = 100.0
OPEN = a_workload(arrival=Arrival.OPEN, rate=RATE)
POISSON = msgspec.structs.replace(OPEN, spacing=Spacing.POISSON)


def lag(p99_us, *, p50_us=100):
    return msgspec.structs.replace(a_latency(1000), p50_us=p50_us, p99_us=p99_us)


def of_arrivals(*, workload=OPEN, p99_us=10_000, **changes):
    """The verdict on 1000 arrivals in 10 s, all sent and answered."""
    sent = changes.get("sent", 1000)
    unsent = changes.get("unsent", 0)
    plain = {
        "latency": msgspec.structs.replace(a_latency(sent + unsent), p99_us=p99_us),
        "arrival": "open",
        "rate": RATE,
        "scheduled": 1000,
        "sent": sent,
        "queued": 0,
        "unsent": unsent,
        "lost": 0,
        "lag": lag(300),
        "loop_lag": lag(300),
    }
    return list(gates.of_arrivals(a_load(RATE, **plain | changes), workload))


def test_a_schedule_that_was_kept_passes():
    assert of_arrivals() == []


def test_a_closed_load_has_no_schedule():
    assert list(gates.of_arrivals(a_load(400.0, loop_lag=lag(50_000)), a_workload())) == []
    assert list(gates.of_arrivals(None, OPEN)) == []


@pytest.mark.parametrize(
    ("p99_us", "lag_us", "bound"),
    [
        pytest.param(10_000, 2001, "2.0", id="two milliseconds are borne"),
        pytest.param(10_000, 2000, None, id="exactly two"),
        pytest.param(500_000, 50_001, "50.0", id="a tenth of p99"),
        pytest.param(500_000, 50_000, None, id="exactly a tenth"),
    ],
)
@pytest.mark.parametrize(
    ("key", "what"), [("lag", "what it could have sent at once"), ("loop_lag", "its own ticks")]
)
def test_a_generator_that_was_late_is_void(key, what, p99_us, lag_us, bound):
    said = (
        f"generator-bound: p99 of its lag on {what} was {lag_us / 1000:.1f} ms, more than {bound} ms; lower the rate, "
        "or give it a core that is quiet"
    )
    assert of_arrivals(p99_us=p99_us, **{key: lag(lag_us)}) == ([said] if bound else [])


@pytest.mark.parametrize(("p50_us", "late"), [(2000, False), (3477, True)])
def test_a_generator_that_is_late_for_most_ticks_is_void_however_long_its_latencies(p50_us, late):
    said = (
        "generator-bound: half of its own ticks were late by 3.5 ms or more, so that answers waited for it all the "
        "time; lower the rate, or give it a core that is quiet"
    )
    assert of_arrivals(p99_us=1_300_000, loop_lag=lag(94_911, p50_us=p50_us)) == ([said] if late else [])


def test_what_waits_for_the_server_is_no_fault_of_the_generator():
    assert of_arrivals(sent=600, unsent=400, queued=590, lag=NO_LATENCY, p99_us=4_000_000) == []


@pytest.mark.parametrize(
    ("workload", "scheduled", "kept"),
    [(OPEN, 1001, True), (OPEN, 1002, False), (POISSON, 1158, True), (POISSON, 1160, False)],
)
def test_requests_are_rate_times_time(workload, scheduled, kept):
    said = f"{scheduled} arrivals were scheduled where rate x time makes 1000; report it with the raw file"
    assert of_arrivals(workload=workload, scheduled=scheduled, sent=scheduled) == ([] if kept else [said])


def test_arrivals_for_which_nobody_asked_anything():
    assert of_arrivals(lost=3, sent=997) == [
        "3 of 1000 arrivals were never sent though users were free; have each task ask for something"
    ]


def test_tasks_that_ask_twice():
    assert of_arrivals(latency_failed=a_latency(40)) == [
        "1040 requests for 1000 arrivals that were sent; make each task one request"
    ]
