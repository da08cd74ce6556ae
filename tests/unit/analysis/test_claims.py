"""What becomes of a popular sentence, on results that are made up."""

from __future__ import annotations

import pytest

from serverlab.analysis.claims import judge_claims
from serverlab.model.claims import (
    Answer,
    Attack,
    Bound,
    Cell,
    Claim,
    Decided,
    Fault,
    Framing,
    Holdings,
    Meaning,
    Metric,
    Missing,
    Outcome,
    Ratio,
    Reading,
    Topic,
    Value,
    Verdict,
)
from serverlab.model.definitions import Arrival, Spacing
from serverlab.model.faults import Verdict as FaultVerdict
from serverlab.model.records import CoreSplit, Inspection
from serverlab.model.security import Verdict as AttackVerdict
from tests.unit.attacks.records import a_finding, a_server, an_assault
from tests.unit.broken import KILLED, a_cell, a_fault_run, a_toll
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    a_failure,
    a_load,
    a_plan,
    a_run,
    a_trial,
    a_usage,
    a_void_trial,
    a_workload,
    an_environment,
    controls,
    trials,
    with_controls,
)
from tests.unit.framing.records import a_differential, a_framed, an_answer

TODAY = {"profile": "JWT verified, user read"}
OF, TO = Cell(target=RUNSERVER, workload="profile"), Cell(target=GTHREAD, workload="profile")
STEADY = (400.0, 402.0, 398.0, 401.0, 399.0)


def a_claim(*outcomes, **conditions):
    return Claim(
        format=1,
        topic=Topic.SERVERS,
        sentence="One is slower.",
        said_by="Many.",
        why="It decides.",
        how="Both are asked.",
        critic="It is one machine.",
        test=("serverlab run experiments/quick.toml",),
        outcomes=outcomes or (outcome(Meaning.HOLDS, a="yes"), outcome(Meaning.DOES_NOT_HOLD, a="no")),
        **conditions,
    )


def outcome(verdict, **when):
    answers = {name: Decided(answer) for name, answer in when.items()}
    return Outcome(when=answers, verdict=verdict, because=f"It {verdict.value}.")


def slower(bound=None, **changes):
    plain = {
        "says": "It is slower.",
        "experiment": "quick",
        "of": OF,
        "to": TO,
        "bound": bound or Bound(below=1),
    }
    return Ratio(**plain | changes)


def judged(claim, *, servers=None, **results):
    (found,) = judge_claims({"it": claim}, Holdings(workloads=TODAY, servers=servers or {}, **results))
    return found


def condition(found):
    (only,) = found.conditions
    return only


def of_runs(*runs, ratio=None):
    return judged(a_claim(ratio={"a": ratio or slower()}), runs=runs)


def rates(runserver, gunicorn=STEADY, **changes):
    return a_run(trials(GTHREAD, *gunicorn), trials(RUNSERVER, *runserver), **changes)


def test_a_ratio_whose_interval_lies_below_the_bound_shows_the_condition():
    found = of_runs(rates((200.0, 201.0, 199.0, 202.0, 198.0)))
    assert (found.verdict, found.because) == (Verdict.HOLDS, "It holds.")
    only = condition(found)
    assert (only.answer, only.found, only.reason) == (Answer.YES, "0.50 [0.50–0.50], 5 rounds", "")
    assert only.evidence == ("quick/20261122-101500",)
    assert (
        only.asked
        == "rps: runserver:threaded · profile · 1 CPU over gunicorn:gthread · profile · 1 CPU, below 1"
    )


def test_a_ratio_whose_interval_lies_above_the_bound_shows_the_opposite():
    found = of_runs(rates((800.0, 801.0, 799.0, 802.0, 798.0)))
    assert (found.verdict, condition(found).answer) == (Verdict.DOES_NOT_HOLD, Answer.NO)


def test_a_tie_is_evidence_for_nothing():
    found = of_runs(rates((380.0, 420.0, 390.0, 430.0, 400.0)))
    assert (found.verdict, found.because) == (Verdict.OPEN, "")
    assert (condition(found).answer, condition(found).reason) == (
        Answer.OPEN,
        "the interval includes 1: not shown",
    )


