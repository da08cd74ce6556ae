"""A generator's results of a server whose capacity is known, for windows that last as long as the fake lab takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from hdrh.histogram import HdrHistogram

from tests.fake_lab import a_result

SLOW_US, FAST_US = 900_000, 2_000

EXPERIMENT = """\
format = 1
title = "Capacity"
question = "What do they carry?"
targets = ["gunicorn", "runserver"]
workloads = ["profile"]

[capacity]
slo = ["p50<=250ms", "errors<=5%"]
highest_rate = 1e9
shares = [0.5, 0.9]
"""
"""Objectives on p50 and of few errors, because the windows of the fake lab are milliseconds."""

Result = Callable[[Mapping[str, str], float, float], dict[str, Any]]


def carrying(capacity: float, *, generator: float = float("inf"), closed: float | None = None) -> Result:
    """Results of a server that is slow above ``capacity``, by a generator that is late above its own."""

    def result(given: Mapping[str, str], start: float, end: float) -> dict[str, Any]:
        if given["LAB_LOAD_ARRIVAL"] == "closed":
            users = int(given["LOCUST_USERS"])
            made = a_result(start, end, ok=round((closed or capacity) * (end - start)))
            return made | {"users": users}
        ((rate, _, _),) = json.loads(given["LAB_LOAD_STEPS"])
        count = round(rate * (end - start))
        latency_us = FAST_US if rate <= capacity else SLOW_US
        return an_open_result(start, end, rate=rate, count=count, latency_us=latency_us) | {
            "arrivals": _arrivals(count, lag_us=50 if rate <= generator else SLOW_US)
        }

    return result


def an_open_result(start: float, end: float, *, rate: float, count: int, latency_us: int) -> dict[str, Any]:
    """So many arrivals at a rate, each answered rightly after the same time."""
    encoded = _encoded(count, latency_us)
    made = a_result(start, end, ok=count)
    name = {"second": 0, "name": "GET /api/auth/jwt/me/", "outcome": "ok", "count": count, "encoded": encoded}
    return made | {
        "arrival": "open",
        "users": 64,
        "steps": [{"level": rate, "ramp_to": rate, "duration_s": 10.0}],
        "histograms": [name],
    }


def _arrivals(count: int, *, lag_us: int) -> dict[str, Any]:
    counts = {"scheduled": count, "sent": count, "queued": 0, "unsent": 0, "lost": 0}
    return {**counts, "lag": _encoded(count, lag_us)}


def _encoded(count: int, value_us: int) -> str:
    histogram = HdrHistogram(1, 120_000_000, 3)
    if count:
        histogram.record_value(value_us, count)
    return histogram.encode().decode("ascii")
