"""Rows against values worked by hand."""

from __future__ import annotations

import pytest

from serverlab.analysis import tabulate
from serverlab.model.definitions import ReferenceScope
from serverlab.model.records import State
from serverlab.model.tables import Errors, FailureCount, RowState, Spread, VoidTrials
from serverlab.reports.columns import cells
from tests.unit.builders import (
    GTHREAD,
    NO_LATENCY,
    RUNSERVER,
    UWSGI,
    a_failure,
    a_latency,
    a_load,
    a_plan,
    a_run,
    a_trial,
    a_usage,
    a_void_trial,
    trials,
)


def row_of(run, target, section=0):
    return next(row for row in tabulate(run).sections[section].rows if row.target == target)


def test_requests_per_second_count_successes_only():
    load = a_load(400.0, failures=[a_failure(1000)])
    row = row_of(a_run([a_trial(GTHREAD, load=load)]), GTHREAD)
    assert row.rps == Spread(median=400.0, low=400.0, high=400.0, mad=0.0, count=1)


def test_requests_per_second_are_taken_over_the_window_as_it_was():
    load = a_load(400.0, window_s=8.0)
    assert row_of(a_run([a_trial(GTHREAD, load=load)]), GTHREAD).rps.median == 400.0


def test_requests_per_second_are_the_median_over_rounds_with_both_ends():
    row = row_of(a_run(trials(GTHREAD, 410, 390, 400, 500, 300)), GTHREAD)
    assert row.rps == Spread(median=400.0, low=300.0, high=500.0, mad=10.0, count=5)


def test_the_ratio_is_paired_within_rounds_whatever_their_order_in_the_file():
    run = a_run(trials(RUNSERVER, 300, 150, 330), reversed(trials(GTHREAD, 400, 200, 300)))
    assert row_of(run, RUNSERVER).ratio == Spread(median=0.75, low=0.75, high=1.1, mad=0.0, count=3)


def test_the_reference_has_no_ratio():
    row = row_of(a_run(trials(GTHREAD, 400, 410)), GTHREAD)
    assert row.reference
    assert row.ratio is None


def test_a_round_whose_reference_is_void_has_no_ratio():
    run = a_run(
        [a_trial(GTHREAD, round=1, rps=400), a_void_trial(GTHREAD, round=2, reasons=("late",))],
        trials(RUNSERVER, 300, 300),
    )
    assert row_of(run, RUNSERVER).ratio == Spread(median=0.75, low=0.75, high=0.75, mad=0.0, count=1)


def test_percentiles_are_the_median_of_the_trials_own():
    made = [
        a_trial(GTHREAD, round=number, load=a_load(latency=a_latency(4000, p50_us=p50_us)))
        for number, p50_us in enumerate([30_000, 50_000, 31_000], start=1)
    ]
    row = row_of(a_run(made), GTHREAD)
    assert row.p50_us == Spread(median=31_000, low=30_000, high=50_000, mad=1000, count=3)
    assert row.p99_us == Spread(median=62_000, low=60_000, high=100_000, mad=2000, count=3)


def test_samples_are_the_latencies_of_each_valid_round_that_its_percentiles_stand_on():
    made = [
        a_trial(GTHREAD, round=number, load=a_load(latency=a_latency(count), failures=[a_failure(7)]))
        for number, count in enumerate([4000, 999, 3000], start=1)
    ]
    void = a_void_trial(GTHREAD, round=4, reasons=("late",), load=a_load(latency=a_latency(5)))
    row = row_of(a_run([*made, void]), GTHREAD)
    assert row.samples == Spread(median=3000, low=999, high=4000, mad=1000, count=3)
    assert cells(row, ["samples"]) == ["3000"]


def test_a_row_without_a_valid_trial_has_no_samples():
    row = row_of(a_run([a_void_trial(GTHREAD, reasons=("late",))]), GTHREAD)
    assert row.samples is None


def test_the_maximum_is_that_of_all_valid_trials():
    made = [
        a_trial(GTHREAD, round=number, load=a_load(latency=a_latency(4000, p50_us=p50_us)))
        for number, p50_us in enumerate([30_000, 50_000, 31_000], start=1)
    ]
    void = a_void_trial(
        GTHREAD, round=4, reasons=("late",), load=a_load(latency=a_latency(4000, p50_us=90_000))
    )
    assert row_of(a_run([*made, void]), GTHREAD).max_us == 200_000


def test_a_round_without_any_latency_does_not_hide_the_maximum_of_the_others():
    made = [a_trial(GTHREAD, round=1), a_trial(GTHREAD, round=2, load=a_load(0.0, latency=NO_LATENCY))]
    assert row_of(a_run(made), GTHREAD).max_us == 120_000


