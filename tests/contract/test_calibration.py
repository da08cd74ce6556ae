"""The whole lab against a server with planted truths: each is reported as planted, each artefact is caught.

Everything is real: engine, stack, proofs, generator, sampler, gates, store and analysis. Each tolerance is stated with
its reason; none is so wide that a wrong unit, or a percentile of closed load in the place of one of open load, fits in.
What bounds from one side alone is what noise can only move to the other.

The file takes a minute and a half, on a busy machine, too; most of it are windows of 2 to 4 s.
"""

from __future__ import annotations

import itertools

import pytest

from serverlab.compose import Engine
from serverlab.model.definitions import Arrival, Spacing
from tests.contract.calibration import (
    Calibration,
    Measured,
    burdened,
    cramped,
    make_checkout,
    restarting,
    throttled,
)

WARMUP_S = 0.5
WINDOW_S = 4.0
MS = 1000
"""Microseconds in a millisecond."""
S = 1_000_000

SERVICE_S = 0.020
LEAK_BYTES = 64 << 10
START_S = 3.0
STALL_S, STALL_EVERY_S = 1.0, 4.0
STALLED = STALL_S / STALL_EVERY_S
"""Share of the time in which nobody is served; the window is as long as the period, so it is that of every window."""

RAMP_MS_PER_S = 10.0
CPU_MS = 5.0
HANGING_S = 2.0
"""How long users wait for what never comes: 1 % of it is more than a timer is late on a busy machine."""


