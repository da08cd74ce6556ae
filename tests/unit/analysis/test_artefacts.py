"""Each doubt about an artefact, raised by records in which it is planted and by none in which it is just not."""

from __future__ import annotations

import msgspec
import pytest

from serverlab.analysis import tabulate
from serverlab.model.definitions import Arrival, Spacing, Step
from serverlab.model.records import Latency
from serverlab.model.tables import DoubtKind
from serverlab.model.usage import NetworkCounts, ProcessUse
from tests.unit.builders import (
    GTHREAD,
    NO_LATENCY,
    RUNSERVER,
    a_failure,
    a_latency,
    a_load,
    a_plan,
    a_proof,
    a_run,
    a_trial,
    a_usage,
    a_workload,
    an_environment,
    trials,
)

RATES = (300, 301, 302, 303, 304)
QUIET = NetworkCounts(listen_overflows=0, listen_drops=0, retransmits=0, segments=9000)


def doubt_of(kind, *, plan=None, environment=None, **changes):
    """What the doubt says of runserver, whose third round has these changes; None where it is not raised."""
    made = [
        a_trial(RUNSERVER, round=number, rps=rps, **(changes if number == 3 else {}))
        for number, rps in enumerate(RATES, start=1)
    ]
    reference = trials(GTHREAD, 400, 401, 402, 403, 404)
    (section,) = tabulate(a_run(reference, made, plan=plan, environment=environment)).sections
    found = [doubt for doubt in section.doubts if doubt.kind is kind]
    if not found:
        return None
    (doubt,) = found
    assert doubt.action
    return doubt.details[0].text


def latencies_of_all_rounds(kind, latency):
    """The same for runserver when all five rounds have this latency."""
    made = [a_trial(RUNSERVER, round=each, load=a_load(300.0, latency=latency)) for each in range(1, 6)]
    (section,) = tabulate(a_run(trials(GTHREAD, 400, 401, 402, 403, 404), made)).sections
    found = [doubt for doubt in section.doubts if doubt.kind is kind]
    return found[0].details[0].text if found else None


@pytest.mark.parametrize(
    ("role", "count", "said"),
    [
        ("app", 12, "app: up to 12 in a round"),
        ("edge", 1, "edge: up to 1 in a round"),
        ("app", 0, None),
        ("load", 5, None),
    ],
)
def test_connections_that_found_a_full_backlog(role, count, said):
    full = msgspec.structs.replace(QUIET, listen_overflows=count)
    assert doubt_of(DoubtKind.LISTEN_OVERFLOWS, network={"app": QUIET} | {role: full}) == said


@pytest.mark.parametrize(("count", "said"), [(9, "up to 0.30 % of the requests"), (3, None), (0, None)])
def test_segments_that_were_sent_again_for_more_than_one_request_in_a_thousand(count, said):
    again = msgspec.structs.replace(QUIET, retransmits=count)  # 3020 requests began
    assert doubt_of(DoubtKind.RETRANSMITS, network={"app": QUIET, "load": again}) == said


@pytest.mark.parametrize(
    ("mean_us", "said"),
    [
        pytest.param(53_333, None, id="16 users"),
        pytest.param(48_000, None, id="14.4 of 16: a tenth fewer"),
        pytest.param(40_000, "round 3: 12.0 of 16 users had a request open on average", id="12 of 16"),
        pytest.param(66_700, "round 3: 20.0 of 16 users had a request open on average", id="20 of 16"),
    ],
)
def test_littles_law(mean_us, said):
    load = a_load(300.0, latency=a_latency(3000, mean_us=mean_us))
    assert doubt_of(DoubtKind.LITTLES_LAW, load=load) == said


def test_littles_law_counts_think_time():
    load = a_load(300.0, latency=a_latency(3000, mean_us=3_333))
    assert (
        doubt_of(DoubtKind.LITTLES_LAW, load=load)
        == "round 3: 1.00 of 16 users had a request open on average"
    )
    made = [a_trial(RUNSERVER, round=each, load=load) for each in range(1, 6)]
    plan = a_plan(workload=a_workload(think_time_ms=50), targets=(RUNSERVER,), reference=RUNSERVER)
    (section,) = tabulate(a_run(made, plan=plan)).sections
    assert DoubtKind.LITTLES_LAW not in {doubt.kind for doubt in section.doubts}


