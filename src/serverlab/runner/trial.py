"""One trial: start, prove, warm up, measure, read resources, prove again."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serverlab import compose, held, load, probe, sampler, seeding, vitals
from serverlab.calibration import core_speed
from serverlab.catalog import Catalog
from serverlab.catalog.stacks import stack_of
from serverlab.compose import SERVICE_LABEL, Cache, Container, Database, Engine, StackSettings
from serverlab.errors import TrialFailed
from serverlab.images import LOG_FOLDER
from serverlab.load import Generated
from serverlab.model.definitions import Target, Workload
from serverlab.model.records import Environment, LoadResult, PlannedTrial, Proof, State, Trial
from serverlab.model.usage import NetworkCounts, Usage
from serverlab.runner import deaths, gates
from serverlab.runner.ending import leaving_nothing, telling_who_died
from serverlab.shell import Shell
from serverlab.vitals import Vitals


@dataclass(frozen=True)
class Bench:
    """What a trial is made with; a stack of which an image is ``unbuilt`` is not tried, and its trial tells why."""

    root: Path
    shell: Shell
    engine: Engine
    catalog: Catalog
    steal_s: Callable[[], float]
    lead_s: Callable[[], float] = vitals.clock_lead_s
    unbuilt: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Evidence:
    """What a trial has gathered so far; it is kept when the trial breaks off."""

    ready_s: float | None = None
    before: Proof | None = None
    after: Proof | None = None
    load: LoadResult | None = None
    usage: dict[str, Usage] = field(default_factory=dict)
    load_average: float | None = None
    steal_share: float | None = None
    speed_before: float | None = None
    speed_after: float | None = None
    packages_before: dict[str, str] = field(default_factory=dict)
    packages_after: dict[str, str] = field(default_factory=dict)
    network: dict[str, NetworkCounts] = field(default_factory=dict)
    clock_jump_s: float | None = None
    other_cpu_s: float | None = None
    log_lines: dict[str, int] = field(default_factory=dict)
    started: dict[str, str] = field(default_factory=dict)
    generated: Generated | None = None
    samples: Sequence[sampler.Sample] = ()
    log_tail: tuple[str, ...] = ()
    void: list[str] = field(default_factory=list)

    def raw(self) -> dict[str, str]:
        """The raw files by kind; none where the generator gave no result."""
        if self.generated is None:
            return {}
        return {**self.generated.raw, "samples.jsonl": sampler.as_lines(self.samples)}


@dataclass(frozen=True)
class Made:
    """A trial with what is kept beside its line: raw files by kind, and lists of packages by digest."""

    trial: Trial
    raw: dict[str, str]
    packages: dict[str, dict[str, str]]


def settings_of(
    catalog: Catalog,
    planned: PlannedTrial,
    workload: Workload,
    *,
    environment: Environment,
    label: str,
) -> StackSettings:
    """The stack that the trial is made on."""
    settings = stack_of(
        catalog,
        Target.parse(planned.target),
        cpus=planned.cpus,
        split=environment.core_splits[str(planned.cpus)],
        label=label,
        database=Database(environment.database),
        cache=Cache(environment.cache or Cache.DATABASE),
    )
    return set_for(workload, settings)


def set_for(workload: Workload, settings: StackSettings) -> StackSettings:
    """The settings with what the workload asks of the app, its cache and the server's workers."""
    cache = Cache(workload.cache) if workload.cache else settings.cache
    app = {**settings.app, **workload.app}
    return replace(settings, cache=cache, app=app, workers=workload.workers or settings.workers)


def expectation(catalog: Catalog, settings: StackSettings) -> probe.Expectation:
    """What the stack has to prove."""
    target = settings.target
    return probe.Expectation(
        settings=settings,
        server=catalog.servers[target.server],
        variant=catalog.variant(target),
        identity=catalog.identity(target),
        edge=catalog.edges[target.edge] if target.edge else None,
    )