def test_a_tie_that_is_precise_shows_that_there_is_no_difference_to_speak_of():
    found = of_runs(rates(STEADY), ratio=slower(Bound(below=0.9)))
    assert found.verdict is Verdict.DOES_NOT_HOLD


def test_a_ratio_can_lie_within_two_ends():
    assert of_runs(rates(STEADY), ratio=slower(Bound(within=(0.9, 1.1)))).verdict is Verdict.HOLDS
    half = (200.0, 201.0, 199.0, 202.0, 198.0)
    assert of_runs(rates(half), ratio=slower(Bound(within=(0.9, 1.1)))).verdict is Verdict.DOES_NOT_HOLD


def test_fewer_than_three_rounds_show_nothing_however_far_apart():
    found = of_runs(rates((100.0, 100.0), (400.0, 400.0)))
    assert found.verdict is Verdict.OPEN
    assert condition(found).found == "0.250"
    assert condition(found).reason == "2 rounds; fewer than 3 have no interval"


def test_what_is_shown_alone_may_not_be_among_many_conditions():
    barely = (380.0, 396.0, 385.0, 398.0, 390.0)
    assert of_runs(rates(barely)).verdict is Verdict.HOLDS
    others = {f"n{number}": slower(Bound(below=0.97)) for number in range(20)}
    found = judged(a_claim(ratio={"a": slower(), **others}), runs=(rates(barely),))
    assert found.verdict is Verdict.OPEN
    assert found.conditions[0].reason == "not shown after the correction for several comparisons"


def test_a_difference_within_the_noise_floor_is_not_shown():
    plan = with_controls(a_plan())
    less = [each * 0.95 for each in STEADY]
    again = controls(GTHREAD, *(each * 0.9 for each in STEADY))
    run = a_run(trials(GTHREAD, *STEADY), trials(RUNSERVER, *less), again, plan=plan)
    found = of_runs(run)
    assert (found.verdict, condition(found).reason) == (
        Verdict.OPEN,
        "within what equal things differ by in this run",
    )
    short = of_runs(a_run(trials(GTHREAD, *STEADY), trials(RUNSERVER, *less), again[:2], plan=plan))
    assert condition(short).reason.startswith("the control gives no interval: what equal things differ by")


def test_each_metric_has_a_noise_floor_of_its_own():
    used = {"first": 0.8, "other": 0.76, "again": 0.72}
    usage = {name: {"app": a_usage(cores), "load": a_usage(0.1)} for name, cores in used.items()}
    first = trials(GTHREAD, *STEADY, usage=usage["first"])
    other = trials(RUNSERVER, *STEADY, usage=usage["other"])
    again = controls(GTHREAD, *STEADY, usage=usage["again"])
    cheaper = slower(metric=Metric.CPU_MS)
    assert of_runs(a_run(first, other), ratio=cheaper).verdict is Verdict.HOLDS
    found = of_runs(a_run(first, other, again, plan=with_controls(a_plan())), ratio=cheaper)
    assert condition(found).reason == "within what equal things differ by in this run"


def test_what_the_generator_held_back_shows_no_upper_end():
    busy = {"app": a_usage(0.95), "load": a_usage(0.9)}
    slow = [a_trial(RUNSERVER, round=n, rps=200.0 + n, usage=busy) for n in range(1, 6)]
    found = of_runs(a_run(trials(GTHREAD, *STEADY), slow))
    assert found.verdict is Verdict.OPEN
    assert condition(found).reason.startswith("at least this: runserver:threaded: the generator was busy: ")


def test_what_the_generator_held_back_shows_a_lower_end():
    busy = {"app": a_usage(0.95), "load": a_usage(0.9)}
    fast = [a_trial(RUNSERVER, round=n, rps=800.0 + n, usage=busy) for n in range(1, 6)]
    assert of_runs(a_run(trials(GTHREAD, *STEADY), fast)).verdict is Verdict.DOES_NOT_HOLD