def test_littles_law_counts_failures():
    load = a_load(
        300.0,
        latency=a_latency(3000, mean_us=3_333),
        failures=[a_failure(100)],
        latency_failed=a_latency(100, mean_us=1_500_000),
    )
    assert doubt_of(DoubtKind.LITTLES_LAW, load=load) is None


def test_littles_law_allows_for_latencies_that_are_long_beside_the_window():
    load = a_load(
        300.0, latency=a_latency(260, mean_us=500_000)
    )  # 13 of 16 users, and 0.5 s of 10 s at each edge
    assert (
        doubt_of(DoubtKind.LITTLES_LAW, load=load)
        == "round 3: 13.0 of 16 users had a request open on average"
    )
    longer = a_load(300.0, latency=a_latency(130, mean_us=1_000_000))
    assert doubt_of(DoubtKind.LITTLES_LAW, load=longer) is None


def test_littles_law_is_not_asked_where_arrivals_are_scheduled_or_users_change():
    load = a_load(300.0, latency=a_latency(3000, mean_us=1000))
    opened = a_workload(arrival=Arrival.OPEN, rate=300.0, spacing=Spacing.CONSTANT)
    stepped = a_workload(steps=(Step(users=8, duration_s=5.0), Step(users=16, duration_s=5.0)))
    for workload in (opened, stepped):
        assert doubt_of(DoubtKind.LITTLES_LAW, load=load, plan=a_plan(workload=workload)) is None


def a_distribution(*, p50=30_000, p95=45_000, p99=60_000, mean=40_000.0):
    return Latency(count=4000, p50_us=p50, p95_us=p95, p99_us=p99, max_us=200_000, mean_us=mean)


@pytest.mark.parametrize(
    ("latency", "said"),
    [
        pytest.param(a_distribution(mean=60_000.0), "both 60.0 ms in round 1", id="the mean"),
        pytest.param(a_distribution(mean=59_500.0), "both 60.0 ms in round 1", id="the mean, rounded"),
        pytest.param(a_distribution(mean=50_000.0), None, id="another number"),
        pytest.param(a_distribution(p50=59_900, p95=60_000, mean=60_000.0), None, id="all waited alike"),
        pytest.param(NO_LATENCY, None, id="nothing was recorded"),
    ],
)
def test_a_mean_that_is_printed_as_p99(latency, said):
    assert latencies_of_all_rounds(DoubtKind.MEAN_AS_P99, latency) == said


def test_a_mean_that_happens_to_be_p99_in_one_round_is_no_artefact():
    load = a_load(300.0, latency=a_distribution(mean=60_000.0))
    assert doubt_of(DoubtKind.MEAN_AS_P99, load=load) is None


@pytest.mark.parametrize(
    ("latency", "said"),
    [
        pytest.param(a_distribution(p95=60_000), "both 60.0 ms in round 1", id="one number"),
        pytest.param(a_distribution(p95=59_600), "both 60.0 ms in round 1", id="one number, rounded"),
        pytest.param(a_distribution(p95=59_000), None, id="two numbers"),
        pytest.param(a_distribution(p50=58_000, p95=60_000), None, id="all waited alike"),
        pytest.param(NO_LATENCY, None, id="nothing was recorded"),
    ],
)
def test_p95_and_p99_that_are_one_number(latency, said):
    assert latencies_of_all_rounds(DoubtKind.EQUAL_PERCENTILES, latency) == said


@pytest.mark.parametrize(
    ("count", "p50_us", "said"),
    [
        pytest.param(
            100, 5_000, "round 3: p50 of failures 5.00 ms, of right answers 30.0 ms; 3.2 % failed", id="fast"
        ),
        pytest.param(100, 16_000, None, id="more than half as long"),
        pytest.param(19, 5_000, None, id="a few"),
        pytest.param(28, 5_000, None, id="less than one in a hundred"),
    ],
)
def test_errors_that_are_faster_than_right_answers(count, p50_us, said):
    failed = a_latency(count, p50_us=p50_us)
    load = a_load(300.0, failures=[a_failure(count)], latency_failed=failed)
    assert doubt_of(DoubtKind.FAST_ERRORS, load=load) == said


