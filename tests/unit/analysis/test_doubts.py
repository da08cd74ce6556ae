"""Each doubt when there is a reason for it, and when there is just none."""

from __future__ import annotations

import msgspec
import pytest

from serverlab.analysis import tabulate
from serverlab.analysis.doubts import RULES
from serverlab.model.ceilings import Ceiling, Ceilings, Connections, LoadSetup
from serverlab.model.definitions import Arrival, Thresholds
from serverlab.model.records import CoreSplit
from serverlab.model.tables import Detail, DoubtKind
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    WINDOW_S,
    a_failure,
    a_latency,
    a_load,
    a_plan,
    a_proof,
    a_run,
    a_trial,
    a_usage,
    a_void_trial,
    a_workload,
    an_environment,
    trials,
)

FIVE = (400, 401, 402, 403, 404)


def doubts_of(*groups, **parts):
    """The doubts of the only section, by kind."""
    (section,) = tabulate(a_run(*groups, **parts)).sections
    return {doubt.kind: doubt for doubt in section.doubts}


def texts(doubt):
    return [(*detail.targets, detail.text) for detail in doubt.details]


def five(target=RUNSERVER, **changes):
    """Five good rounds of runserver that differ from ``five(GTHREAD)``."""
    rates = (300, 301, 302, 303, 304) if target == RUNSERVER else FIVE
    return trials(target, *rates, **changes)


def five_with_load(**changes):
    """Five rounds of runserver, the load result of each with these changes."""
    return [
        a_trial(RUNSERVER, round=number, load=a_load(300.0 + number, **changes)) for number in range(1, 6)
    ]


def test_five_good_rounds_on_disjoint_cores_raise_no_doubt_but_that_they_are_too_short_for_the_rarest():
    (doubt,) = doubts_of(five(GTHREAD), five()).values()
    assert (doubt.kind, doubt.everywhere) == (DoubtKind.FEW_SAMPLES, True)
    assert texts(doubt) == [("no row has p99.9: each has a round of 4000 requests or fewer",)]


def test_no_reference_when_the_reference_has_no_valid_trial():
    found = doubts_of([a_void_trial(GTHREAD, reasons=("died",))], five())
    assert texts(found[DoubtKind.NO_REFERENCE]) == [("the reference gunicorn:gthread has no valid trial",)]


@pytest.mark.parametrize(("count", "raised"), [(4, True), (5, False)])
def test_few_rounds_below_five(count, raised):
    found = doubts_of(five(GTHREAD), trials(RUNSERVER, *[300.0 + each for each in range(count)]))
    assert (DoubtKind.FEW_ROUNDS in found) is raised


def test_few_rounds_for_all_rows_alike_mark_no_row():
    run = a_run(five(GTHREAD)[:3], five()[:3])
    (section,) = tabulate(run).sections
    doubt = section.doubts[0]
    assert (doubt.kind, doubt.number, doubt.everywhere) == (DoubtKind.FEW_ROUNDS, 1, True)
    assert doubt.details == (Detail(targets=(GTHREAD, RUNSERVER), text="3 rounds"),)
    assert [row.doubts for row in section.rows] == [(), ()]


def test_a_doubt_about_some_rows_marks_these():
    (section,) = tabulate(a_run(five(GTHREAD), five()[:3])).sections
    assert {row.target: row.doubts for row in section.rows} == {GTHREAD: (), RUNSERVER: (1,)}


def test_shared_core_says_how_much_of_a_core_the_generator_took():
    shared = an_environment(core_splits={"1": CoreSplit(stack="0", generator="0", disjoint=False)})
    gthread = five(GTHREAD, usage={"app": a_usage(0.6), "load": a_usage(0.35)})
    runserver = five(usage={"app": a_usage(0.6), "load": a_usage(0.22)})
    found = doubts_of(gthread, runserver, environment=shared)
    assert texts(found[DoubtKind.SHARED_CORE]) == [
        ("both on CPU 0; the generator took 22 %–35 % of one core",)
    ]
    assert found[DoubtKind.SHARED_CORE].everywhere


