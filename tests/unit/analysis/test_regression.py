"""Two runs against each other: changes with their intervals, and verdicts."""

import math
import random

import msgspec
import pytest
import scipy.stats

from serverlab.analysis.guarding import read_rules
from serverlab.analysis.regression import compare_runs
from serverlab.model.regressions import Count, Metric, Missing
from serverlab.model.security import Verdict
from tests.unit.builders import (
    GTHREAD,
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

STEADY = (400.0, 404.0, 398.0, 402.0, 401.0)


def scaled(factor, rates=STEADY):
    return trials(GTHREAD, *(rate * factor for rate in rates))


def only(comparison):
    """The one cell of gunicorn."""
    (cell,) = [cell for cell in comparison.cells if cell.target == GTHREAD]
    return cell


def change(comparison, metric):
    (found,) = [each for each in only(comparison).changes if each.metric is metric]
    return found


def judged(base, new, *rules):
    """Verdict and reason of each rule on gunicorn."""
    comparison = compare_runs(a_run(base), a_run(new), read_rules(rules))
    return [(each.verdict, each.reason) for each in only(comparison).judgements]


def verdict(base, new, *rules):
    return [each for each, _ in judged(base, new, *rules)]


def test_a_ratio_is_of_geometric_means_with_an_interval_for_unpaired_trials():
    found = change(compare_runs(a_run(trials(GTHREAD, 400, 410, 390)), a_run(scaled(0.5)), ()), Metric.RPS)
    base, new = [math.log(rate) for rate in (400, 410, 390)], [math.log(rate / 2) for rate in STEADY]
    wanted = scipy.stats.ttest_ind(new, base, equal_var=False).confidence_interval(0.95)
    assert found.value == pytest.approx(math.exp(sum(new) / 5 - sum(base) / 3))
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (math.exp(wanted.low), math.exp(wanted.high))
    )
    assert (found.interval.level, found.interval.count) == (0.95, 3)
    assert (found.base.median, found.new.median) == (400.0, 200.5)


def test_every_metric_is_compared():
    slow = [
        a_trial(
            round=number,
            rps=200.0,
            load=a_load(200.0, latency=a_latency(2000, p50_us=60_000), failures=[a_failure(20)]),
            usage={"app": a_usage(0.95, memory_mb=150)},
        )
        for number in (1, 2)
    ]
    comparison = compare_runs(a_run(trials(GTHREAD, 400, 400)), a_run(slow), ())
    assert {each.metric: each.value for each in only(comparison).changes} == pytest.approx(
        {
            Metric.RPS: 0.5,
            Metric.P50: 2.0,
            Metric.P95: 2.0,
            Metric.P99: 2.0,
            Metric.ERRORS: 20 / 2020,
            Metric.CPU_MS: 2.0,
            Metric.PER_CPU_S: 0.5,
            Metric.MEMORY: 1.5,
        }
    )


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1.0, Verdict.PASS),
        (0.98, Verdict.PASS),
        (0.95, Verdict.UNKNOWN),
        (0.9, Verdict.FAIL),
        (2.0, Verdict.PASS),
    ],
)
def test_requests_per_second_fail_when_they_drop_by_as_much_as_the_rule_says(factor, expected):
    assert verdict(scaled(1), scaled(factor), "rps:-5%") == [expected]


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1.0, Verdict.PASS),
        (1.05, Verdict.PASS),
        (1.1, Verdict.UNKNOWN),
        (1.2, Verdict.FAIL),
        (0.5, Verdict.PASS),
    ],
)
def test_latency_fails_when_it_grows_by_as_much_as_the_rule_says(factor, expected):
    def answered(slower):
        return [
            a_trial(
                round=number, load=a_load(latency=a_latency(p50_us=round((30_000 + 100 * number) * slower)))
            )
            for number in (1, 2, 3, 4)
        ]

    assert verdict(answered(1), answered(factor), "p99:+10%") == [expected]


@pytest.mark.parametrize(
    ("cores", "expected"), [(0.5, Verdict.PASS), (1.0, Verdict.PASS), (1.2, Verdict.FAIL)]
)
def test_requests_per_cpu_second_fail_when_the_whole_stack_takes_more(cores, expected):
    def costing(db_cores):
        usage = {"app": a_usage(1.0), "db": a_usage(db_cores)}
        return trials(GTHREAD, *STEADY, usage=usage)

    assert verdict(costing(1.0), costing(cores), "per_cpu_s:-5%", "cpu_ms:+5%") == [expected, Verdict.PASS]


def test_reasons_tell_the_interval_and_what_to_do():
    assert judged(scaled(1), scaled(0.5), "rps:-5%") == [(Verdict.FAIL, "0.50 [0.50–0.50] lies beyond -5%")]
    ((_, reason),) = judged(trials(GTHREAD, 400, 300), trials(GTHREAD, 400, 290), "rps:-5%")
    assert reason == "0.98 [0.38–2.52] lies on both sides of -5%: add rounds to both runs"