def run_trial(
    bench: Bench,
    planned: PlannedTrial,
    workload: Workload,
    settings: StackSettings,
    *,
    image_bytes: int | None,
    packages: Mapping[str, str] | None = None,
) -> Made:
    """Make one trial on fresh containers and return it with what is kept beside it; no container is left behind.

    ``packages`` are those of the run's earlier trials of this server, None where there are none.
    What goes wrong with the target or its load makes the trial VOID with the reason; it is no exception. What goes
    wrong with the machine is one: it would spoil all other trials, too.
    """
    evidence, began, started_at = (
        Evidence(),
        time.monotonic(),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with ThreadPoolExecutor(1) as beside, leaving_nothing(bench.engine):
        try:
            with telling_who_died(bench.engine):
                _gather(bench, planned, workload, settings, evidence)
        except TrialFailed as broke:
            evidence.void.append(broke.reason)
            _check_alive(bench.engine, evidence)  # it may be why
        evidence.void += _gated(evidence, planned, workload, packages)
        evidence.log_tail = evidence.log_tail or (_logged(bench.engine) if evidence.void else ())
        raw = beside.submit(evidence.raw)  # the lab would only wait for the engine meanwhile
    trial = Trial(
        planned=planned,
        state=State.VOID if evidence.void else State.MEASURED,
        void_reasons=tuple(evidence.void),
        started_at=started_at,
        wall_s=time.monotonic() - began,
        replicas=settings.replicas,
        ready_s=evidence.ready_s,
        image_bytes=image_bytes,
        proof_before=evidence.before,
        proof_after=evidence.after,
        load=evidence.load,
        usage=evidence.usage,
        load_average=evidence.load_average,
        steal_share=evidence.steal_share,
        speed_before=evidence.speed_before,
        speed_after=evidence.speed_after,
        log_tail=evidence.log_tail,
        network=evidence.network,
        clock_jump_s=evidence.clock_jump_s,
        other_cpu_s=evidence.other_cpu_s,
        log_lines=evidence.log_lines,
    )
    stated = (evidence.packages_before, evidence.packages_after)
    lists = {probe.digest_of(packages): packages for packages in stated if packages}
    return Made(trial=trial, raw=raw.result(), packages=lists)


def _gated(
    evidence: Evidence, planned: PlannedTrial, workload: Workload, packages: Mapping[str, str] | None
) -> Iterator[str]:
    """Why the numbers may not be used, as far as the gates see it."""
    yield from gates.of_proofs(evidence.before, evidence.after)
    yield from gates.of_packages(evidence.packages_before, evidence.packages_after, earlier=packages)
    yield from gates.of_load(evidence.load, evidence.usage, cpus=planned.cpus)
    yield from gates.of_counts(evidence.load, arrival=workload.arrival)
    yield from gates.of_arrivals(evidence.load, workload)
    yield from gates.of_clock(evidence.clock_jump_s)


def _gather(
    bench: Bench, planned: PlannedTrial, workload: Workload, settings: StackSettings, evidence: Evidence
) -> None:
    expected = expectation(bench.catalog, settings)
    _check_built(bench, settings.target, evidence)
    variables = load.headless_variables(
        planned.workload, workload, url=settings.inner_url, seed=planned.round
    )
    compose.up(bench.shell, bench.engine, bench.root, settings, held=variables)
    evidence.ready_s = probe.wait_ready(bench.engine, settings)
    seeding.store_passwords(bench.engine, settings)
    leads_s = [bench.lead_s()]  # the generator reads the wall clock once, when it loads its code
    held.wake(bench.engine)
    evidence.before, evidence.packages_before = probe.examine(bench.engine, expected)
    if not evidence.before.ok:
        return
    seeding.check_rows(bench.engine, settings)
    app = bench.engine.service("app")
    held.await_loaded(bench.engine)
    evidence.speed_before = core_speed(app)
    with sampler.Sampler(
        lead_s=bench.lead_s, on_end=lambda gone: deaths.stop_load(bench.engine, gone)
    ) as samples:
        samples.watch(each for each in bench.engine.containers() if _role(each) in gates.STACK_ROLES)
        _measure(bench, workload, evidence=evidence, samples=samples)
    evidence.clock_jump_s = vitals.clock_jump_s([*leads_s, *samples.leads_s])
    evidence.speed_after = core_speed(app)
    evidence.after, evidence.packages_after = probe.examine(bench.engine, expected)
    _check_alive(bench.engine, evidence)


def _check_built(bench: Bench, target: Target, evidence: Evidence) -> None:
    for image in (target.server, target.edge):
        if image and image in bench.unbuilt:
            what, *lines = bench.unbuilt[image].splitlines()
            evidence.log_tail = tuple(line.removeprefix("  | ") for line in lines)
            log = f"{LOG_FOLDER}/build-{image}.log"
            raise TrialFailed(what, f"Mend what {log} tells, then start a new run.")


def _measure(  # the one step in which load runs
    bench: Bench, workload: Workload, *, evidence: Evidence, samples: sampler.Sampler
) -> None:
    steal: list[float] = []
    edges: list[Vitals] = []

    def on_event(event: Mapping[str, Any]) -> None:
        if event.get("event") in ("measuring", "measured"):
            edges.append(vitals.read(samples.watched))
            samples.weigh(edges[0].pids)
            samples.sample(weighing=True)
            steal.append(bench.steal_s())

    samples.watch(bench.engine.containers("load"))
    evidence.started = {each.id: _started(each) for each in samples.watched}
    held.let_go(bench.engine)
    with deaths.told(samples):
        generated = load.await_result(bench.engine, workload, on_event)
    samples.sample()
    evidence.load, evidence.generated, evidence.samples = generated.result, generated, samples.samples
    window = generated.result
    evidence.usage = sampler.usage_within(samples.samples, start=window.window_start, end=window.window_end)
    evidence.load_average = os.getloadavg()[0]
    if len(edges) == 2:
        evidence.steal_share = (steal[1] - steal[0]) / window.window_s
        _compare_edges(evidence, edges[0], edges[1], samples.samples)
    evidence.log_lines = _log_lines(samples.watched, window)


def _compare_edges(
    evidence: Evidence, before: Vitals, after: Vitals, samples: Sequence[sampler.Sample]
) -> None:
    window = evidence.load
    if window is None:
        return
    heaviest = sampler.largest_pss(samples, start=window.window_start, end=window.window_end)
    evidence.network = vitals.network_within(before, after)
    evidence.other_cpu_s = vitals.other_cpu_s(before, after, evidence.usage)
    evidence.usage = vitals.with_processes(evidence.usage, before, after, heaviest)


def _log_lines(containers: Iterable[Container], window: LoadResult) -> dict[str, int]:
    """How many lines each role of the stack logged within the window."""
    lines: Counter[str] = Counter()
    for container in containers:
        role = _role(container)
        if role in gates.STACK_ROLES:
            logged = container.logs(since=window.window_start, until=window.window_end)
            lines[role] += logged.count(b"\n")
    return dict(lines)


def _check_alive(engine: Engine, evidence: Evidence) -> None:
    for container in engine.containers():
        state = container.attrs["State"]
        if state.get("OOMKilled"):
            evidence.void.append(
                f"container {container.name} ran out of memory; raise LAB_MEMORY, or give it fewer workers"
            )
        if evidence.started.get(container.id, _started(container)) != _started(container):
            evidence.void.append(
                f"container {container.name} was restarted while it was measured; see by whom (`docker events`)"
            )


def _role(container: Container) -> str:
    return str(container.labels.get(SERVICE_LABEL, "?"))


def _started(container: Container) -> str:
    """When the container's first process was started, and how often the engine has started it again."""
    return f"{container.attrs['State']['StartedAt']} {container.attrs.get('RestartCount', 0)}"


def _logged(engine: Engine) -> tuple[str, ...]:
    return tuple(
        f"{container.name}: {line}"
        for container in engine.containers()
        for line in compose.log_lines(container, lines=12)
    )