def gains(used):
    """Runserver on two cores, which the generator shares, over runserver on one; so many cores were used."""
    split = {
        "1": CoreSplit(stack="0", generator="1", disjoint=True),
        "2": CoreSplit(stack="0-1", generator="1", disjoint=False),
    }
    usage = {"app": a_usage(used), "load": a_usage(0.2)}
    two = [a_trial(GTHREAD, round=n, rps=400.0 + n, cpus=2, usage=usage) for n in range(1, 6)]
    run = a_run(
        trials(GTHREAD, *STEADY), two, plan=a_plan(cpus=(1, 2)), environment=an_environment(core_splits=split)
    )
    gain = slower(Bound(below=1.2), of=Cell(target=GTHREAD, workload="profile", cpus=2), to=TO)
    return of_runs(run, ratio=gain)


def test_a_small_gain_counts_only_where_the_shared_cores_had_time_to_spare():
    assert gains(1.0).verdict is Verdict.HOLDS
    full = gains(1.75)
    assert full.verdict is Verdict.OPEN
    assert "the generator took its part of cores that were" in condition(full).reason


def test_of_two_that_lacked_cores_neither_counts_as_held_back():
    split = {"1": CoreSplit(stack="0", generator="0", disjoint=False)}
    run = rates((200.0, 201.0, 199.0, 202.0, 198.0), environment=an_environment(core_splits=split))
    assert of_runs(run).verdict is Verdict.HOLDS


def test_where_arrivals_are_open_the_schedule_makes_the_requests_per_second():
    steady = a_workload(arrival=Arrival.OPEN, rate=400.0, spacing=Spacing.CONSTANT)
    found = of_runs(rates((200.0, 201.0, 199.0, 202.0, 198.0), plan=a_plan(workload=steady)))
    assert (found.verdict, condition(found).reason) == (Verdict.OPEN, "no round has this number")


def test_void_trials_and_failed_requests_are_no_evidence():
    void = [a_void_trial(RUNSERVER, reasons=("it was killed",), round=n) for n in range(1, 6)]
    found = of_runs(a_run(trials(GTHREAD, *STEADY), void))
    assert condition(found).reason == "runserver:threaded · profile · 1 CPU: no valid trial: it was killed"
    failing = [
        a_trial(RUNSERVER, round=n, load=a_load(200.0 + n, failures=[a_failure(200)])) for n in range(1, 6)
    ]
    found = of_runs(a_run(trials(GTHREAD, *STEADY), failing))
    assert found.verdict is Verdict.OPEN
    assert condition(found).reason.endswith("of its requests failed")


def test_a_workload_that_was_changed_since_is_no_evidence():
    claim = a_claim(ratio={"a": slower()})
    holdings = Holdings(workloads={"profile": "something else"}, runs=(rates((200.0, 201.0, 199.0)),))
    (found,) = judge_claims({"it": claim}, holdings)
    assert found.verdict is Verdict.OPEN
    assert condition(found).reason == "it measured profile as defined before a change"


def test_the_newest_run_with_enough_rounds_is_the_evidence():
    old = rates(
        (200.0, 201.0, 199.0, 202.0, 198.0), environment=an_environment(run="1", started_at="2026-01-01")
    )
    new = rates(
        (800.0, 801.0, 799.0, 802.0, 798.0), environment=an_environment(run="2", started_at="2026-02-01")
    )
    assert condition(of_runs(old, new)).evidence == condition(of_runs(new, old)).evidence == ("quick/2",)
    short = a_run(plan=a_plan(rounds=2), environment=an_environment(run="3", started_at="2026-03-01"))
    assert condition(of_runs(old, new, short)).evidence == ("quick/2",)


def test_a_newer_run_that_went_badly_is_not_passed_over_for_an_older_one():
    old = rates((200.0, 201.0, 199.0, 202.0, 198.0))
    failed = a_run(environment=an_environment(run="2", started_at="2027-01-01"))
    assert of_runs(old, failed).verdict is Verdict.OPEN


