"""Mistakes that only show when a definition is read as a whole."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from serverlab import capacity
from serverlab.errors import UsageError
from serverlab.formatting import did_you_mean
from serverlab.model.definitions import (
    Edge,
    Experiment,
    Identity,
    Interface,
    ReferenceScope,
    Server,
    Signals,
    Target,
    Variant,
    Workload,
)
from serverlab.model.switches import OF_WORKLOADS, SWITCHES

CAPABILITIES = {
    "workers": "several processes",
    "threads": "several threads in a process",
    "reload": "new code without dropping requests",
    "graceful_stop": "ends requests in flight when it is told to stop",
    "worker_timeout": "ends a worker that hangs",
    "idle_timeout": "ends idle kept connections after the time that it is told (LAB_KEEPALIVE)",
    "static": "serves static files itself",
    "websocket": "speaks WebSocket",
    "tls": "ends TLS",
    "http2": "speaks HTTP/2",
}
"""Every capability by name, with what it means."""

SIGNAL = re.compile(r"SIG[A-Z0-9]+")
VARIANT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Names(Protocol):
    """What an experiment's check asks of the catalog."""

    def workload(self, name: str) -> Workload:
        """The workload called ``name``; UsageError when there is none."""
        ...

    def target(self, name: str) -> Target:
        """The target called ``name``; UsageError when there is none."""
        ...


def server_mistakes(server: Server) -> Iterator[str]:
    """What is wrong between the keys of a ``server.toml``."""
    yield from _common_mistakes(server.identity, server.signals, server.capabilities)
    if server.default_variant not in server.variants:
        near = did_you_mean(server.default_variant, server.variants)
        yield f"default_variant: {server.default_variant!r} is not a variant{near}"
    yield from _variant_mistakes(server)
    for index, setting in enumerate(server.settings):
        for name in setting.variants:
            if name not in server.variants:
                yield f"settings[{index}].variants: unknown variant {name!r}{did_you_mean(name, server.variants)}"
    yield from _difference_mistakes(server)


def _variant_mistakes(server: Server) -> Iterator[str]:
    for name, variant in server.variants.items():
        if variant.identity:
            yield from _regex_mistakes(variant.identity, where=f"variants.{name}.identity")
        yield from _capability_mistakes(variant.capabilities, where=f"variants.{name}.capabilities")
        yield from _said_twice(server, variant, where=f"variants.{name}")
        if not variant.workers.for_cpus(1):
            yield f"variants.{name}.workers: no worker at all for one core"
        if not variant.keeps_connections and variant.protocol.value != "http":
            yield f"variants.{name}.keeps_connections: means nothing where {variant.protocol.value} is spoken"
        if not variant.runs_coroutines and server.interface_of(variant) is Interface.ASGI:
            yield f"variants.{name}.runs_coroutines: an ASGI server runs nothing else; leave it out"


def _said_twice(server: Server, variant: Variant, *, where: str) -> Iterator[str]:
    """What a variant says that its server says already: one of the two would be changed without the other."""
    if variant.interface is server.interface:
        yield f"{where}.interface: {server.interface.value} is what the server says already; leave it out"
    for capability in variant.capabilities:
        if capability in server.capabilities:
            yield f"{where}.capabilities: {capability} is among the server's already; leave it out"


def _difference_mistakes(server: Server) -> Iterator[str]:
    for index, difference in enumerate(server.differences):
        where = f"differences[{index}]"
        for name in difference.variants:
            if name not in server.variants:
                yield f"{where}.variants: unknown variant {name!r}{did_you_mean(name, server.variants)}"
        if not difference.direct and not difference.behind_edge:
            yield f"{where}: neither direct nor behind_edge: it never applies"
        try:
            re.compile(difference.seen)
        except re.error as broken:
            yield f"{where}.seen: not a regular expression: {broken}"


def edge_mistakes(edge: Edge) -> Iterator[str]:
    """What is wrong between the keys of an ``edge.toml``."""
    yield from _common_mistakes(edge.identity, edge.signals, edge.capabilities)


def workload_mistakes(workload: Workload) -> Iterator[str]:
    """What is wrong between the keys of a ``workload.toml``."""
    yield from _capability_mistakes(workload.needs, where="needs")
    yield from _app_mistakes(workload.app, where="app")
    yield from arrival_mistakes(workload)
    for name, variant in workload.variants.items():
        if not VARIANT.fullmatch(name):
            yield f"variants.{name}: a name has small letters and digits, and single hyphens within"
        yield from _app_mistakes(variant.app, where=f"variants.{name}.app")


