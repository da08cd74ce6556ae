"""One measurement of a cross-check: the lab's own generator, wrk or h2load on a stack that runs and is proven."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from serverlab import compose, load, probe, sampler, store, witnesses
from serverlab.compose import StackSettings
from serverlab.errors import TrialFailed
from serverlab.model.crosscheck import CrossPlan, Measurement, Pace, Reading, Tool
from serverlab.model.definitions import Arrival, Spacing, Workload
from serverlab.model.records import LoadResult
from serverlab.runner import gates
from serverlab.runner.ending import telling_who_died
from serverlab.runner.run import Lab
from serverlab.witnesses import BadOutput, Question

WORKLOAD = "profile"
"""What is asked: the one workload that can be told which token to use."""

CPUS = 1
HEADERS = {"User-Agent": "serverlab", "Accept": "application/json", "Accept-Encoding": "identity"}
"""As the lab's own users send them."""

MOST_FAILED = 0.001
"""Of a witness's requests: with more of them failed it measured something else than right answers."""

RATE_DIGITS = 4
"""Significant digits of half the rate."""


@dataclass(frozen=True)
class Stand:
    """A proven stack, what everybody asks of it, and the folder of the run."""

    lab: Lab
    path: Path
    settings: StackSettings
    plan: CrossPlan
    token: str
    round: int
    target: str

    @property
    def question(self) -> Question:
        """What the witnesses ask."""
        workload = self.plan.workload
        return Question(
            url=f"{self.settings.inner_url}{probe.PROFILE}",
            headers=HEADERS | {"Authorization": f"Bearer {self.token}"},
            connections=workload.users,
            warmup_s=workload.warmup_s,
            window_s=workload.duration_s,
            timeout_s=workload.timeout_s,
        )


@dataclass(frozen=True)
class Seen:
    """A reading, why it may not be used, what the tool used of one core, and what it said, by kind of file."""

    reading: Reading | None
    void: tuple[str, ...] = ()
    cpu_share: float | None = None
    raw: Mapping[str, str] = field(default_factory=dict)


def measured_by(stand: Stand, tool: Tool, pace: Pace, *, rate: float | None) -> Measurement:
    """What the tool sees at this pace; half pace without a rate, and what breaks on the way, is VOID."""
    seen = Seen(None, ("the lab's generator had no valid number at saturation, so there is no half of it",))
    if pace is Pace.SATURATED or rate is not None:
        try:
            with telling_who_died(stand.lab.engine):
                seen = ASKED[tool](stand, rate)
        except TrialFailed as broke:
            seen = Seen(None, (broke.reason,))
    for kind, text in seen.raw.items():
        name = f"r{stand.round:02}-{stand.target}-{tool.name.lower()}-{pace.value}".replace(":", ".")
        store.write_raw(stand.path, trial_id=name, kind=kind, text=text)
    return Measurement(
        round=stand.round,
        target=stand.target,
        tool=tool,
        pace=pace,
        rate=rate,
        void=seen.void,
        reading=seen.reading,
        cpu_share=seen.cpu_share,
    )


def half_of(measurements: list[Measurement]) -> float | None:
    """Half of what the lab's generator saw at saturation; None where it has no valid number."""
    for tool in (Tool.OURS, Tool.AGAIN):
        for made in measurements:
            if made.tool is tool and made.reading is not None and not made.void:
                return float(f"{made.reading.rps / 2:.{RATE_DIGITS}g}")
    return None


def paced(workload: Workload, rate: float | None, *, token: str) -> Workload:
    """The workload as the lab's generator gets it: closed without think time, or open at the constant rate."""
    asked = msgspec.structs.replace(workload, parameters={"access": token}, think_time_ms=0.0)
    if rate is None:
        return msgspec.structs.replace(asked, arrival=Arrival.CLOSED, rate=None, spacing=None)
    return msgspec.structs.replace(asked, arrival=Arrival.OPEN, rate=rate, spacing=Spacing.CONSTANT)


