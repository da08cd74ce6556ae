"""Runs that have something of everything a report must show."""

from __future__ import annotations

import pytest

from serverlab.model.definitions import Prediction, ReferenceScope
from serverlab.model.records import CoreSplit, Inspection
from serverlab.model.runs import Problem
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    UWSGI,
    a_failure,
    a_latency,
    a_load,
    a_plan,
    a_proof,
    a_run,
    a_trial,
    a_usage,
    a_void_trial,
    an_environment,
    controls,
    trials,
    with_controls,
)

APACHE = "apache:daemon"
DAPHNE = "daphne:production"
DEFAULT = "uwsgi:default"
STATED = {
    "session_store": "database",
    "jwt_verify": "user",
    "plain_tokens": "header",
    "login_limits": "False",
    "cache": "database",
}


@pytest.fixture
def busy_run():
    """Six targets: measured, with errors, VOID in part and as a whole, n/a, not run; controls and predictions."""
    failures = [a_failure(12), a_failure(3, kind="timeout", status=None)]
    return a_run(
        trials(GTHREAD, 400, 410, 395),
        trials(RUNSERVER, 300, 415, 270),
        [
            a_trial(UWSGI, round=1, load=a_load(388.0, failures=failures)),
            a_trial(UWSGI, round=2, load=a_load(55.5, latency=a_latency(555, p50_us=287_000))),
            a_void_trial(UWSGI, round=3, reasons=("generator at 91 % CPU",)),
        ],
        [
            a_void_trial(
                APACHE, round=1, reasons=("container died: \x1b[31mAH00526: |syntax|\x1b[0m\n<Directory />",)
            ),
            a_void_trial(APACHE, round=2, reasons=("generator at 91 % CPU",)),
            a_void_trial(APACHE, round=3, reasons=("generator at 91 % CPU",)),
        ],
        controls(GTHREAD, 402, 396, 405),
        plan=with_controls(
            a_plan(
                targets=(GTHREAD, RUNSERVER, UWSGI, APACHE, DAPHNE, DEFAULT),
                rounds=3,
                skipped={f"{DAPHNE} profile": "static"},
                predictions=(
                    Prediction(target=RUNSERVER, ratio=(0.5, 1.6), source="a talk"),
                    Prediction(target=APACHE, ratio=(0.9, 1.1), source="https://example.org/"),
                ),
            )
        ),
        environment=an_environment(
            dirty=True, core_splits={"1": CoreSplit(stack="0", generator="0", disjoint=False)}
        ),
        problems=(Problem(file="quick/20261122-101500/trials.jsonl", line=3, message="cut short"),),
    )


@pytest.fixture
def compared_run():
    """Three rounds of a workload's variants on two targets, with two references; on the second much is missing."""
    names = ("auth:none", "auth:session", "auth:token", "auth:cached")
    seen = {
        name: {"GET /me/": Inspection(request_bytes=120 + 50 * number, response_bytes=300, queries=number)}
        for number, name in enumerate(names)
    }

    def measured(target, name, *rates):
        loads = [a_load(rate, inspections=seen[name], by_name={"GET /me/": a_latency()}) for rate in rates]
        cached = {"session_store": "cache", "cache": "redis"} if name == "auth:cached" else {}
        proof = a_proof(**STATED | cached)
        usage = {"app": a_usage(0.9)} | ({"cache": a_usage(0.1)} if cached else {})
        return [
            a_trial(target, round=number, workload=name, load=load, proof_before=proof, usage=usage)
            for number, load in enumerate(loads, start=1)
        ]

    return a_run(
        measured(GTHREAD, "auth:none", 1000, 1100, 1050),
        measured(GTHREAD, "auth:session", 500, 540, 525),
        measured(GTHREAD, "auth:token", 800, 990, 840),
        measured(GTHREAD, "auth:cached", 900, 880, 760),
        measured(DAPHNE, "auth:none", 400, 410, 405),
        measured(DAPHNE, "auth:session", 200, 210),
        [a_void_trial(DAPHNE, round=3, workload="auth:session", reasons=("no request succeeded",))],
        plan=a_plan(
            targets=(GTHREAD, DAPHNE),
            workloads=(),
            reference=None,
            comparisons={"auth:none": ("auth:session",), "auth:token": ("auth:cached",)},
            rounds=3,
        ),
        environment=an_environment(cache="database"),
    )


@pytest.fixture
def clean_run():
    """Five good rounds, direct and behind nginx, on one and on two cores."""
    behind = (f"{GTHREAD}+nginx", f"{RUNSERVER}+nginx")
    splits = {
        "1": CoreSplit(stack="0", generator="2-3", disjoint=True),
        "2": CoreSplit(stack="0-1", generator="2-3", disjoint=True),
    }
    cells = [
        (target, cpus, rate * factor)
        for target, rate in zip((GTHREAD, RUNSERVER, *behind), (400, 320, 360, 300), strict=True)
        for cpus, factor in ((1, 1.0), (2, 1.9 if "gunicorn" in target else 1.05))
    ]
    return a_run(
        *(
            trials(target, *(rate + each for each in range(5)), cpus=cpus, usage={})
            for target, cpus, rate in cells
        ),
        plan=a_plan(targets=(GTHREAD, RUNSERVER, *behind), cpus=(1, 2), reference_scope=ReferenceScope.EDGE),
        environment=an_environment(core_splits=splits),
    )