def arrival_mistakes(workload: Workload) -> Iterator[str]:
    """What is wrong in how the workload says that requests arrive."""
    yield from _open_mistakes(workload) if workload.is_open else _closed_mistakes(workload)
    for index, step in enumerate(workload.steps):
        if step.duration_s % 1:
            yield f"steps[{index}].duration_s: {step.duration_s:g} is no whole number of seconds"
    lasts_s = sum(step.duration_s for step in workload.steps)
    if workload.steps and lasts_s != workload.duration_s:
        yield f"steps: they last {lasts_s:g} s together, the window {workload.duration_s:g} s"


def _open_mistakes(workload: Workload) -> Iterator[str]:
    if workload.rate is None and not workload.steps:
        yield "rate: missing; where arrival is open it says how many requests are due per second"
    if workload.rate is not None and workload.steps:
        yield "rate: steps have their own; leave one of the two out"
    if workload.think_time_ms:
        yield "think_time_ms: nobody thinks where requests are due at a rate; leave it out"
    if "websocket" in workload.needs:
        yield "arrival: only requests can be due at a rate, and these users hold sockets; closed is what they can"
    for index, step in enumerate(workload.steps):
        if step.rate is None:
            yield f"steps[{index}].rate: missing; where arrival is open each step has one"
        if step.users is not None:
            yield f"steps[{index}].users: where arrival is open the rate changes; users at the top is their bound"


def _closed_mistakes(workload: Workload) -> Iterator[str]:
    for key in ("rate", "spacing"):
        if getattr(workload, key) is not None:
            yield f"{key}: only where arrival is open; closed users ask as fast as they are answered"
    for index, step in enumerate(workload.steps):
        for key in ("rate", "ramp_to"):
            if getattr(step, key) is not None:
                yield f"steps[{index}].{key}: only where arrival is open; here each step has users"
        if step.users is None:
            yield f"steps[{index}].users: missing; where arrival is closed each step has them"
        elif step.users > workload.users:
            yield f"steps[{index}].users: {step.users} is more than the workload's {workload.users}"


def _app_mistakes(app: Mapping[str, str], *, where: str) -> Iterator[str]:
    for name, value in app.items():
        if name not in OF_WORKLOADS:
            near, known = did_you_mean(name, OF_WORKLOADS), ", ".join(OF_WORKLOADS)
            yield f"{where}.{name}: no workload may set this{near} (known: {known})"
        elif value not in SWITCHES[name].states:
            yield f"{where}.{name}: {value!r} is none of {', '.join(SWITCHES[name].states)}"


def experiment_mistakes(experiment: Experiment, catalog: Names) -> Iterator[str]:
    """What is wrong in an experiment, given the names that exist."""
    targets = []
    for index, name in enumerate(experiment.targets):
        try:
            targets.append(catalog.target(name))
        except UsageError as unknown:
            yield f"targets[{index}]: {unknown.what}"
    yield from _workload_mistakes(experiment, catalog)
    yield from _repetitions("targets", targets, what="target")
    yield from _repetitions("cpus", experiment.cpus, what="budget")
    if not experiment.targets or not experiment.measured_workloads() or not experiment.cpus:
        yield "targets, workloads and cpus each need at least one entry"
    yield from _capacity_mistakes(experiment, catalog)
    yield from _reference_mistakes(experiment, targets, catalog)
    yield from _prediction_mistakes(experiment, targets, catalog)


def _workload_mistakes(experiment: Experiment, catalog: Names) -> Iterator[str]:
    """Names that do not exist or stand there twice, and workloads that cannot be compared with each other."""
    names = {f"workloads[{index}]": name for index, name in enumerate(experiment.workloads)}
    for reference, others in experiment.comparisons.items():
        names[f"comparisons.{reference!r}"] = reference
        names |= {f"comparisons.{reference!r}[{index}]": name for index, name in enumerate(others)}
    for key, name in names.items():
        try:
            workload = catalog.workload(name)
        except UsageError as unknown:
            yield f"{key}: {unknown.what}"
        else:
            changed = experiment.load.applied_to(workload)
            if changed != workload:
                yield from (f"load, with {name}: {mistake}" for mistake in arrival_mistakes(changed))
    key = "comparisons" if experiment.comparisons else "workloads"
    yield from _repetitions(key, experiment.measured_workloads(), what="workload")
    if experiment.comparisons and experiment.workloads:
        yield "workloads: comparisons name the workloads; leave one of the two out"
    bases = {name.partition(":")[0] for name in experiment.measured_workloads()}
    if experiment.comparisons and len(bases) > 1:
        yield f"comparisons: only variants of one workload can be compared, not of {' and '.join(sorted(bases))}"