@pytest.mark.parametrize(
    "ratio",
    [
        slower(experiment="scaling"),
        slower(database="postgres"),
        slower(of=Cell(target="uwsgi:http", workload="profile")),
        slower(of=Cell(target=RUNSERVER, workload="profile", cpus=2)),
    ],
)
def test_without_a_run_that_planned_both_the_claim_is_open(ratio):
    found = of_runs(rates((200.0, 201.0, 199.0)), ratio=ratio)
    assert found.verdict is Verdict.OPEN
    assert condition(found).reason.startswith("no run of the experiment ")


def counted(*queries):
    """Runserver's queries per request, round by round."""
    name = "GET /api/auth/jwt/me/"
    return a_run(
        [
            a_trial(
                RUNSERVER,
                round=number,
                load=a_load(
                    200.0,
                    inspections={name: Inspection(request_bytes=500, response_bytes=100, queries=count)},
                ),
            )
            for number, count in enumerate(queries, start=1)
        ]
    )


def of_queries(run, bound):
    value = Value(says="It asks two.", experiment="quick", of=OF, metric=Metric.QUERIES, bound=bound)
    return judged(a_claim(value={"a": value}), runs=(run,))


def test_what_is_counted_needs_one_round_and_has_to_be_the_same_in_all():
    assert of_queries(counted(2), Bound(within=(2, 2))).verdict is Verdict.HOLDS
    assert of_queries(counted(3), Bound(within=(2, 2))).verdict is Verdict.DOES_NOT_HOLD
    changing = of_queries(counted(2, 3), Bound(within=(2, 2)))
    assert (changing.verdict, condition(changing).reason) == (Verdict.OPEN, "not the same in all rounds")


def test_a_value_that_was_timed_needs_its_interval():
    value = Value(says="Many.", experiment="quick", of=OF, metric=Metric.RPS, bound=Bound(above=300))
    claim = a_claim(value={"a": value})
    assert judged(claim, runs=(rates(STEADY),)).verdict is Verdict.HOLDS
    assert judged(claim, runs=(rates((200.0, 400.0, 300.0)),)).verdict is Verdict.OPEN
    assert judged(claim, runs=(rates((20.0, 21.0, 20.5)),)).verdict is Verdict.DOES_NOT_HOLD


def of_attacks(*findings, **changes):
    plain = {"says": "It holds.", "attack": "A1-01", "targets": (GTHREAD,), "verdict": AttackVerdict.PASS}
    claim = a_claim(attack={"a": Attack(**plain | changes)})
    return judged(claim, assaults=(an_assault(*findings),), servers={"gunicorn": a_server()})


def test_a_verdict_of_an_attack_decides():
    assert of_attacks(a_finding()).verdict is Verdict.HOLDS
    assert of_attacks(a_finding(verdict=AttackVerdict.FAIL)).verdict is Verdict.DOES_NOT_HOLD


@pytest.mark.parametrize("verdict", [AttackVerdict.UNKNOWN, AttackVerdict.NA])
def test_an_attack_that_was_not_asked_decides_nothing(verdict):
    found = of_attacks(a_finding(verdict=verdict, reason="no stack"))
    assert (found.verdict, condition(found).reason) == (Verdict.OPEN, "gunicorn:gthread: no stack")


def test_every_target_of_a_condition_counts():
    both = {"targets": (GTHREAD, RUNSERVER)}
    assert of_attacks(a_finding(), **both).verdict is Verdict.OPEN
    assert of_attacks(a_finding(), a_finding(target=RUNSERVER), **both).verdict is Verdict.HOLDS
    failed = a_finding(target=RUNSERVER, verdict=AttackVerdict.FAIL)
    assert of_attacks(a_finding(), failed, **both).verdict is Verdict.DOES_NOT_HOLD


