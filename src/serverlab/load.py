"""Puts load on a stack: starts the generator, follows it, and takes its result apart."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec

from serverlab.compose import Container, Engine, follow, log_lines, tails
from serverlab.errors import TrialFailed
from serverlab.histogram import latency_of
from serverlab.model.base import FORMAT
from serverlab.model.definitions import Workload
from serverlab.model.records import Failure, Inspection, LoadResult

MARGIN_S = 30.0
"""How much longer than warm-up, window and one time-out a generator may take before it is stopped."""

PAGE_DEADLINE_S = 30.0

OnEvent = Callable[[Mapping[str, Any]], None]


class GeneratorBroke(TrialFailed):
    """The generator ended without a result; ``what`` carries its last lines."""


@dataclass(frozen=True)
class Generated:
    """The generator's result, and its own words."""

    result: LoadResult
    raw: str


def headless_variables(name: str, workload: Workload, *, url: str) -> dict[str, str]:
    """The generator's environment for one measurement of the workload called ``name``, be it a variant."""
    return {
        "LOCUST_HEADLESS": "true",
        "LOCUST_LOCUSTFILE": _locustfile(name),
        "LOCUST_HOST": url,
        "LOCUST_USERS": str(workload.users),
        "LOCUST_SPAWN_RATE": str(workload.users),
        "LOCUST_RUN_TIME": f"{_deadline_s(workload):.0f}",
        "LAB_LOAD_WARMUP_S": str(workload.warmup_s),
        "LAB_LOAD_DURATION_S": str(workload.duration_s),
        "LAB_LOAD_TIMEOUT_S": str(workload.timeout_s),
        "LAB_LOAD_THINK_MS": str(workload.think_time_ms),
        "LAB_LOAD_PARAMETERS": json.dumps(workload.parameters),
    }


def web_variables(names: Iterable[str], chosen: str, workload: Workload, *, url: str) -> dict[str, str]:
    """The generator's environment for Locust's web page, with the workloads ``names`` to choose from.

    ``chosen`` comes first: a workload, or one variant of it, whose parameters are used. Other workloads that have
    variants take what their locustfiles take without parameters.
    """
    files = dict.fromkeys([_locustfile(chosen), *map(_locustfile, names)])
    return {
        "LOCUST_HEADLESS": "false",
        "LOCUST_LOCUSTFILE": ",".join(files),
        "LOCUST_USERCLASS_PICKER": "true",
        "LOCUST_HOST": url,
        "LOCUST_USERS": str(workload.users),
        "LOCUST_SPAWN_RATE": str(workload.users),
        "LAB_LOAD_TIMEOUT_S": str(workload.timeout_s),
        "LAB_LOAD_PARAMETERS": json.dumps(workload.parameters),
    }


def await_result(engine: Engine, workload: Workload, on_event: OnEvent) -> Generated:
    """Follow the running generator to its end, handing on each of its events, and return its result.

    Raises:
        GeneratorBroke: it ended without a result, or did not end in time; it is stopped then.
    """
    container = engine.service("load")
    stop = threading.Timer(_deadline_s(workload), container.kill)
    stop.start()
    try:
        for line in follow(container):
            event = _event(line)
            on_event(event)
            if event.get("event") == "result":
                return Generated(result=read_result(event), raw=line)
    finally:
        stop.cancel()
    container.wait(timeout=30)
    container.reload()
    said = tails([container]) or "\n".join(log_lines(container, lines=12))
    raise GeneratorBroke(f"the generator ended without a result{said}")


def read_result(event: Mapping[str, Any]) -> LoadResult:
    """The generator's ``result`` event as a record.

    Raises:
        GeneratorBroke: it has another format.
    """
    if event.get("format") != FORMAT:
        hint = "Build the images again: `make images`."
        raise GeneratorBroke(
            f"the generator speaks format {event.get('format')}, this lab reads {FORMAT}", hint
        )
    histograms = event["histograms"]
    counted = [each for each in histograms if each["outcome"] in ("ok", "timeout")]
    names = sorted({each["name"] for each in counted})
    return LoadResult(
        users=event["users"],
        window_start=event["window_start"],
        window_end=event["window_end"],
        ended=event["requests_ended"],
        ok=event["ok_ended"],
        late=event["late"],
        body_bytes=event["bytes"],
        failures=tuple(_failure(each) for each in event["errors"]),
        latency=latency_of(each["encoded"] for each in counted),
        latency_failed=latency_of(each["encoded"] for each in histograms if each["outcome"] == "fail"),
        by_name={
            name: latency_of(each["encoded"] for each in counted if each["name"] == name) for name in names
        },
        versions=event["versions"],
        connections=event["connections"],
        inspections=msgspec.convert(event["inspections"], dict[str, Inspection]),
    )


def _locustfile(name: str) -> str:
    return f"/loadtests/{name.partition(':')[0]}/locustfile.py"


def _deadline_s(workload: Workload) -> float:
    return workload.warmup_s + workload.duration_s + workload.timeout_s + MARGIN_S


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return {"event": "noise", "line": line}
    return event if isinstance(event, dict) else {"event": "noise", "line": line}


def _failure(error: Mapping[str, Any]) -> Failure:
    return Failure(
        name=error["name"],
        kind=error["kind"],
        status=error.get("status"),
        count=error["count"],
        example=str(error.get("example", "")),
    )


def await_page(container: Container, url: str, *, deadline_s: float = PAGE_DEADLINE_S) -> None:
    """Return as soon as Locust's page at ``url`` answers.

    Raises:
        GeneratorBroke: the container ended or the deadline passed.
    """
    give_up = time.monotonic() + deadline_s
    while True:
        try:
            if httpx2.get(url, timeout=2.0).status_code == httpx2.codes.OK:
                return
        except httpx2.HTTPError:
            container.reload()
        if container.status == "exited" or time.monotonic() > give_up:
            raise GeneratorBroke(f"Locust's page did not come up{tails([container])}")
        time.sleep(0.1)