def _repetitions(key: str, values: Sequence[object], *, what: str) -> Iterator[str]:
    if len(set(values)) < len(values):
        yield f"{key}: the same {what} is named twice"


def _capacity_mistakes(experiment: Experiment, catalog: Names) -> Iterator[str]:
    """What is wrong where the highest rate of each target is searched for."""
    if experiment.capacity is None:
        return
    yield from (f"capacity.{mistake}" for mistake in capacity.mistakes(experiment.capacity))
    for key in ("reference", "comparisons", "predictions"):
        if getattr(experiment, key):
            yield f"{key}: where capacity is searched for nothing is compared; leave it out"
    for index, name in enumerate(experiment.workloads):
        with contextlib.suppress(UsageError):
            if "websocket" in catalog.workload(name).needs:
                yield f"workloads[{index}]: {name} holds sockets; only requests can be due at a rate"


def _reference_mistakes(experiment: Experiment, targets: list[Target], catalog: Names) -> Iterator[str]:
    if experiment.comparisons and experiment.reference is not None:
        yield "reference: comparisons name their references; leave one of the two out"
    if experiment.comparisons or experiment.capacity:
        return
    if experiment.reference is None:
        yield "reference: missing"
        return
    try:
        reference = catalog.target(experiment.reference)
    except UsageError as unknown:
        yield f"reference: {unknown.what}"
        return
    per_edge = experiment.reference_scope is ReferenceScope.EDGE
    for edge in {target.edge for target in targets} if per_edge else {reference.edge}:
        needed = Target(server=reference.server, variant=reference.variant, edge=edge)
        if needed not in targets:
            yield f"reference: {needed} is not among the targets"


def _prediction_mistakes(experiment: Experiment, targets: list[Target], catalog: Names) -> Iterator[str]:
    """Predictions that no row could ever be scored by."""
    key = "workload" if experiment.comparisons else "target"
    for index, prediction in enumerate(experiment.predictions):
        where, (low, high) = f"predictions[{index}]", prediction.ratio
        if not 0 < low < high:
            yield f"{where}.ratio: {low:g} and {high:g} are not two ratios, the lower one first"
        if not prediction.source.strip():
            yield f"{where}.source: say where the prediction is from"
        if getattr(prediction, key) is None:
            yield f"{where}.{key}: missing"
        if prediction.workload is not None and prediction.workload not in experiment.measured_workloads():
            near = did_you_mean(prediction.workload, experiment.measured_workloads())
            yield f"{where}.workload: {prediction.workload!r} is not measured{near}"
        if prediction.cpus is not None and prediction.cpus not in experiment.cpus:
            yield f"{where}.cpus: {prediction.cpus} is not among the budgets"
        yield from _unmeasured_target(prediction.target, targets, catalog, where=f"{where}.target")


def _unmeasured_target(
    name: str | None, targets: list[Target], catalog: Names, *, where: str
) -> Iterator[str]:
    try:
        if name is not None and catalog.target(name) not in targets:
            yield f"{where}: {name!r} is not among the targets"
    except UsageError as unknown:
        yield f"{where}: {unknown.what}"


def _common_mistakes(identity: Identity, signals: Signals, capabilities: tuple[str, ...]) -> Iterator[str]:
    yield from _regex_mistakes(identity, where="identity")
    yield from _capability_mistakes(capabilities, where="capabilities")
    for key in ("stop", "reload", "quick"):
        value = getattr(signals, key)
        if value is not None and not SIGNAL.fullmatch(value):
            yield f"signals.{key}: {value!r} is not a signal's name such as SIGTERM"


def _capability_mistakes(names: tuple[str, ...], *, where: str) -> Iterator[str]:
    for name in names:
        if name not in CAPABILITIES:
            yield f"{where}: unknown capability {name!r}{did_you_mean(name, CAPABILITIES)}"


def _regex_mistakes(identity: Identity, *, where: str) -> Iterator[str]:
    for key in ("server_header", "process"):
        try:
            re.compile(getattr(identity, key))
        except re.error as broken:
            yield f"{where}.{key}: not a regular expression: {broken}"