def test_shared_core_is_not_raised_for_another_budget():
    splits = {
        "1": CoreSplit(stack="0", generator="1", disjoint=True),
        "2": CoreSplit(stack="0-1", generator="0-1", disjoint=False),
    }
    assert DoubtKind.SHARED_CORE not in doubts_of(
        five(GTHREAD), five(), environment=an_environment(core_splits=splits)
    )


@pytest.mark.parametrize(("dirty", "raised"), [(True, True), (False, False), (None, True)])
def test_dirty_when_the_checkout_had_changes(dirty, raised):
    found = doubts_of(five(GTHREAD), five(), environment=an_environment(dirty=dirty))
    assert (DoubtKind.DIRTY in found) is raised


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"commit": None, "dirty": None}, "the commit is unknown"),
        ({"dirty": None}, "whether the checkout differed from commit 0123456789ab is unknown"),
        ({"dirty": True}, "the checkout differed from commit 0123456789ab"),
    ],
)
def test_dirty_says_what_is_known_of_the_checkout(parts, said):
    found = doubts_of(five(GTHREAD), five(), environment=an_environment(**parts))
    assert texts(found[DoubtKind.DIRTY]) == [(said,)]


def at_speeds(*speeds):
    """Five rounds of runserver with these readings of the calibration loop, before and after the load."""
    return [
        a_trial(RUNSERVER, round=number, rps=300.0 + number, speed_before=before, speed_after=after)
        for number, (before, after) in enumerate(speeds, start=1)
    ]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ((40.0, 36.0), None),
        ((35.9, 40.0), "round 2: core 10 % slower than the run's median"),
        ((40.0, 24.8), "round 2: core 38 % slower than the run's median"),
        ((None, 24.8), "round 2: core 38 % slower than the run's median"),
        ((None, None), None),
    ],
)
def test_machine_speed_more_than_10_percent_below_the_runs_median(second, said):
    gthread = five(GTHREAD, speed_before=40.0, speed_after=40.0)
    found = doubts_of(gthread, at_speeds((40.0, 40.0), second))
    assert (texts(found[DoubtKind.MACHINE_SPEED]) if said else found.get(DoubtKind.MACHINE_SPEED)) == (
        [(RUNSERVER, said)] if said else None
    )


def test_machine_speed_names_each_slow_round():
    gthread = five(GTHREAD, speed_before=40.0, speed_after=40.0)
    found = doubts_of(gthread, at_speeds((40.0, 30.0), (40.0, 40.0), (20.0, 40.0)))
    said = "round 1: core 25 % slower, round 3: core 50 % slower than the run's median"
    assert texts(found[DoubtKind.MACHINE_SPEED]) == [(RUNSERVER, said)]


@pytest.mark.parametrize(
    ("rates", "raised"),
    [
        ((399, 401, 401, 405, 405), True),
        ((390, 397, 398, 399, 404), True),
        ((396, 397, 398, 399, 400), False),
        ((401, 402, 403, 404, 405), False),
    ],
)
def test_no_difference_when_the_interval_of_the_ratios_includes_1(rates, raised):
    found = doubts_of(five(GTHREAD), trials(RUNSERVER, *rates))
    assert (DoubtKind.NO_DIFFERENCE in found) is raised


def test_no_difference_is_not_said_of_the_reference():
    found = doubts_of(five(GTHREAD), trials(RUNSERVER, *FIVE))
    assert texts(found[DoubtKind.NO_DIFFERENCE]) == [
        (RUNSERVER, "1.00 [1.00–1.00], less than 0 would not show")
    ]


@pytest.mark.parametrize(("highest", "raised"), [(375, False), (376, True)])
def test_wide_spread_beyond_a_quarter(highest, raised):
    found = doubts_of(five(GTHREAD), trials(RUNSERVER, 300, 301, 302, 303, highest))
    assert (DoubtKind.WIDE_SPREAD in found) is raised


def test_wide_spread_with_a_round_without_any_success():
    broken = a_trial(RUNSERVER, round=5, load=a_load(0.0, failures=[a_failure(100)]))
    found = doubts_of(five(GTHREAD), [*five()[:4], broken])
    assert texts(found[DoubtKind.WIDE_SPREAD]) == [(RUNSERVER, "none succeeded in a round")]