def test_one_trial_is_too_few():
    assert judged(scaled(1), trials(GTHREAD, 200), "rps:-5%") == [
        (
            Verdict.UNKNOWN,
            "too few valid trials, 5 in the base run and 1 in the new one: 2 of each are needed",
        )
    ]


def test_what_was_not_measured_in_every_trial_gives_no_verdict():
    few = [a_trial(round=number, load=a_load(latency=a_latency(900))) for number in (1, 2)]
    assert judged(scaled(1), [*few, *trials(GTHREAD, *[400] * 5)[2:]], "p99:+10%", "p95:+10%") == [
        (Verdict.UNKNOWN, "the new run has no p99, or not in every valid trial"),
        (Verdict.PASS, ""),
    ]


def test_what_survived_passes_only_where_as_much_survived_as_before():
    died = [a_void_trial(round=number, reasons=("under load serverlab-app-1 died",)) for number in (4, 5)]
    survived = scaled(1, STEADY[:3])
    rules = ("rps:-5%", "p50:+10%")
    of_trials = "2 of 5 have no number in the new run: under load serverlab-app-1 died"
    assert judged(scaled(1), survived + died, *rules) == [
        (Verdict.UNKNOWN, f"1.00 [0.98–1.01] is of the trials that survived: {of_trials}"),
        (Verdict.UNKNOWN, f"1.00 [1.00–1.00] is of the trials that survived: {of_trials}"),
    ]
    (cut_short,) = judged(scaled(1), survived, "rps:-5%")
    assert cut_short[1].endswith("2 of 5 have no number in the new run: 2 not run")
    assert verdict(survived + died, survived, *rules) == [Verdict.PASS, Verdict.PASS]
    assert verdict(scaled(1), scaled(0.5, STEADY[:3]) + died, "rps:-5%") == [Verdict.FAIL]


def test_a_cell_that_is_void_or_was_not_run_gives_no_verdict():
    void = [a_void_trial(round=number, reasons=("generator at 91 % CPU",)) for number in (1, 2)]
    assert judged(scaled(1), void, "rps:-5%") == [(Verdict.UNKNOWN, "new run: VOID: generator at 91 % CPU")]
    assert judged([], void, "rps:-5%") == [
        (Verdict.UNKNOWN, "base run: not run; new run: VOID: generator at 91 % CPU")
    ]


def test_what_a_target_can_do_in_neither_run_is_not_judged():
    plan = a_plan(skipped={f"{GTHREAD} profile": "static"})
    lacking = a_run(trials(RUNSERVER, *STEADY), plan=plan)
    comparison = compare_runs(lacking, lacking, read_rules(["rps:-5%"]))
    assert only(comparison).judgements[0].verdict is Verdict.NA
    assert comparison.verdict is Verdict.PASS
    lost = compare_runs(a_run(scaled(1), trials(RUNSERVER, *STEADY)), lacking, read_rules(["rps:-5%"]))
    assert (only(lost).judgements[0].verdict, only(lost).judgements[0].reason) == (
        Verdict.UNKNOWN,
        "new run: it lacks the capability 'static'",
    )


def failing(*counts):
    return [
        a_trial(round=number, load=a_load(400.0, failures=[a_failure(count)] if count else []))
        for number, count in enumerate(counts, start=1)
    ]


def test_errors_are_compared_in_percentage_points():
    comparison = compare_runs(a_run(failing(40, 41, 42)), a_run(failing(400, 410, 390)), ())
    found = change(comparison, Metric.ERRORS)
    assert found.value == pytest.approx(
        sum(n / (4000 + n) for n in (400, 410, 390)) / 3 - sum(n / (4000 + n) for n in (40, 41, 42)) / 3
    )
    assert found.interval.low < found.value < found.interval.high
    assert verdict(failing(40, 41, 42), failing(400, 410, 390), "errors:+5pp", "errors:+9pp") == [
        Verdict.FAIL,
        Verdict.PASS,
    ]


def test_no_errors_pass_only_where_so_many_requests_can_tell():
    assert verdict(failing(0, 0), failing(0, 0), "errors:+0.1pp", "errors:+0.03pp") == [
        Verdict.PASS,
        Verdict.UNKNOWN,
    ]
    found = change(compare_runs(a_run(failing(0, 0)), a_run(failing(0, 0)), ()), Metric.ERRORS)
    assert (found.value, found.interval.low, found.interval.high) == (0.0, -3 / 8000, 3 / 8000)


