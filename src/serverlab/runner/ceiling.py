"""How many requests per second the generator itself can make: the same load on a server that does nothing.

nginx answers a fixed text in the app's place: the same network, the same cores for either side, the same image of the
generator with the same users. A workload of heavier requests has a lower ceiling than this one, never a higher one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serverlab import compose, held, load, probe, sampler, store
from serverlab.compose import StackSettings
from serverlab.errors import CommandFailed, EnvironmentLacks, TrialFailed
from serverlab.model.ceilings import Ceiling, Connections, LoadSetup
from serverlab.model.definitions import Arrival, Protocol, Target, Workload
from serverlab.model.records import CoreSplit, LoadResult
from serverlab.model.stacks import NullSettings
from serverlab.runner.ending import leaving_nothing
from serverlab.runner.trial import Bench

WARMUP_S = 0.5
WINDOW_S = 2.0
TIMEOUT_S = 10.0

FLOOD = 50_000.0
"""Arrivals per second of an open load: more than the generator can send, so that it sends all it can."""

ASKING = {Connections.KEPT: "ping", Connections.NEW: "ping-close"}
"""The workload whose requests are the least work for the generator, by how it uses connections."""

IMAGE = "nginx"
"""What the server that does nothing is made of."""

NOT_MEASURED = (TrialFailed, EnvironmentLacks, CommandFailed)
"""What a ceiling may break off with; the trial that it was measured for is as good as before."""


def keep_ceiling(bench: Bench, path: Path, setup: LoadSetup | None, *, split: CoreSplit, label: str) -> None:
    """Measure the ceiling of the set-up and add it to the run in ``path``, unless that has it; no container stays.

    One that could not be measured is tried again, up to MOST_TRIES times in the run.
    """
    if setup is not None and not store.read_ceilings(path).settled(setup):
        store.keep_ceiling(path, measure_ceiling(bench, setup, split=split, label=label))


def measure_ceiling(bench: Bench, setup: LoadSetup, *, split: CoreSplit, label: str) -> Ceiling:
    """What the generator got out of a server that does nothing, or why that is not known; no container stays."""
    began_s, moment = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    rps: float | None = None
    cores: float | None = None
    reason: str | None = None
    with leaving_nothing(bench.engine):
        try:
            _check_built(bench)
            seen, cores = _measured(bench, setup, _null_stack(setup, split=split, label=label))
            rps = seen.ok / seen.window_s
        except NOT_MEASURED as broke:
            reason = broke.what
    return Ceiling(
        setup=setup,
        measured_at=moment,
        rps=rps,
        generator_cores=cores,
        reason=reason,
        wall_s=time.monotonic() - began_s,
    )


def _check_built(bench: Bench) -> None:
    if IMAGE in bench.unbuilt:
        raise TrialFailed(bench.unbuilt[IMAGE].partition("\n")[0])


def asking(setup: LoadSetup) -> Workload:
    """The load that the ceiling is measured with: a request after the other, or more of them due than can be sent."""
    return Workload(
        format=1,
        title="Ceiling",
        description="As many requests as the generator can make.",
        arrival=setup.arrival,
        users=setup.users,
        warmup_s=WARMUP_S,
        duration_s=WINDOW_S,
        timeout_s=TIMEOUT_S,
        rate=FLOOD if setup.arrival is Arrival.OPEN else None,
    )


def _null_stack(setup: LoadSetup, *, split: CoreSplit, label: str) -> StackSettings:
    return NullSettings(
        target=Target(server="null", variant=""),
        protocol=Protocol.HTTP,
        cpus=setup.cpus,
        replicas=1,
        split=split,
        label=label,
    )


def _measured(bench: Bench, setup: LoadSetup, settings: StackSettings) -> tuple[LoadResult, float]:
    """What the generator saw, and how many cores it used.

    Raises:
        TrialFailed: something of it did not start, or answers were missing or wrong.
    """
    workload = asking(setup)
    variables = load.headless_variables(ASKING[setup.connections], workload, url=settings.inner_url)
    compose.up(bench.shell, bench.engine, bench.root, settings, held=variables)
    held.wake(bench.engine)
    probe.wait_ready(bench.engine, settings)
    held.await_loaded(bench.engine)
    with sampler.Sampler() as samples:
        samples.watch(bench.engine.containers("load"))
        held.let_go(bench.engine)
        seen = load.await_result(bench.engine, workload, lambda event: _at_event(samples, event)).result
    if seen.failures or not seen.ok:
        kinds = ", ".join(sorted({each.kind for each in seen.failures})) or "none succeeded"
        raise TrialFailed(f"requests to a server that does nothing failed: {kinds}")
    usage = sampler.usage_within(samples.samples, start=seen.window_start, end=seen.window_end)
    if "load" not in usage:
        raise TrialFailed("not sampled: load; see which figures the engine gives (`serverlab doctor`)")
    return seen, usage["load"].cpu_s / seen.window_s


def _at_event(samples: sampler.Sampler, _event: Mapping[str, Any]) -> None:
    samples.sample()
