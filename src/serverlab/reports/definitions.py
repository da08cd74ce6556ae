"""What the docs say of servers, edges, workloads, experiments and doubts, rendered from their definitions.

``<!-- definition: server gunicorn --> ... <!-- /definition -->`` holds what ``deploy/gunicorn/server.toml`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from serverlab.analysis.doubts import RULES
from serverlab.capacity import most_trials
from serverlab.catalog import Catalog, load_experiments, make_plan
from serverlab.catalog.checks import CAPABILITIES
from serverlab.errors import UsageError
from serverlab.formatting import ABSENT, did_you_mean, exact, percent, plural
from serverlab.model.definitions import (
    Edge,
    Experiment,
    Protocol,
    Server,
    Setting,
    Signals,
    Spacing,
    Variant,
    Workers,
    Workload,
)
from serverlab.model.records import Plan
from serverlab.reports.markdown import grid, plain

D = TypeVar("D")


def render_definition(catalog: Catalog, arguments: str) -> str:
    """The Markdown for a marker with these arguments: a subject, and the name of one where there are several.

    Raises:
        UsageError: there is no such subject or name, or a definition is wrong.
    """
    if catalog.mistakes:
        raise UsageError("; ".join(catalog.mistakes), "`serverlab check` reads all files again.")
    subject, *names = arguments.split() or [""]
    if subject in LISTS and not names:
        return _block(LISTS[subject](catalog))
    if subject in SINGLES and len(names) == 1:
        return _block(SINGLES[subject](catalog, names[0]))
    raise UsageError(
        f"definition marker: {' '.join([subject, *names])!r} is not known",
        f"Known: {', '.join(f'{each} NAME' for each in SINGLES)}, {', '.join(LISTS)}",
    )


def _block(lines: Iterator[str]) -> str:
    return "\n" + "\n".join(lines) + "\n"


def _server(catalog: Catalog, name: str) -> Iterator[str]:
    server = _named(catalog.servers, name, what="server")
    yield f"- Documentation: <{server.docs}>"
    yield f"- Interface: {_interfaces(server)}; the version that is stated is that of {server.distribution}"
    yield from _common(server)
    yield ""
    yield from _variants(name, server)
    yield ""
    yield from grid(
        ("setting", "variants", "why"),
        ((plain(each.setting), ", ".join(each.variants) or "all", _why(each)) for each in server.settings),
    )


def _targets(catalog: Catalog, name: str) -> Iterator[str]:
    """What ``_server`` says of signals and variants alone."""
    server = _named(catalog.servers, name, what="server")
    yield from _common(server)
    yield ""
    yield from _variants(name, server)


def _edge(catalog: Catalog, name: str) -> Iterator[str]:
    edge = _named(catalog.edges, name, what="edge")
    yield f"- Documentation: <{edge.docs}>"
    yield f"- Passes on: {', '.join(each.value for each in edge.protocols)}"
    yield from _common(edge)
    yield ""
    yield from grid(("setting", "why"), ((plain(each.setting), _why(each)) for each in edge.settings))


def _common(definition: Server | Edge) -> Iterator[str]:
    yield f"- Capabilities: {_capabilities_of(definition)}"
    yield f"- Signals: {_signals(definition.signals)}"


def _interfaces(server: Server) -> str:
    """The server's, and those of variants that have another one."""
    others = (
        f"{each.interface.value.upper()} with `{name}`"
        for name, each in server.variants.items()
        if each.interface
    )
    return ", ".join([server.interface.value.upper(), *others])


def _capabilities_of(definition: Server | Edge) -> str:
    """Those of the server or edge, and what a variant of a server can do beside them."""
    variants = definition.variants if isinstance(definition, Server) else {}
    more = (f"{each} with `{name}`" for name, variant in variants.items() for each in variant.capabilities)
    return ", ".join([*definition.capabilities, *more])


def _signals(signals: Signals) -> str:
    named = {"stop": signals.stop, "reload": signals.reload, "quick stop": signals.quick}
    return ", ".join(f"{meaning} {signal}" for meaning, signal in named.items() if signal)


def _variants(name: str, server: Server) -> Iterator[str]:
    return grid(
        ("target", "track", "what it is", "workers", "threads", "speaks", "runs"),
        (_variant(name, key, server) for key in server.variants),
    )


def _variant(server_name: str, name: str, server: Server) -> Sequence[str]:
    variant = server.variants[name]
    is_default = " (default)" if name == server.default_variant else ""
    return (
        f"`{server_name}:{name}`{is_default}",
        variant.track.value,
        plain(variant.title),
        _workers(variant.workers),
        str(variant.threads or "unbounded"),
        _speaks(variant),
        f"`{' '.join(variant.command)}`",
    )


def _workers(workers: Workers) -> str:
    per_cpu = f"{workers.per_cpu} x cores" if workers.per_cpu > 1 else "cores"
    parts = [per_cpu] if workers.per_cpu else []
    parts += [str(workers.extra)] if workers.extra else []
    return " + ".join(parts)