@pytest.mark.parametrize(
    ("samples", "absent"),
    [
        (1000, []),
        (999, ["p99"]),
        (200, ["p99"]),
        (199, ["p95", "p99"]),
        (20, ["p95", "p99"]),
        (19, ["p50", "p95", "p99"]),
    ],
)
def test_a_percentile_with_too_few_samples_is_absent_and_the_maximum_stays(samples, absent):
    row = row_of(a_run([a_trial(GTHREAD, load=a_load(latency=a_latency(samples)))]), GTHREAD)
    shown = {"p50": row.p50_us, "p95": row.p95_us, "p99": row.p99_us, "max": row.max_us}
    assert [name for name, value in shown.items() if value is None] == absent


def test_one_round_with_too_few_samples_takes_the_percentile_from_the_row():
    made = [a_trial(GTHREAD, round=1), a_trial(GTHREAD, round=2, load=a_load(latency=a_latency(999)))]
    row = row_of(a_run(made), GTHREAD)
    assert row.p99_us is None
    assert row.p95_us.count == 2


def test_errors_are_summed_over_rounds_by_kind_and_status():
    first = a_load(100.0, failures=[a_failure(30), a_failure(5, kind="timeout", status=None)])
    second = a_load(100.0, failures=[a_failure(10), a_failure(5, status=500)])
    run = a_run([a_trial(GTHREAD, round=1, load=first), a_trial(GTHREAD, round=2, load=second)])
    assert row_of(run, GTHREAD).errors == Errors(
        count=50,
        share=50 / 2050,
        kinds=(
            FailureCount(kind="status", status=503, count=40),
            FailureCount(kind="status", status=500, count=5),
            FailureCount(kind="timeout", status=None, count=5),
        ),
    )


def test_no_error_is_a_count_and_a_share_of_none():
    assert row_of(a_run(trials(GTHREAD, 400)), GTHREAD).errors == Errors(count=0, share=0.0, kinds=())


def test_cpu_time_is_per_successful_request_and_by_role():
    load = a_load(400.0, failures=[a_failure(100)])
    usage = {"app": a_usage(0.8), "edge": a_usage(0.1), "load": a_usage(0.4)}
    row = row_of(a_run([a_trial(GTHREAD, load=load, usage=usage)]), GTHREAD)
    assert {role: spread.median for role, spread in row.cpu_ms.items()} == {
        "app": 2.0,
        "edge": 0.25,
        "load": 1.0,
    }


def test_cpu_time_per_request_is_absent_where_no_request_succeeded():
    run = a_run([a_trial(GTHREAD, load=a_load(0.0, failures=[a_failure(100)]))])
    row = row_of(run, GTHREAD)
    assert row.cpu_ms == {}
    assert row.rps.median == 0.0
    assert row.errors.share == 1.0


def test_a_role_that_was_not_read_in_one_round_is_absent():
    made = [a_trial(GTHREAD, round=1), a_trial(GTHREAD, round=2, usage={"load": a_usage(0.3)})]
    row = row_of(a_run(made), GTHREAD)
    assert list(row.cpu_ms) == ["load"]
    assert list(row.memory_bytes) == ["load"]


def test_memory_readiness_image_and_replicas_come_from_the_trials():
    made = [
        a_trial(GTHREAD, round=number, ready_s=ready_s, usage={"app": a_usage(0.9, memory_mb=mb)}, replicas=2)
        for number, (ready_s, mb) in enumerate([(1.5, 100), (1.0, 140), (2.0, 120)], start=1)
    ]
    row = row_of(a_run(made), GTHREAD)
    assert row.memory_bytes["app"] == Spread(median=120e6, low=100e6, high=140e6, mad=20e6, count=3)
    assert row.ready_s == Spread(median=1.5, low=1.0, high=2.0, mad=0.5, count=3)
    assert (row.image_bytes, row.replicas) == (300_000_000, 2)


def test_a_row_without_a_valid_trial_is_void_with_reasons_and_no_number():
    run = a_run(
        [
            a_void_trial(RUNSERVER, round=1, reasons=("generator at 91 % CPU",)),
            a_void_trial(RUNSERVER, round=2, reasons=("identity: is daphne", "a wrong token got 200")),
            a_void_trial(RUNSERVER, round=3, reasons=("generator at 91 % CPU",)),
        ],
        trials(GTHREAD, 400, 400, 400),
    )
    row = row_of(run, RUNSERVER)
    assert row.state is RowState.VOID
    assert row.reason == "generator at 91 % CPU; identity: is daphne; a wrong token got 200"
    assert row.void == (
        VoidTrials(rounds=(1, 3), reason="generator at 91 % CPU"),
        VoidTrials(rounds=(2,), reason="identity: is daphne; a wrong token got 200"),
    )
    numbers = (
        row.rps,
        row.ratio,
        row.p50_us,
        row.max_us,
        row.errors,
        row.ready_s,
        row.image_bytes,
        row.replicas,
    )
    assert numbers == (None,) * 8
    assert (row.cpu_ms, row.memory_bytes, row.doubts) == ({}, {}, ())