@pytest.mark.parametrize(("failed", "raised"), [(0, False), (30, False), (40, True)])
def test_threshold_on_errors(failed, raised):
    # 30 of 30,030 are below 0.1 %, 40 of 30,040 above
    load = a_load(3000.0, failures=[a_failure(failed)] if failed else [])
    made = [a_trial(RUNSERVER, round=number, load=load) for number in range(1, 6)]
    found = doubts_of(five(GTHREAD), made)
    assert (DoubtKind.THRESHOLD in found) is raised
    if raised:
        assert texts(found[DoubtKind.THRESHOLD]) == [(RUNSERVER, "errors up to 0.13 %, allowed 0.10 %")]


@pytest.mark.parametrize(("p99_ms", "raised"), [(60.0, False), (59.0, True)])
def test_threshold_on_the_99th_percentile(p99_ms, raised):
    plan = a_plan(workload=a_workload(thresholds=Thresholds(p99_ms=p99_ms)))
    made = five_with_load(latency=a_latency(4000, p50_us=30_000))
    found = doubts_of(
        trials(GTHREAD, *FIVE, load=a_load(latency=a_latency(4000, p50_us=10_000))), made, plan=plan
    )
    assert (DoubtKind.THRESHOLD in found) is raised
    if raised:
        assert texts(found[DoubtKind.THRESHOLD]) == [(RUNSERVER, "p99 up to 60.0 ms, allowed 59.0 ms")]


@pytest.mark.parametrize(("cores", "raised"), [(0.70, False), (0.71, True)])
def test_near_generator_above_70_percent_in_one_round(cores, raised):
    made = five()
    busy = {"app": a_usage(0.95), "load": a_usage(cores)}
    made[2] = a_trial(RUNSERVER, round=3, rps=302, usage=busy)
    found = doubts_of(five(GTHREAD), made)
    assert (DoubtKind.NEAR_GENERATOR in found) is raised
    if raised:
        assert texts(found[DoubtKind.NEAR_GENERATOR]) == [(RUNSERVER, "up to 71 %")]


def a_ceiling(rps):
    """What the generator could ask in the trials of ``five``, on kept connections."""
    setup = LoadSetup(users=16, connections=Connections.KEPT, arrival=Arrival.CLOSED, cpus=1)
    moment = "2026-11-22T10:17:00+00:00"
    return Ceilings(ceilings=(Ceiling(setup=setup, measured_at=moment, rps=rps, generator_cores=0.99),))


@pytest.mark.parametrize(("most", "raised"), [(301 / 0.7, False), (300 / 0.7, True)])
def test_near_ceiling_above_70_percent_of_what_the_generator_can_ask_in_one_round(most, raised):
    made = [
        a_trial(RUNSERVER, round=number, load=a_load(rps, connections={"opened": 16, "replaced": 0}))
        for number, rps in enumerate((299.0, 299.0, 301.0, 299.0, 299.0), start=1)
    ]
    found = doubts_of(five(GTHREAD), made, ceilings=a_ceiling(most))
    assert (DoubtKind.NEAR_CEILING in found) is raised
    if raised:
        assert texts(found[DoubtKind.NEAR_CEILING]) == [(RUNSERVER, "up to 70 %")]


def test_a_ceiling_that_is_not_known_is_never_near():
    made = five_with_load(connections={"opened": 16, "replaced": 0})
    assert DoubtKind.NEAR_CEILING not in doubts_of(five(GTHREAD), made, ceilings=a_ceiling(None))


def with_floor(p05_us, p50_us, *, cores=0.97, opened=None):
    """Five rounds of runserver with this 5th percentile and this median."""
    latency = msgspec.structs.replace(a_latency(3600, p50_us=p50_us), p05_us=p05_us)
    connections = {} if opened is None else {"opened": opened, "replaced": 0}
    load = a_load(360.0, latency=latency, connections=connections)
    return trials(RUNSERVER, *[360] * 5, load=load, usage={"app": a_usage(cores)})