@pytest.fixture(scope="module")
def lab(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    return Calibration(engine, make_checkout(tmp_path_factory.mktemp("calibration")))


def steady(lab: Calibration) -> Measured:
    return lab.measure("steady", users=8, warmup_s=WARMUP_S, duration_s=WINDOW_S)


def plateau(lab: Calibration) -> Measured:
    return lab.measure("plateau", users=8, warmup_s=WARMUP_S, duration_s=2.0)


def stalling(lab: Calibration, arrival: Arrival) -> Measured:
    """Open: 100 requests per second, more users than ever wait. Closed: eight users."""
    load = {"rate": 100.0, "users": 128} if arrival is Arrival.OPEN else {"users": 8}
    return lab.measure("stalling", warmup_s=WARMUP_S, duration_s=STALL_EVERY_S, arrival=arrival, **load)


def test_a_service_time_is_the_latency_and_sets_the_throughput(lab: Calibration) -> None:
    """No answer can take less than 20 ms. Threads and timers add half a millisecond; others at work, up to 6 ms.

    So throughput is 8 users / 20 ms at most, but for one answer of each user, and at least 8 / 26 ms. Throughput times
    latency is the number of users (Little's law) but for the edges: a request of each, 1 % of them all. That the cores
    idle while users wait is true and doubted; nothing else is, of a server without artefacts.
    """
    measured = steady(lab)
    row, mean_us = measured.row, measured.load.latency.mean_us
    assert row.rps is not None
    assert row.p50_us is not None
    assert mean_us is not None
    assert 20 * MS <= row.p50_us.median <= 26 * MS
    assert 8 / 0.026 <= row.rps.median <= 8 / SERVICE_S + 8 / WINDOW_S
    assert row.rps.median * mean_us / S == pytest.approx(8, rel=0.03)
    assert measured.load.failures == ()
    assert measured.doubts == {"idle-cpu"}


def test_a_slow_start_is_the_time_to_ready(lab: Calibration) -> None:
    """Three seconds before it listens; container, interpreter and Django take half a second, 2.5 s if all is busy."""
    ready = steady(lab).row.ready_s
    assert ready is not None
    assert START_S <= ready.median <= START_S + 2.5


def test_a_leak_is_as_large_in_the_samples_as_requests_times_its_size(lab: Calibration) -> None:
    """The allocator adds 0.1 %, Python's other memory hardly grows; readings lie half a second apart, exact in time."""
    measured = steady(lab)
    first, *_, last = measured.samples("app")
    rps = measured.load.ended / measured.load.window_s
    requests = rps * (last["t"] - first["t"])
    assert last["memory_bytes"] - first["memory_bytes"] == pytest.approx(requests * LEAK_BYTES, rel=0.1)


def test_a_leak_is_the_growth_of_memory_within_the_window(lab: Calibration) -> None:
    """The memory at the beginning is that of the first sample, less what had leaked by then."""
    measured = steady(lab)
    load, growth = measured.load, measured.row.memory_growth
    assert growth is not None
    first, *_ = measured.samples("app")
    per_s = load.ended / load.window_s * LEAK_BYTES
    begun_with = first["memory_bytes"] - per_s * (first["t"] - load.window_start)
    assert (growth.median - 1) * begun_with == pytest.approx(load.ended * LEAK_BYTES, rel=0.1)


@pytest.mark.parametrize("field", ["memory_bytes", "pss_bytes"])
def test_a_leak_is_in_the_peak_of_memory(lab: Calibration, field: str) -> None:
    """Beside the same server without a leak. Readings are half a second apart, PSS two: what comes later is missed."""
    leaking, plain = getattr(steady(lab).row, field), getattr(plateau(lab).row, field)
    window = steady(lab).load
    leaked = window.ended / window.window_s * (WARMUP_S + WINDOW_S) * LEAK_BYTES
    grown = leaking["app"].median - plain["app"].median
    assert 0.8 * leaked <= grown <= 1.1 * leaked


def test_open_arrival_shows_a_stall_to_everybody_who_came_meanwhile(lab: Calibration) -> None:
    """A quarter of all arrivals come while the server is stopped, and wait for its end, evenly from 0 to 1 s.

    So 0.25 * (1 - x) of all wait longer than x seconds: p90 is 0.6 s and p99 0.96 s, whenever the stalls come, because
    the window is as long as their period. They are off by 0.01 s per arrival, and by what it takes to catch up with
    100 requests: 0.1 s together.
    """
    load = stalling(lab, Arrival.OPEN).load
    assert load.scheduled == load.sent == pytest.approx(100 * STALL_EVERY_S, abs=1)
    assert load.queued == load.unsent == load.lost == 0
    assert load.latency.p50_us is not None
    assert 10 * MS <= load.latency.p50_us <= 20 * MS
    assert load.latency.p90_us == pytest.approx((1 - 0.10 / STALLED) * S, abs=100 * MS)
    assert load.latency.p99_us == pytest.approx((1 - 0.01 / STALLED) * S, abs=100 * MS)
    assert load.latency.max_us == pytest.approx(STALL_S * S, abs=100 * MS)
    assert stalling(lab, Arrival.OPEN).doubts == set()


def test_closed_arrival_hides_the_same_stall(lab: Calibration) -> None:
    """Eight users wait once, and nobody else comes: 8 of some 2200 requests are slow, far fewer than one in a hundred.

    So p99 is that of a server without stalls, here below 50 ms and thus a twentieth of what open arrival shows. Only
    max knows, and throughput: a quarter is missing of what 8 users get who wait for nothing but the other answers.
    """
    measured = stalling(lab, Arrival.CLOSED)
    load, rps = measured.load, measured.row.rps
    assert rps is not None
    assert load.latency.count > 100 * load.users
    assert load.latency.mean_us is not None
    assert load.latency.max_us is not None
    assert load.latency.p99_us is not None
    assert load.latency.p99_us < 50 * MS
    assert load.latency.p99_us * 10 < (stalling(lab, Arrival.OPEN).load.latency.p99_us or 0)
    assert load.latency.max_us == pytest.approx(STALL_S * S, abs=100 * MS)
    waited_us = load.latency.mean_us * load.latency.count - load.users * load.latency.max_us
    others_us = waited_us / (load.latency.count - load.users)
    assert rps.median == pytest.approx((1 - STALLED) * load.users / others_us * S, rel=0.1)


def failing(lab: Calibration) -> Measured:
    return lab.measure("failing", users=8, warmup_s=WARMUP_S, duration_s=3.0)


def test_failed_and_dropped_requests_are_counted_by_kind(lab: Calibration) -> None:
    """5 % get status 500 and 3 % no answer, by turns: the edges of a window of some 1200 shift that by 0.2 %.

    Each drop costs its user a new connection. Right answers alone are throughput and latency.
    """
    load, row = failing(lab).load, failing(lab).row
    began = load.latency.count + load.latency_failed.count
    counts = {(each.kind, each.status): each.count for each in load.failures}
    assert set(counts) == {("status", 500), ("reset", None)}
    assert counts["status", 500] / began == pytest.approx(0.05, abs=0.004)
    assert counts["reset", None] / began == pytest.approx(0.03, abs=0.004)
    assert row.errors is not None
    assert row.errors.share == pytest.approx(0.08, abs=0.006)
    assert load.ok / load.ended == pytest.approx(0.92, abs=0.006)
    assert load.connections["opened"] == pytest.approx(counts["reset", None], abs=load.users)
    assert load.latency.p50_us is not None
    assert 20 * MS <= load.latency.p50_us <= 26 * MS


def test_fast_errors_and_an_access_log_are_doubted(lab: Calibration) -> None:
    """Errors come at once while right answers take 20 ms, and each request is logged; 8 % break the threshold."""
    assert failing(lab).doubts == {"fast-errors", "access-log", "threshold", "idle-cpu"}


def hanging(lab: Calibration) -> Measured:
    """1200 requests, since p99 needs a thousand. 42 hang at a time, so 4 % of them are open at the window's end."""
    return lab.measure(
        "hanging",
        timeout_s=HANGING_S,
        arrival=Arrival.OPEN,
        rate=300.0,
        users=128,
        warmup_s=WARMUP_S,
        duration_s=WINDOW_S,
    )


def test_a_time_out_is_an_error_and_a_latency(lab: Calibration) -> None:
    """Of a hundred requests seven hang, by turns: none of these is answered, all count, and nothing else fails."""
    load = hanging(lab).load
    counts = {(each.kind, each.status): each.count for each in load.failures}
    assert set(counts) == {("timeout", None)}
    assert load.latency.count == load.sent == pytest.approx(300 * WINDOW_S, abs=1)
    assert counts["timeout", None] / load.latency.count == pytest.approx(0.07, abs=0.002)
    assert load.latency.p50_us is not None
    assert load.latency.p50_us < 50 * MS
    assert load.latency.p95_us == pytest.approx(HANGING_S * S, rel=0.05)


def test_percentiles_that_a_time_out_cuts_off_are_doubted(lab: Calibration) -> None:
    """7 % of all lie at the time-out, and so do p95 and p99; timers may be 20 ms later for one than for the other."""
    assert hanging(lab).doubts == {"equal-percentiles", "threshold"}


def test_a_ramp_is_seen_second_by_second(lab: Calibration) -> None:
    """Each second takes 10 ms more than the one before; a median of a hundred such requests is off by 2 ms at most.

    All of them are due in their second, so that there are a hundred in each.
    """
    load = lab.measure(
        "ramping", arrival=Arrival.OPEN, rate=100.0, users=64, warmup_s=WARMUP_S, duration_s=WINDOW_S
    ).load
    medians = [each.p50_us for each in load.per_second if each.p50_us is not None]
    growth = [(later - earlier) / MS for earlier, later in itertools.pairwise(medians)]
    assert growth == pytest.approx([RAMP_MS_PER_S] * 3, abs=2.0)
    assert [each.count for each in load.per_second] == pytest.approx([100] * 4, abs=1)
    assert load.failures == ()


def working(lab: Calibration) -> Measured:
    return lab.measure("working", users=1, warmup_s=WARMUP_S, duration_s=WINDOW_S)


def test_cpu_time_is_charged_to_each_request(lab: Calibration) -> None:
    """5 ms are computed; sockets, threads and proofs of health add less than a millisecond.

    Nothing can take away more than what the edges of the window are off by, 1 %. It is user time: the kernel's part is
    sockets and clocks. App is the whole stack here, so requests per CPU second are the inverse.
    """
    row = working(lab).row
    cpu_ms, user_ms = row.cpu_ms["app"].median, row.cpu_user_ms["app"].median
    assert 0.99 * CPU_MS <= cpu_ms <= CPU_MS + 1.0
    assert 0.85 * cpu_ms <= user_ms <= cpu_ms
    assert row.cpu_system_ms["app"].median == pytest.approx(cpu_ms - user_ms)
    assert row.per_cpu_s is not None
    assert row.per_cpu_s.median == pytest.approx(1000 / cpu_ms)


def test_a_worker_without_work_is_doubted(lab: Calibration) -> None:
    """Of two workers one has the only connection, for ever. Where others take its core, that is idle for the user."""
    assert working(lab).doubts - {"idle-cpu"} == {"unequal-workers"}


def test_the_plateau_of_delayed_acknowledgements_is_named(lab: Calibration) -> None:
    """Linux holds an ACK back for 40 ms, and Nagle's algorithm the body until it comes; see docs/method.md."""
    measured = plateau(lab)
    assert measured.load.latency.p50_us is not None
    assert 40 * MS <= measured.load.latency.p50_us <= 48 * MS
    assert measured.doubts == {"plateau-40ms"}


def test_a_full_backlog_is_doubted_and_costs_a_second(lab: Calibration) -> None:
    """40 visitors per second come to where 50 are let in and two may wait: the kernel drops a third one's SYN.

    It is sent again after a second (RFC 6298), so that the largest latency is that at least, counted from when the
    request was due. The generator's kernel counts what it sent again, the server's what found no room.
    """
    measured = lab.measure(
        "overflowing",
        workload="ping-close",
        arrival=Arrival.OPEN,
        spacing=Spacing.POISSON,
        rate=40.0,
        users=128,
        warmup_s=WARMUP_S,
        duration_s=3.0,
    )
    assert {"listen-overflows", "retransmits"} <= measured.doubts
    assert measured.trial.network["app"].listen_overflows > 0
    assert measured.trial.network["load"].retransmits > 0
    assert measured.load.latency.max_us is not None
    assert measured.load.latency.max_us >= S


def test_a_target_that_is_not_what_it_claims_is_not_measured(lab: Calibration) -> None:
    """DEBUG, the autoreloader, Daphne's name and a missing worker are each named, with what to do; no load is put."""
    trial = lab.measure_void("lying", users=8, warmup_s=WARMUP_S, duration_s=2.0)
    assert trial.load is None
    assert [reason.partition("; ")[0] for reason in trial.void_reasons] == [
        f"proof before the measurement failed: {each}"
        for each in (
            "identity: debug: True, expected False",
            "identity: autoreload: True, expected False",
            "Server header: 'daphne', expected ^calibration$",
            "worker processes: 1, expected 2",
        )
    ]
    assert all(reason.partition("; ")[2] for reason in trial.void_reasons)


def test_a_worker_that_dies_under_load_makes_the_trial_void(lab: Calibration) -> None:
    """It is replaced at once, and all answers are right again."""
    trial = lab.measure_void("dying", users=4, warmup_s=WARMUP_S, duration_s=2.0)
    assert [reason.partition(";")[0] for reason in trial.void_reasons] == [
        "the server's processes changed while it was measured: 1 gone, 1 new"
    ]


def test_memory_that_runs_out_under_load_makes_the_trial_void(
    lab: Calibration, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """1 MiB for each of some 500 requests per second; the container has 256, and the kernel kills its worker."""
    root = cramped(lab.root, tmp_path_factory.mktemp("cramped"))
    trial = lab.measure_void("swelling", root=root, users=8, warmup_s=WARMUP_S, duration_s=2.0)
    assert any("app-1 ran out of memory; " in reason for reason in trial.void_reasons), trial.void_reasons


def test_a_container_that_is_restarted_under_load_makes_the_trial_void(
    lab: Calibration, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The whole server ends half a second after its first request, and the engine starts its container again."""
    root = restarting(lab.root, tmp_path_factory.mktemp("restarting"))
    trial = lab.measure_void("ending", root=root, users=4, warmup_s=WARMUP_S, duration_s=4.0)
    assert any("app-1 was restarted while" in reason for reason in trial.void_reasons), trial.void_reasons


def test_a_rate_that_the_generator_cannot_carry_makes_the_trial_void(
    lab: Calibration, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Fifteen times the rate for which it has the time, whatever the machine; the server has nothing to do."""
    root = burdened(lab.root, tmp_path_factory.mktemp("burdened"))
    trial = lab.measure_void(
        "instant", root=root, arrival=Arrival.OPEN, rate=1000.0, users=32, warmup_s=WARMUP_S, duration_s=2.0
    )
    assert any(reason.startswith("generator-bound: ") for reason in trial.void_reasons)


def test_a_generator_that_is_held_back_makes_the_trial_void(
    lab: Calibration, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A quota of a fifth of a core for a rate that needs more than one."""
    root = throttled(lab.root, tmp_path_factory.mktemp("throttled"), cpus=0.2)
    trial = lab.measure_void(
        "instant", root=root, arrival=Arrival.OPEN, rate=4000.0, users=32, warmup_s=WARMUP_S, duration_s=2.0
    )
    assert any("was held back for" in reason for reason in trial.void_reasons)