def test_an_attack_that_no_run_has_on_a_target_is_open_and_says_so():
    found = of_attacks(a_finding(), a_finding("A1-02", target=RUNSERVER), targets=(RUNSERVER,))
    assert (found.verdict, condition(found).evidence) == (Verdict.OPEN, ())
    assert condition(found).reason == f"{RUNSERVER}: no attack A1-01 on it"


def test_what_an_attack_measured_is_held_against_the_bound():
    asked = {"verdict": None, "measured": "gone_s", "bound": Bound(below=0.5)}
    assert of_attacks(a_finding(measured={"gone_s": 0.01}), **asked).verdict is Verdict.HOLDS
    assert of_attacks(a_finding(measured={"gone_s": 2.9}), **asked).verdict is Verdict.DOES_NOT_HOLD
    absent = of_attacks(a_finding(), **asked)
    assert condition(absent).reason == "gunicorn:gthread: no gone_s was measured"


def of_faults(*cells, runs=None, **changes):
    plain = {
        "says": "It does not come back.",
        "fault": KILLED,
        "targets": (GTHREAD,),
        "measured": "well_again",
        "bound": Bound(below=0.5),
    }
    claim = a_claim(fault={"a": Fault(**plain | changes)})
    return judged(claim, fault_runs=runs or (a_fault_run(cells),))


def tolls(*recoveries):
    return [
        a_cell(number, toll=a_toll(to_recovery_s=recovery))
        for number, recovery in enumerate(recoveries, start=1)
    ]


def test_a_fault_decides_where_every_repetition_came_to_the_same():
    gone = of_faults(*tolls(None, None, None))
    assert (gone.verdict, condition(gone).found) == (
        Verdict.HOLDS,
        "gunicorn:gthread: in 3 of 3 repetitions: 0, 0, 0",
    )
    assert of_faults(*tolls(1.0, 2.0, 1.5)).verdict is Verdict.DOES_NOT_HOLD
    mixed = of_faults(*tolls(None, 2.0, None))
    assert (mixed.verdict, condition(mixed).reason) == (
        Verdict.OPEN,
        "gunicorn:gthread: not the same in all repetitions",
    )


def test_void_repetitions_do_not_count_and_two_are_too_few():
    void = a_cell(3, verdict=FaultVerdict.VOID, toll=a_toll(to_recovery_s=None))
    found = of_faults(*tolls(None, None), void)
    assert (found.verdict, condition(found).reason) == (
        Verdict.OPEN,
        "gunicorn:gthread: 2 valid repetitions, 3 are needed",
    )


def test_a_verdict_of_a_fault_decides():
    cells = [a_cell(number, verdict=FaultVerdict.FAIL) for number in (1, 2, 3)]
    asked = {"measured": None, "bound": None, "verdict": FaultVerdict.FAIL}
    assert of_faults(*cells, **asked).verdict is Verdict.HOLDS
    assert of_faults(*cells, **asked | {"verdict": FaultVerdict.PASS}).verdict is Verdict.DOES_NOT_HOLD
    untold = of_faults(*cells, a_cell(4, verdict=FaultVerdict.UNKNOWN), **asked)
    assert condition(untold).reason == "gunicorn:gthread: a repetition without a verdict"


def test_a_fault_that_has_no_meaning_or_was_not_tried_there_decides_nothing():
    skipped = a_fault_run((), skipped={f"{KILLED} {GTHREAD}": "no worker"})
    assert condition(of_faults(runs=(skipped,))).reason == "gunicorn:gthread: no worker"
    assert condition(of_faults(fault="F-99")).reason == "gunicorn:gthread: no run with the fault F-99 on it"


def of_cases(*answers, bound=None, cases=("H-0",), problem=""):
    asked = Framing(
        says="It keeps requests apart.",
        cases=cases,
        targets=(GTHREAD,),
        counted=Reading.SMUGGLED,
        bound=bound or Bound(below=1),
    )
    run = a_differential(a_framed(*answers, problem=problem))
    return judged(a_claim(framing={"a": asked}), differentials=(run,))