@pytest.mark.parametrize(
    ("p05_us", "p50_us", "raised"),
    [
        (43_800, 47_800, True),  # runserver on one core, which is full
        (46_900, 56_000, True),  # runserver on two cores
        (39_000, 52_000, True),  # 3/4 of the median
        (39_000, 52_100, False),
        (50_000, 60_000, True),
        (50_100, 60_000, False),
        (38_900, 40_000, False),
        (4_600, 28_600, False),  # a queue: gunicorn:gthread on two cores
        (62_700, 69_500, False),  # daphne on one core
        (None, 44_000, False),
    ],
)
def test_plateau_when_most_answers_lie_close_above_a_floor_of_40_ms(p05_us, p50_us, raised):
    found = doubts_of(five(GTHREAD), with_floor(p05_us, p50_us))
    assert (DoubtKind.PLATEAU_40MS in found) is raised


@pytest.mark.parametrize(("opened", "raised"), [(0, True), (179, True), (180, False), (3600, False)])
def test_plateau_only_on_kept_connections(opened, raised):
    found = doubts_of(five(GTHREAD), with_floor(43_100, 49_100, opened=opened))
    assert (DoubtKind.PLATEAU_40MS in found) is raised


def test_the_plateau_says_what_the_floor_caps_and_takes_the_place_of_idle_cpu():
    found = doubts_of(five(GTHREAD), with_floor(40_000, 44_100, cores=0.1))
    assert list(found) == [DoubtKind.PLATEAU_40MS, DoubtKind.FEW_SAMPLES]
    assert "consistent with Nagle's" in found[DoubtKind.PLATEAU_40MS].message
    said = "19 of 20 answers took 40.0 ms or longer, p50 44.1 ms; 16 users / floor = 400 requests/s"
    assert texts(found[DoubtKind.PLATEAU_40MS]) == [(RUNSERVER, said)]


def with_slots(workers, threads, *, cores=0.89, replicas=1):
    proof = a_proof(workers=str(workers), threads=str(threads))
    return five(proof_before=proof, replicas=replicas, usage={"app": a_usage(cores)})


@pytest.mark.parametrize(
    ("workers", "threads", "replicas", "cores", "raised"),
    [
        (3, 5, 1, 0.89, True),
        (3, 5, 1, 0.90, False),
        (1, 16, 1, 0.89, False),
        (1, 8, 2, 0.89, False),
        (1, 0, 1, 0.89, False),
    ],
)
def test_slots_when_fewer_than_users_while_cores_have_time(workers, threads, replicas, cores, raised):
    made = with_slots(workers, threads, cores=cores, replicas=replicas)
    found = doubts_of(five(GTHREAD), made)
    assert (DoubtKind.SLOTS in found) is raised
    if raised:
        said = "15 slots for 16 users: the rest queue; cores 89 % busy"
        assert texts(found[DoubtKind.SLOTS]) == [(RUNSERVER, said)]


def test_slots_are_no_limit_while_users_think():
    plan = a_plan(workload=a_workload(think_time_ms=50.0))
    assert DoubtKind.SLOTS not in doubts_of(five(GTHREAD), with_slots(1, 1), plan=plan)


@pytest.mark.parametrize(("cores", "raised"), [(0.49, True), (0.50, False)])
def test_idle_cpu_below_half_of_the_budget(cores, raised):
    made = five(usage={"app": a_usage(cores), "load": a_usage(0.3)})
    assert (DoubtKind.IDLE_CPU in doubts_of(five(GTHREAD), made)) is raised


def test_idle_cpu_counts_the_edge_and_the_database_on_the_same_cores():
    busy = {"app": a_usage(0.4), "edge": a_usage(0.3), "db": a_usage(0.2), "load": a_usage(0.3)}
    assert [*doubts_of(five(GTHREAD), five(usage=busy))] == [DoubtKind.FEW_SAMPLES]


def test_idle_cpu_counts_the_generator_where_it_shares_the_cores():
    shared = an_environment(core_splits={"1": CoreSplit(stack="0", generator="0", disjoint=False)})
    busy = {"app": a_usage(0.4), "load": a_usage(0.5)}
    found = doubts_of(five(GTHREAD, usage=busy), five(usage=busy), environment=shared)
    assert list(found) == [DoubtKind.SHARED_CORE, DoubtKind.FEW_SAMPLES]


