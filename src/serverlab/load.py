"""Puts load on a stack: starts the generator, follows it, and takes its result apart."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import docker.errors
import httpx2
import msgspec

from serverlab.compose import Container, Engine, follow, log_lines, tails
from serverlab.errors import TrialFailed
from serverlab.histogram import Latencies, Part, interval_log, latencies_of, latency_of
from serverlab.model.definitions import Spacing, Workload
from serverlab.model.records import Failure, Inspection, LoadResult, Second, StepResult

MARGIN_S = 30.0
"""How much longer than warm-up, window and one time-out a generator may take before it is stopped."""

PAGE_DEADLINE_S = 30.0

FORMAT = 2
"""Number of the generator's ``result`` event that this lab reads: histograms are by second since 2."""

GAVE_UP = "See its last lines, or take fewer users: all of them have to be ready before the load begins."
NO_RESULT = "See its last lines for what its users met."
"""What to do about a generator that said why it has no result, and about one that did not."""

OnEvent = Callable[[Mapping[str, Any]], None]


class GeneratorBroke(TrialFailed):
    """The generator ended without a result; ``what`` carries its last lines."""


@dataclass(frozen=True)
class Generated:
    """The generator's result, and the ``line`` that it was read from."""

    result: LoadResult
    line: str

    @cached_property
    def raw(self) -> dict[str, str]:
        """By kind of file, what is kept of it: its own words, and its latencies. It takes a tenth of a second.

        ``hgrm`` is the percentile distribution of all that counts as latency, ``hlog`` the log of all histograms by
        second, name and outcome; both in HdrHistogram's formats.
        """
        parts = _parts(json.loads(self.line))
        return {
            "load.json": self.line + "\n",
            "hgrm": latencies_of(parts).everything.hgrm(),
            "hlog": interval_log(parts, start_s=self.result.window_start, end_s=self.result.window_end),
        }


def headless_variables(name: str, workload: Workload, *, url: str, seed: int = 1) -> dict[str, str]:
    """The generator's environment for one measurement of the workload called ``name``, be it a variant.

    The same ``seed`` gives the same Poisson arrivals.
    """
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
        **_arrival_variables(workload),
        "LAB_LOAD_SEED": str(seed),
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
        **_arrival_variables(workload),
    }


def _arrival_variables(workload: Workload) -> dict[str, str]:
    steps = [[step.level, step.ramp_to or step.level, step.duration_s] for step in workload.course()]
    spacing = workload.spacing or Spacing.CONSTANT
    return {
        "LAB_LOAD_ARRIVAL": workload.arrival.value,
        "LAB_LOAD_SPACING": spacing.value,
        "LAB_LOAD_STEPS": json.dumps(steps),
    }


def await_result(engine: Engine, workload: Workload, on_event: OnEvent) -> Generated:
    """Follow the running generator to its end, handing on each of its events, and return its result.

    Raises:
        GeneratorBroke: it ended without a result, or did not end in time; it is stopped then.
    """
    container = engine.service("load")
    stop = threading.Timer(_deadline_s(workload), cut_short, [engine])
    stop.start()
    reason, hint = "the generator ended without a result", NO_RESULT
    try:
        for line in follow(container):
            event = _event(line)
            on_event(event)
            if event.get("event") == "result":
                return Generated(result=read_result(event), line=line)
            if event.get("event") == "broken":
                reason, hint = f"the generator gave up: {event['reason']}", GAVE_UP
    finally:
        stop.cancel()
    container.wait(timeout=30)
    container.reload()
    said = tails([container]) or "\n".join(log_lines(container, lines=12))
    raise GeneratorBroke(f"{reason}{said}", hint)


def cut_short(engine: Engine) -> None:
    """End the generator at once, if it still runs; it has no result then."""
    for container in engine.containers("load"):
        with suppress(docker.errors.APIError):  # it has ended by itself meanwhile
            container.kill()


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
    latencies = latencies_of(_parts(event))
    return LoadResult(
        users=event["users"],
        window_start=event["window_start"],
        window_end=event["window_end"],
        ended=event["requests_ended"],
        ok=event["ok_ended"],
        late=event["late"],
        body_bytes=event["bytes"],
        failures=tuple(_failure(each) for each in event["errors"]),
        latency=latencies.everything.latency(),
        latency_failed=latencies.failed,
        by_name=latencies.by_name,
        versions=event["versions"],
        connections=event["connections"],
        inspections=msgspec.convert(event["inspections"], dict[str, Inspection]),
        arrival=event["arrival"],
        loop_lag=latency_of([event["loop_lag"]]),
        per_second=tuple(_seconds(event, latencies)),
        steps=tuple(_steps(event)),
        **_schedule(event),
    )


def _schedule(event: Mapping[str, Any]) -> dict[str, Any]:
    """What became of the arrivals; nothing of a closed workload."""
    arrivals = event["arrivals"]
    if arrivals is None:
        return {}
    steps = event["steps"]
    due = sum((step["level"] + step["ramp_to"]) / 2 * step["duration_s"] for step in steps)
    counts = {key: arrivals[key] for key in ("scheduled", "sent", "queued", "unsent", "lost")}
    rate = due / sum(step["duration_s"] for step in steps)
    return {**counts, "rate": rate, "lag": latency_of([arrivals["lag"]])}


def _parts(event: Mapping[str, Any]) -> list[Part]:
    return [
        Part(second=each["second"], name=each["name"], outcome=each["outcome"], encoded=each["encoded"])
        for each in event["histograms"]
    ]


def _seconds(event: Mapping[str, Any], latencies: Latencies) -> Iterator[Second]:
    for second, counted in enumerate(event["seconds"]):
        latency = latencies.by_second.get(second)
        yield Second(
            ended=counted["ended"],
            ok=counted["ok"],
            failed=counted["ended"] - counted["ok"],
            count=latency.count if latency else 0,
            p50_us=latency.p50_us if latency else None,
            p99_us=latency.p99_us if latency else None,
        )


def _steps(event: Mapping[str, Any]) -> Iterator[StepResult]:
    """Each step of a window that has several, or a ramp; steps are of whole seconds."""
    steps, began = event["steps"], 0
    if len(steps) == 1 and steps[0]["level"] == steps[0]["ramp_to"]:
        return
    for step in steps:
        seconds = range(began, began + round(step["duration_s"]))
        parts = [each for each in _parts(event) if each.second in seconds]
        yield StepResult(
            **step,
            ended=sum(event["seconds"][each]["ended"] for each in seconds),
            ok=sum(event["seconds"][each]["ok"] for each in seconds),
            latency=latencies_of(parts).everything.latency(),
        )
        began = seconds.stop


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
            if httpx2.get(url, timeout=2.0, trust_env=False).status_code == httpx2.codes.OK:
                return
        except httpx2.HTTPError:
            container.reload()
        if container.status == "exited" or time.monotonic() > give_up:
            hint = "See its last lines for why."
            raise GeneratorBroke(f"Locust's page did not come up{tails([container])}", hint)
        time.sleep(0.1)
