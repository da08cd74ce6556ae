"""What stands beside a table."""

from __future__ import annotations

from serverlab.analysis import tabulate
from serverlab.model.definitions import ReferenceScope
from serverlab.model.records import CoreSplit
from serverlab.model.runs import Problem
from serverlab.model.tables import Fact
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    a_plan,
    a_proof,
    a_run,
    a_trial,
    a_void_trial,
    a_workload,
    an_environment,
)


def as_dict(facts):
    return {fact.label: fact.value for fact in facts}


def test_the_facts_of_a_run():
    run = a_run(
        [
            a_trial(GTHREAD, round=1),
            a_void_trial(RUNSERVER, round=1, reasons=("died",), load=None, proof_before=None),
        ],
        environment=an_environment(notes=("governor is powersave",)),
    )
    assert tabulate(run).facts == (
        Fact(label="Measured", value="2026-11-22T10:15:00+00:00, 1 valid of 10 trials, 1 VOID, 8 not run"),
        Fact(label="Machine", value="Example CPU, 2 cores, 8.0 GiB, Debian GNU/Linux 12, kernel 6.1.0"),
        Fact(label="Engine", value="26.1.5, Compose 2.26.1, cgroup v2"),
        Fact(label="Lab", value="serverlab 0.1.0, commit 0123456789ab, Python 3.11.7"),
        Fact(label="Database", value="sqlite"),
        Fact(label="Equal for all", value="memory: 1 GiB; keep-alive: 75 s"),
        Fact(
            label="Versions",
            value="Django 5.2.19, gunicorn 27.0.1, Locust 2.47.0, Python in the containers 3.13.5, runserver 27.0.1",
        ),
        Fact(label="Note", value="governor is powersave"),
    )


def test_a_checkout_without_git_and_nothing_stated_to_be_equal():
    facts = as_dict(tabulate(a_run(environment=an_environment(commit=None, dirty=None, equal={}))).facts)
    assert facts["Lab"] == "serverlab 0.1.0, commit –, Python 3.11.7"
    assert "Equal for all" not in facts
    assert "Versions" not in facts


def test_two_versions_of_one_server_are_both_told():
    other = a_trial(GTHREAD, round=2, proof_before=a_proof(django="5.2.20"))
    facts = as_dict(tabulate(a_run([a_trial(GTHREAD, round=1), other])).facts)
    assert "Django 5.2.19/5.2.20" in facts["Versions"]


def test_the_conditions_of_a_section():
    (section,) = tabulate(a_run()).sections
    assert as_dict(section.conditions) == {
        "Workload": "Profile: JWT verified, user read",
        "Load": "closed: 16 users, each waits for its answer, no think time; "
        "time-out 10 s, counted as an error and in the latencies",
        "Window": "10 s after 2 s of warm-up, fresh containers for each trial, 5 rounds, shuffled (seed 7)",
        "Budget": "1 core: stack on CPU 0, generator on CPU 1",
        "Ratios": "requests/s to those of gunicorn:gthread in the same round: "
        "geometric mean [95 % interval, of each row alone]",
        "Numbers": "medians over the rounds, max over all of them; requests/s count successes; "
        "latencies are of right answers and time-outs; CPU and peak memory are the app's",
    }


def test_think_time_and_shared_cores_are_told():
    splits = {"2": CoreSplit(stack="0-1", generator="0-1", disjoint=False)}
    run = a_run(
        plan=a_plan(cpus=(2,), workload=a_workload(think_time_ms=12.5, users=1)),
        environment=an_environment(core_splits=splits),
    )
    conditions = as_dict(tabulate(run).sections[0].conditions)
    assert conditions["Load"].startswith("closed: 1 user, each waits for its answer, 12.5 ms think time;")
    assert conditions["Budget"] == "2 cores: stack on CPU 0-1, generator on CPU 0-1: NOT disjoint"


def test_what_a_run_does_not_say_is_not_made_up():
    conditions = as_dict(tabulate(a_run(environment=an_environment(core_splits={}))).sections[0].conditions)
    assert conditions["Budget"] == "1 core for the stack; the run does not say which"


def test_a_section_without_its_reference_says_so():
    plan = a_plan(targets=(GTHREAD, f"{RUNSERVER}+nginx"), reference_scope=ReferenceScope.EDGE)
    conditions = as_dict(tabulate(a_run(plan=plan)).sections[1].conditions)
    assert conditions["Ratios"] == "none: the reference is not in this section"


def test_the_problems_of_a_run_are_handed_on():
    problem = Problem(file="quick/1/trials.jsonl", line=3, message="cut short")
    assert tabulate(a_run(problems=(problem,))).problems == (problem,)


def test_the_core_speed_is_told_over_all_trials_that_have_it():
    run = a_run(
        [
            a_trial(GTHREAD, round=1, speed_before=40.0, speed_after=38.0),
            a_void_trial(GTHREAD, round=2, reasons=("died",), speed_before=25.0),
            a_trial(GTHREAD, round=3),
        ]
    )
    assert (
        as_dict(tabulate(run).facts)["Core speed"]
        == "calibration loop 25.0–40.0 (median 38.0) million turns per CPU second"
    )