def test_idle_cpu_is_a_share_of_the_whole_budget():
    two = an_environment(core_splits={"2": CoreSplit(stack="0-1", generator="2", disjoint=True)})
    made = five(usage={"app": a_usage(0.96), "load": a_usage(0.3)}, cpus=2)
    full = five(GTHREAD, usage={"app": a_usage(1.9), "load": a_usage(0.3)}, cpus=2)
    found = doubts_of(full, made, plan=a_plan(cpus=(2,)), environment=two)
    assert texts(found[DoubtKind.IDLE_CPU]) == [(RUNSERVER, "cores 48 % busy, the app's part 48 %")]


def test_idle_cpu_is_no_wonder_while_users_think():
    plan = a_plan(workload=a_workload(think_time_ms=50.0))
    made = five(usage={"app": a_usage(0.1), "load": a_usage(0.3)})
    assert DoubtKind.IDLE_CPU not in doubts_of(five(GTHREAD), made, plan=plan)


def test_cpu_that_was_not_read_is_not_called_idle():
    assert [*doubts_of(five(GTHREAD), five(usage={}))] == [DoubtKind.FEW_SAMPLES]


@pytest.mark.parametrize(("late", "raised"), [(150, False), (151, True)])
def test_late_above_5_percent_in_one_round(late, raised):
    made = five()
    made[4] = a_trial(RUNSERVER, round=5, load=a_load(304.0, latency=a_latency(3000), late=late))
    assert (DoubtKind.LATE in doubts_of(five(GTHREAD), made)) is raised


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (1000, None),
        (999, "no p99: 999 requests in a round"),
        (19, "no p50, p90, p99: 19 requests in a round"),
    ],
)
def test_few_samples_names_the_percentiles_that_are_absent(samples, said):
    made = five()
    latency = a_latency(samples, mean_us=16 * WINDOW_S / samples * 1e6)
    made[0] = a_trial(RUNSERVER, round=1, load=a_load(300.0, latency=latency, late=0))
    found = doubts_of(five(GTHREAD), made)
    of_all = ("no row has p99.9: each has a round of 4000 requests or fewer",)
    assert texts(found[DoubtKind.FEW_SAMPLES]) == [of_all, *([(RUNSERVER, said)] if said else [])]


@pytest.mark.parametrize(
    ("request_name", "hasher", "raised"),
    [
        ("POST /api/auth/jwt/login/", "md5", True),
        ("POST /api/auth/jwt/signup/", "md5", True),
        ("POST /api/auth/jwt/login/", "argon2", False),
        ("POST /api/auth/jwt/refresh/", "md5", False),
        ("GET /api/auth/jwt/me/", "md5", False),
    ],
)
def test_cheap_hasher_when_users_log_in_within_the_window(request_name, hasher, raised):
    made = [
        msgspec.structs.replace(trial, proof_before=a_proof(password_hasher=hasher))
        for trial in five_with_load(by_name={request_name: a_latency(4000)})
    ]
    found = doubts_of(five(GTHREAD), made)
    assert (DoubtKind.CHEAP_HASHER in found) is raised


def test_doubts_are_numbered_in_a_fixed_order():
    made = [
        a_trial(RUNSERVER, round=number, load=a_load(rps, failures=[a_failure(500)]))
        for number, rps in enumerate((300, 500, 400), start=1)
    ]
    (section,) = tabulate(
        a_run(trials(GTHREAD, 400, 400, 400), made, environment=an_environment(dirty=True))
    ).sections
    assert [(doubt.number, doubt.kind) for doubt in section.doubts] == [
        (1, DoubtKind.FEW_ROUNDS),
        (2, DoubtKind.DIRTY),
        (3, DoubtKind.NO_DIFFERENCE),
        (4, DoubtKind.WIDE_SPREAD),
        (5, DoubtKind.THRESHOLD),
        (6, DoubtKind.FEW_SAMPLES),
    ]


def test_every_kind_of_doubt_has_a_rule_in_the_order_of_the_kinds():
    assert [rule.kind for rule in RULES] == list(DoubtKind)