def test_void_trials_of_a_measured_row_are_left_out_of_its_numbers_and_told():
    run = a_run([a_trial(GTHREAD, round=1), a_void_trial(GTHREAD, round=2, rps=9000, reasons=("late",))])
    row = row_of(run, GTHREAD)
    assert row.state is RowState.MEASURED
    assert (row.valid, row.planned, row.rps.high) == (1, 5, 400.0)
    assert row.void == (VoidTrials(rounds=(2,), reason="late"),)


@pytest.mark.parametrize("load", [None, a_load(400.0, window_end=1000.0)])
def test_a_trial_without_a_result_is_void_even_if_it_says_measured(load):
    row = row_of(a_run([a_trial(GTHREAD, state=State.MEASURED, load=load)]), GTHREAD)
    assert row.state is RowState.VOID
    assert row.reason == "the trial has no result of the generator and gives no reason"


def test_a_target_that_was_not_reached_is_not_run():
    row = row_of(a_run(trials(GTHREAD, 400)), RUNSERVER)
    assert (row.state, row.reason, row.planned) == (RowState.NOT_RUN, "none of its trials was run", 5)


def test_a_target_that_lacks_a_capability_is_not_applicable():
    plan = a_plan(skipped={f"{RUNSERVER} profile": "static"})
    row = row_of(a_run(trials(GTHREAD, 400), plan=plan), RUNSERVER)
    assert (row.state, row.reason) == (RowState.NOT_APPLICABLE, "it lacks the capability 'static'")
    assert (row.planned, row.rps) == (0, None)


def test_rows_come_by_requests_per_second_and_those_without_numbers_last():
    targets = (GTHREAD, RUNSERVER, UWSGI, "apache:daemon", "daphne:default", "gunicorn:sync")
    run = a_run(
        trials(GTHREAD, 400),
        trials(UWSGI, 500),
        [a_void_trial("apache:daemon", reasons=("died",))],
        trials("gunicorn:sync", 400),
        plan=a_plan(targets=targets, skipped={"daphne:default profile": "static"}),
    )
    assert [row.target for row in tabulate(run).sections[0].rows] == [
        UWSGI,
        GTHREAD,
        "gunicorn:sync",
        "apache:daemon",
        RUNSERVER,
        "daphne:default",
    ]


def test_sections_are_by_workload_and_budget():
    plan = a_plan(workloads=("profile", "ping"), cpus=(1, 2))
    table = tabulate(a_run(plan=plan))
    assert [(section.workload, section.cpus, section.edge) for section in table.sections] == [
        ("profile", 1, None),
        ("profile", 2, None),
        ("ping", 1, None),
        ("ping", 2, None),
    ]


def test_with_a_reference_per_edge_each_edge_has_a_section_and_its_own_reference():
    targets = (GTHREAD, RUNSERVER, f"{GTHREAD}+nginx", f"{RUNSERVER}+nginx")
    run = a_run(
        trials(GTHREAD, 400),
        trials(RUNSERVER, 200),
        trials(f"{GTHREAD}+nginx", 300),
        trials(f"{RUNSERVER}+nginx", 270),
        plan=a_plan(targets=targets, reference_scope=ReferenceScope.EDGE),
    )
    found = [
        (
            section.edge,
            section.reference,
            [(row.target, row.ratio and row.ratio.median) for row in section.rows],
        )
        for section in tabulate(run).sections
    ]
    assert found == [
        ("none", GTHREAD, [(GTHREAD, None), (RUNSERVER, 0.5)]),
        ("nginx", f"{GTHREAD}+nginx", [(f"{GTHREAD}+nginx", None), (f"{RUNSERVER}+nginx", 0.9)]),
    ]


def test_an_edge_without_a_reference_of_its_own_has_no_ratios():
    plan = a_plan(targets=(GTHREAD, f"{UWSGI}+nginx"), reference_scope=ReferenceScope.EDGE)
    run = a_run(trials(GTHREAD, 400), trials(f"{UWSGI}+nginx", 300), plan=plan)
    section = tabulate(run).sections[1]
    assert section.reference is None
    assert section.rows[0].ratio is None


def test_the_gain_by_cores_is_paired_with_the_same_target_at_the_smallest_budget():
    run = a_run(
        trials(GTHREAD, 400, 500),
        trials(GTHREAD, 720, 950, cpus=2),
        plan=a_plan(cpus=(1, 2)),
    )
    assert row_of(run, GTHREAD, section=0).scaling is None
    found = row_of(run, GTHREAD, section=1).scaling
    assert (found.low, found.high, found.count) == (1.8, 1.9, 2)
