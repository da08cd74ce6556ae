"""Small cross-checks for tests."""

from __future__ import annotations

from serverlab.model.crosscheck import Crosscheck, CrossPlan, Measurement, Pace, Reading
from tests.unit.builders import GTHREAD, a_run, a_workload


def a_reading(rps=500.0, *, p99_us=20_000, failed=0):
    return Reading(ok=round(rps * 10), failed=failed, window_s=10.0, count=5000, p50_us=10_000, p99_us=p99_us)


def measured(tool, pace=Pace.SATURATED, *, round=1, void=(), reading=None, target=GTHREAD):  # noqa: A002
    return Measurement(
        round=round,
        target=target,
        tool=tool,
        pace=pace,
        rate=None if pace is Pace.SATURATED else 250.0,
        void=void,
        reading=reading,
        cpu_share=0.25 if reading else None,
    )


def a_cross_plan(**changes):
    plain = {
        "name": "crosscheck",
        "question": "Do they agree?",
        "targets": (GTHREAD,),
        "workload": a_workload(),
        "rounds": 5,
        "seed": 7,
        "hashes": {},
    }
    return CrossPlan(**plain | changes)


def a_check(measurements, *, problems=(), **changes):
    environment = a_run().environment
    plan = a_cross_plan(**changes)
    return Crosscheck(
        name=f"crosscheck/{environment.run}",
        plan=plan,
        environment=environment,
        measurements=tuple(measurements),
        problems=problems,
    )


def rounds_of(tool, pace, values, *, p99=20_000):
    """A measurement in each round with that many requests per second."""
    return [
        measured(tool, pace, round=number, reading=a_reading(rps, p99_us=p99))
        for number, rps in enumerate(values, start=1)
    ]