def _speaks(variant: Variant) -> str:
    words = [variant.protocol.value]
    words += [f"{plural(variant.replicas_per_cpu, 'container')} per core"] if variant.replicas_per_cpu else []
    words += [] if variant.keeps_connections else ["closes kept connections silently"]
    needs_edge = variant.replicas_per_cpu or variant.protocol is not Protocol.HTTP
    return ", ".join([*words, *(["only behind an edge"] if needs_edge else [])])


def _why(setting: Setting) -> str:
    return f"{plain(setting.why)} ([source]({setting.link}))"


def _workload(catalog: Catalog, name: str) -> Iterator[str]:
    workload = _named(catalog.workloads, name, what="workload")
    yield plain(workload.description)
    yield ""
    yield f"- Load: {_arrival(workload)}"
    yield (
        f"- Times: {exact(workload.warmup_s)} s warm-up, {exact(workload.duration_s)} s window, "
        f"{exact(workload.timeout_s)} s time-out"
    )
    yield f"- Needs: {', '.join(workload.needs) or 'nothing that a target could lack'}"
    bounds = workload.thresholds
    yield f"- Doubted above: {percent(bounds.error_share)} errors, p99 {exact(bounds.p99_ms)} ms"
    if workload.variants:
        yield ""
        rows = (_workload_variant(name, each, workload) for each in workload.variants)
        yield from grid(("name", "what it is", "app"), rows)


def _workload_variant(name: str, key: str, workload: Workload) -> Sequence[str]:
    variant = workload.of_variant(key)
    settings = [f"{variable}={value}" for variable, value in variant.app.items()]
    settings += [f"cache in {variant.cache}"] if variant.cache else []
    settings += [f"LAB_WORKERS={variant.workers}"] if variant.workers else []
    return f"`{name}:{key}`", plain(variant.description), plain(", ".join(settings)) or "as it is"


def _arrival(workload: Workload) -> str:
    if not workload.is_open:
        return f"closed, {plural(workload.users, 'user')}, {_think(workload)}{_in_steps(workload)}"
    spacing = (workload.spacing or Spacing.CONSTANT).value
    rate = f"{exact(workload.rate)} requests/s" if workload.rate else "requests at a rate that changes"
    return f"open, {rate}, {spacing} spacing, at most {workload.users} in flight{_in_steps(workload)}"


def _in_steps(workload: Workload) -> str:
    """How rate or users change within the window; "" where they do not."""
    steps = (
        f"{exact(step.level)}{f' to {exact(step.ramp_to)}' if step.ramp_to else ''} for {exact(step.duration_s)} s"
        for step in workload.steps
    )
    return f"; {', then '.join(steps)}" if workload.steps else ""


def _think(workload: Workload) -> str:
    return f"{exact(workload.think_time_ms)} ms think time" if workload.think_time_ms else "no think time"


def _experiments(catalog: Catalog) -> Iterator[str]:
    rows = []
    for name, each in load_experiments(catalog).items():
        rounds, trials = _amount(make_plan(catalog, each, name=name, experiment_hash=""))
        cores = " and ".join(map(str, each.cpus))
        rows.append(
            (
                f"`{name}`",
                plain(each.question),
                str(len(each.targets)),
                ", ".join(_measured(each)),
                cores,
                rounds,
                trials,
            )
        )
    yield from grid(("experiment", "question", "targets", "workloads", "cores", "rounds", "trials"), rows)


def _amount(plan: Plan) -> tuple[str, str]:
    """Rounds and trials; a search has no rounds, and as many trials as it needs."""
    search, rounds = plan.experiment.capacity, plan.experiment.rounds
    if search is None:
        return str(rounds), str(len(plan.trials))
    return ABSENT, f"at most {len(plan.trials) // rounds * most_trials(search)}"


def _measured(experiment: Experiment) -> Sequence[str]:
    """The workloads; of variants that are compared only whose they are, with their number."""
    if not experiment.comparisons:
        return experiment.workloads
    names = [name.partition(":")[0] for name in experiment.measured_workloads()]
    return [f"{name} ({plural(names.count(name), 'variant')})" for name in dict.fromkeys(names)]


def _capabilities(catalog: Catalog) -> Iterator[str]:
    rows = (
        (name, meaning, ", ".join(catalog.declared_by(name)) or "none")
        for name, meaning in CAPABILITIES.items()
    )
    yield from grid(("capability", "means", "declared by"), rows)


def _doubts(_catalog: Catalog) -> Iterator[str]:
    rows = ((f"`{rule.kind.value}`", plain(rule.message), plain(rule.action)) for rule in RULES)
    yield from grid(("doubt", "says", "what to do"), rows)


def _named(known: Mapping[str, D], name: str, *, what: str) -> D:
    if name not in known:
        raise UsageError(f"unknown {what} {name!r}{did_you_mean(name, known)}", f"Known: {', '.join(known)}")
    return known[name]


SINGLES: dict[str, Callable[[Catalog, str], Iterator[str]]] = {
    "server": _server,
    "targets": _targets,
    "edge": _edge,
    "workload": _workload,
}
"""Subjects of which there are several, each named."""

LISTS: dict[str, Callable[[Catalog], Iterator[str]]] = {
    "experiments": _experiments,
    "capabilities": _capabilities,
    "doubts": _doubts,
}
"""Subjects that are shown as a whole."""