def test_odd_requests_are_counted():
    assert of_cases(an_answer("a"), an_answer("b")).verdict is Verdict.HOLDS
    found = of_cases(an_answer("a"), an_answer("b", smuggled="a hidden request reached the app"))
    assert (found.verdict, condition(found).found) == (
        Verdict.DOES_NOT_HOLD,
        "gunicorn:gthread: 1 of 2 forms",
    )


def test_forms_that_are_not_known_count_both_ways():
    unknown = an_answer("b", verdict=AttackVerdict.UNKNOWN)
    found = of_cases(an_answer("a"), unknown)
    assert (found.verdict, condition(found).reason) == (Verdict.OPEN, "gunicorn:gthread: 1 form not known")
    assert of_cases(an_answer("a"), unknown, bound=Bound(below=5)).verdict is Verdict.HOLDS


@pytest.mark.parametrize("bound", [Bound(above=1), Bound(below=2), Bound(within=(2.0, 4.0))], ids=str)
def test_a_case_that_broke_off_may_lack_any_number_of_forms(bound):
    assert condition(of_cases(problem="broke off", bound=bound)).reason == "gunicorn:gthread: broke off"
    seen = [an_answer(form, smuggled="it was") for form in "abcde"]
    verdict = of_cases(*seen, problem="broke off", bound=bound).verdict
    assert verdict is (Verdict.HOLDS if bound.above else Verdict.DOES_NOT_HOLD)


def test_a_case_that_was_not_asked_decides_nothing():
    found = of_cases(an_answer("a"), cases=("H-0", "H-6"))
    assert condition(found).reason == "gunicorn:gthread: H-0, H-6 not asked of it"


def test_what_nothing_can_tell_yet_is_never_decided():
    claim = a_claim(missing={"a": Missing(says="It leaks.", needs="a run of hours")})
    found = judged(claim)
    assert (found.verdict, condition(found).reason) == (Verdict.OPEN, "needs a run of hours")


def test_a_sentence_may_depend_and_what_no_outcome_names_is_open():
    claim = a_claim(
        outcome(Meaning.DEPENDS, a="yes", b="no"),
        outcome(Meaning.HOLDS, a="yes", b="yes"),
        ratio={"a": slower(), "b": slower(Bound(below=0.4))},
    )
    half = rates((200.0, 201.0, 199.0, 202.0, 198.0))
    assert judged(claim, runs=(half,)).verdict is Verdict.DEPENDS
    assert judged(claim, runs=(rates((100.0, 101.0, 99.0, 102.0, 98.0)),)).verdict is Verdict.HOLDS
    assert judged(claim, runs=(rates((800.0, 801.0, 799.0, 802.0, 798.0)),)).verdict is Verdict.OPEN


def test_nothing_at_all_leaves_every_claim_open():
    claims = {
        "one": a_claim(ratio={"a": slower()}),
        "two": a_claim(missing={"a": Missing(says="x", needs="y")}),
    }
    assert [each.verdict for each in judge_claims(claims, Holdings())] == [Verdict.OPEN, Verdict.OPEN]


def test_a_metric_that_a_round_lacks_is_not_guessed():
    value = Value(says="Few.", experiment="quick", of=OF, metric=Metric.LEAST_WORKER, bound=Bound(above=0.5))
    found = judged(a_claim(value={"a": value}), runs=(rates(STEADY),))
    assert (found.verdict, condition(found).reason) == (Verdict.OPEN, "no round has this number")


def test_rounds_that_lack_a_metric_are_not_left_out():
    value = Value(says="Fast.", experiment="quick", of=OF, metric=Metric.P50_MS, bound=Bound(below=100))
    few = a_trial(RUNSERVER, round=6, load=a_load(1.0))
    run = rates(STEADY)
    assert judged(a_claim(value={"a": value}), runs=(run,)).verdict is Verdict.HOLDS
    lacking = a_run(run.trials, [few], plan=a_plan(rounds=6))
    found = judged(a_claim(value={"a": value}), runs=(lacking,))
    assert (found.verdict, condition(found).reason) == (Verdict.OPEN, "no round has this number")