def reading_of(result: LoadResult) -> Reading:
    """What the lab's generator saw.

    Raises:
        TrialFailed: nothing was answered.
    """
    latency = result.latency
    if latency.p50_us is None or latency.p99_us is None:
        raise TrialFailed("no request succeeded")
    return Reading(
        ok=result.ok,
        failed=sum(failure.count for failure in result.failures),
        window_s=result.window_s,
        count=latency.count,
        p50_us=latency.p50_us,
        p99_us=latency.p99_us,
    )


def _ours(stand: Stand, rate: float | None) -> Seen:
    lab, workload = stand.lab, paced(stand.plan.workload, rate, token=stand.token)
    for earlier in lab.engine.containers("load"):
        earlier.remove(force=True)
    with sampler.Sampler() as samples:
        for role in gates.STACK_ROLES:
            samples.watch(lab.engine.containers(role))
        url = stand.settings.inner_url
        variables = load.headless_variables(WORKLOAD, workload, url=url, seed=stand.round)
        compose.start_load(lab.shell, lab.root, stand.settings, variables)
        samples.watch(lab.engine.containers("load"))
        generated = load.await_result(lab.engine, workload, lambda event: _at_edges(samples, event))
        samples.sample()
    result = generated.result
    usage = sampler.usage_within(samples.samples, start=result.window_start, end=result.window_end)
    void = (
        *gates.of_load(result, usage, cpus=CPUS),
        *gates.of_counts(result, arrival=workload.arrival),
        *gates.of_arrivals(result, workload),
    )
    share = usage["load"].cpu_s / result.window_s if "load" in usage else None
    return Seen(reading_of(result), void, share, raw={"hgrm": generated.raw["hgrm"]})


def _at_edges(samples: sampler.Sampler, event: Mapping[str, Any]) -> None:
    """Sample as the window opens and closes: the generator may have ended before its turn comes again."""
    if event.get("event") in ("measuring", "measured"):
        samples.sample()


def _wrk(stand: Stand, _rate: float | None) -> Seen:
    question = stand.question
    _said(stand, witnesses.wrk_command(question, lasts_s=question.warmup_s))
    output, share = _said(stand, witnesses.wrk_command(question, lasts_s=question.window_s))
    return _believed(witnesses.read_wrk(output), share, output)


def _h2load(stand: Stand, rate: float | None) -> Seen:
    _said(stand, ["rm", "--force", witnesses.LOG])  # h2load appends to the log of its last call
    output, share = _said(stand, witnesses.h2load_command(stand.question, rate=rate))
    log, _ = _said(stand, ["cat", witnesses.LOG])
    return _believed(witnesses.read_h2load(output, log, question=stand.question), share, output)


def _believed(reading: Reading, share: float | None, output: str) -> Seen:
    """A witness that uses up its core is no better than a generator of ours that does; nor one that sees failures."""
    void = []
    if share is not None and share > gates.GENERATOR_CEILING:
        void.append(f"it used {share:.0%} of a core, more than {gates.GENERATOR_CEILING:.0%}")
    if reading.failed_share > MOST_FAILED:
        void.append(f"{reading.failed_share:.2%} of its requests failed, more than {MOST_FAILED:.1%}")
    return Seen(reading, tuple(void), share, raw={"txt": output})


def _said(stand: Stand, command: list[str]) -> tuple[str, float | None]:
    """What the command said in the witness's container, and what it used of one core.

    Raises:
        BadOutput: it ended with an error, or did not end in time.
    """
    container = stand.lab.engine.service("witness")
    before, began = sampler.read(container), time.monotonic()
    done = container.exec_run(command)
    lasted_s, after = time.monotonic() - began, sampler.read(container)
    output = done.output.decode(errors="replace")
    if done.exit_code != 0:
        name = next(word for word in command if word in ("wrk", "h2load", "cat", "rm"))
        raise BadOutput(f"{name} ended with {done.exit_code}{_tail(output)}")
    return output, (after.cpu_s - before.cpu_s) / lasted_s if before and after else None


def _tail(output: str) -> str:
    return "".join(f"\n  | {line}" for line in output.splitlines()[-12:])


ASKED: dict[Tool, Callable[[Stand, float | None], Seen]] = {
    Tool.OURS: _ours,
    Tool.AGAIN: _ours,
    Tool.WRK: _wrk,
    Tool.H2LOAD: _h2load,
}
"""Who measures how."""