def processes(*cpu_s):
    return tuple(
        ProcessUse(container="one", pid=number, name="gunicorn", user_s=each, system_s=0.0)
        for number, each in enumerate(cpu_s)
    )


@pytest.mark.parametrize(
    ("cpu_s", "said"),
    [
        pytest.param(
            (0.01, 8.0, 1.5),
            "round 3: of 2 worker processes the busiest used 8.00 s of CPU time, the least busy 1.50 s",
            id="one does it all",
        ),
        pytest.param((0.01, 6.0, 3.5), None, id="nearly alike, beside a supervisor"),
        pytest.param((0.0, 0.4, 0.01), None, id="hardly any work"),
        pytest.param((9.0,), None, id="fewer processes than workers: they were not all seen"),
        pytest.param((), None, id="not read"),
    ],
)
def test_workers_that_do_not_share_the_work(cpu_s, said):
    app = msgspec.structs.replace(a_usage(0.95), processes=processes(*cpu_s))
    assert doubt_of(DoubtKind.UNEQUAL_WORKERS, usage={"app": app, "load": a_usage(0.3)}) == said


def test_an_idle_worker_does_not_hide_behind_a_process_that_is_none():
    app = msgspec.structs.replace(a_usage(0.95), processes=processes(2.0, 0.01, 8.0))
    proof = msgspec.structs.replace(a_proof(), workers=2, processes=(1, 2))
    usage = {"app": app, "load": a_usage(0.3)}
    told = doubt_of(DoubtKind.UNEQUAL_WORKERS, usage=usage, proof_before=proof)
    assert told is not None
    assert told.endswith("the least busy 0.0100 s")


def test_one_worker_has_nobody_to_share_with():
    app = msgspec.structs.replace(a_usage(0.95), processes=processes(0.01, 9.0))
    alone = msgspec.structs.replace(a_proof(), workers=1)
    usage = {"app": app, "load": a_usage(0.3)}
    assert doubt_of(DoubtKind.UNEQUAL_WORKERS, usage=usage, proof_before=alone) is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({"app": 3020}, "app: 1.01 lines per request"),
        ({"app": 0, "edge": 1510}, "edge: 0.503 lines per request"),
        ({"app": 400}, None),
        ({}, None),
    ],
)
def test_an_access_log_that_is_on(lines, said):
    load = a_load(300.0)
    assert doubt_of(DoubtKind.ACCESS_LOG, load=load, log_lines=lines) == said


def test_lines_about_failures_are_no_access_log():
    load = a_load(300.0, failures=[a_failure(2000)])
    assert doubt_of(DoubtKind.ACCESS_LOG, load=load, log_lines={"app": 2000}) is None


@pytest.mark.parametrize(("share", "said"), [(0.05, "up to 5.0 % of a core"), (0.02, None), (None, None)])
def test_time_that_was_stolen(share, said):
    assert doubt_of(DoubtKind.STOLEN_TIME, steal_share=share) == said


@pytest.mark.parametrize(
    ("load", "said"), [(25.0, "up to 25.0, explained are 18"), (18.0, None), (None, None)]
)
def test_a_load_average_that_users_and_cores_do_not_explain(load, said):
    assert doubt_of(DoubtKind.LOAD_AVERAGE, load_average=load) == said


@pytest.mark.parametrize(("other_s", "said"), [(5.0, "up to 0.500 of 2 cores"), (2.0, None), (None, None)])
def test_work_of_others_on_the_machine(other_s, said):
    assert doubt_of(DoubtKind.OTHER_WORK, other_cpu_s=other_s) == said


def test_work_of_others_is_judged_by_the_size_of_the_machine():
    large = an_environment(cores=64)
    assert doubt_of(DoubtKind.OTHER_WORK, other_cpu_s=50.0, environment=large) is None