def test_what_was_never_sent_is_an_error():
    def of(unsent):
        load = msgspec.structs.replace(a_load(400.0), scheduled=4000, unsent=unsent)
        return [a_trial(round=number, load=load) for number in (1, 2, 3)]

    assert change(compare_runs(a_run(of(0)), a_run(of(1000)), ()), Metric.ERRORS).value == 0.25
    assert verdict(of(0), of(1000), "errors:+1pp") == [Verdict.FAIL]
    assert verdict(of(0), of(0), "errors:+1pp") == [Verdict.PASS]


def test_the_worst_verdict_is_that_of_the_comparison():
    def of(*rules):
        base = a_run(scaled(1), trials(RUNSERVER, 300, 303, 301))
        new = a_run(scaled(0.5), trials(RUNSERVER, 300, 303, 301))
        return compare_runs(base, new, read_rules(rules)).verdict

    assert of() is None
    assert of("rps:-5%") is Verdict.FAIL
    assert of("p99:+10%") is Verdict.PASS
    assert of("errors:+0.01pp") is Verdict.UNKNOWN
    assert of("p99:+10%", "errors:+0.01pp", "rps:-5%") is Verdict.FAIL


def test_cells_of_only_one_run_are_named():
    base = a_run(plan=a_plan(targets=(GTHREAD, RUNSERVER)))
    new = a_run(plan=a_plan(targets=(UWSGI, GTHREAD), cpus=(1, 2)))
    comparison = compare_runs(base, new, ())
    assert [(cell.target, cell.cpus) for cell in comparison.cells] == [(GTHREAD, 1)]
    assert comparison.missing == (
        Missing(target=RUNSERVER, workload="profile", cpus=1, only_in=base.name),
        Missing(target=UWSGI, workload="profile", cpus=1, only_in=new.name),
        Missing(target=UWSGI, workload="profile", cpus=2, only_in=new.name),
        Missing(target=GTHREAD, workload="profile", cpus=2, only_in=new.name),
    )


def test_a_cell_that_the_new_run_lacks_has_not_passed():
    base = a_run(scaled(1), trials(RUNSERVER, 300, 303, 301))
    new = a_run(scaled(1), plan=a_plan(targets=(GTHREAD,)))
    assert compare_runs(base, new, read_rules(["rps:-50%"])).verdict is Verdict.UNKNOWN
    assert compare_runs(new, base, read_rules(["rps:-50%"])).verdict is Verdict.PASS
    assert compare_runs(base, new, ()).verdict is None


def test_valid_and_planned_trials_are_counted():
    void = a_void_trial(round=3, reasons=("?",))
    cell = only(compare_runs(a_run(trials(GTHREAD, 1, 2), [void]), a_run(scaled(1)), ()))
    assert (cell.base, cell.new) == (Count(valid=2, planned=5), Count(valid=5, planned=5))


TARGETS = tuple(f"gunicorn:v{number}" for number in range(25))


def noisy(draw, factor=1.0):
    """A run of many targets whose rates vary by 5 % between rounds; those of the first are changed."""
    return a_run(
        *(
            trials(
                name,
                *(
                    400 * (factor if name == TARGETS[0] else 1) * draw.lognormvariate(0, 0.05)
                    for _ in range(5)
                ),
            )
            for name in TARGETS
        ),
        plan=a_plan(targets=TARGETS, reference=None),
    )


def test_where_nothing_changed_hardly_any_of_many_verdicts_fails():
    draw, rules = random.Random(20261122), read_rules(["rps:-1%"])  # noqa: S311 - not a secret
    alarms = [compare_runs(noisy(draw), noisy(draw), rules).verdict is Verdict.FAIL for _ in range(60)]
    assert sum(alarms) <= 3


def test_a_large_change_is_found_among_many_targets():
    draw, rules = random.Random(20261122), read_rules(["rps:-5%"])  # noqa: S311 - not a secret
    comparison = compare_runs(noisy(draw), noisy(draw, 0.6), rules)
    failed = [cell.target for cell in comparison.cells if cell.judgements[0].verdict is Verdict.FAIL]
    assert failed == [TARGETS[0]]


def test_a_change_that_is_one_of_many_needs_stronger_evidence():
    others = TARGETS[1:]
    base = a_run(
        scaled(1), *(trials(name, *STEADY) for name in others), plan=a_plan(targets=(GTHREAD, *others))
    )
    new = a_run(
        scaled(0.915, (400.0, 415.0, 390.0, 402.0, 398.0)),
        *(trials(name, *STEADY) for name in others),
        plan=a_plan(targets=(GTHREAD, *others)),
    )
    rules = read_rules(["rps:-5%"])
    (alone,) = only(compare_runs(a_run(base.trials[:5]), a_run(new.trials[:5]), rules)).judgements
    (among_many,) = only(compare_runs(base, new, rules)).judgements
    assert (alone.verdict, among_many.verdict) == (Verdict.FAIL, Verdict.UNKNOWN)
    assert among_many.reason.endswith(
        " lies beyond -5%, as a few of so many verdicts do by chance: add rounds to both runs"
    )
