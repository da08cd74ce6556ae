"""Verbs that only read files: list and check."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from serverlab.catalog import Catalog, breaks_things, load_experiments, read_experiment, read_fault_experiment
from serverlab.catalog.breaking import fault_files
from serverlab.catalog.checks import CAPABILITIES
from serverlab.catalog.claims import claim_files
from serverlab.cli.claims import all_claim_mistakes
from serverlab.cli.context import Context, show, show_json
from serverlab.errors import UsageError
from serverlab.faults import FAULTS
from serverlab.formatting import plural
from serverlab.model.definitions import Target


class Kind(Enum):
    """What can be listed."""

    ALL = "all"
    TARGETS = "targets"
    WORKLOADS = "workloads"
    EXPERIMENTS = "experiments"
    CAPABILITIES = "capabilities"
    FAULTS = "faults"


class Definitions:
    """The verbs, bound to a context."""

    def __init__(self, app: App, context: Context) -> None:
        """Work with this checkout and engine; commands that files hold are held against the verbs of the app."""
        self._app = app
        self._context = context

    def list_(self, kind: Kind = Kind.ALL, *, json: Annotated[bool, Parameter(negative="")] = False) -> None:
        """List targets, workloads, experiments, capabilities and faults.

        Parameters
        ----------
        kind
            Only this kind.
        json
            For a machine to read.
        """
        listed = _listed(self._context)
        chosen = listed if kind is Kind.ALL else {kind.value: listed[kind.value]}
        if json:
            show_json(chosen)
        else:
            show("\n\n".join(_section(name, rows) for name, rows in chosen.items()))

    def check(self) -> None:
        """Read all files and report all mistakes at once."""
        mistakes = list(self._context.catalog.mistakes)
        names = sorted((self._context.root / "experiments").glob("*.toml"))
        for path in names:
            mistakes += _experiment_mistakes(path, self._context)
        mistakes += all_claim_mistakes(self._app, self._context)
        if mistakes:
            told = dict.fromkeys(mistakes)
            raise UsageError("\n".join(told), f"{plural(len(told), 'mistake')}.")
        catalog = self._context.catalog
        counted = {
            "server": len(catalog.servers),
            "edge": len(catalog.edges),
            "workload": len(catalog.workloads),
            "experiment": len(names),
            "claim": len(claim_files(self._context.root)),
        }
        show(", ".join(plural(count, noun) for noun, count in counted.items()) + ": no mistake found")


def register(app: App, context: Context) -> None:
    """Add the verbs to the app."""
    verbs = Definitions(app, context)
    app.command(verbs.list_, name="list")
    app.command(verbs.check)


def _experiment_mistakes(path: Path, context: Context) -> list[str]:
    try:
        if breaks_things(path):
            read_fault_experiment(path, context.catalog, FAULTS)
        else:
            read_experiment(path, context.catalog)
    except UsageError as wrong:
        return [line.replace(f"{context.root}/", "") for line in wrong.what.splitlines()]
    return []


def _listed(context: Context) -> dict[str, dict[str, str]]:
    catalog = context.sound_catalog
    return {
        "targets": {str(target): _about(catalog, target) for target in catalog.targets()},
        "workloads": {name: catalog.workload(name).title for name in catalog.workload_names()},
        "experiments": {name: each.question for name, each in load_experiments(catalog).items()}
        | {
            path.stem: read_fault_experiment(path, catalog, FAULTS).question
            for path in fault_files(catalog.root)
        },
        "capabilities": {name: _who_can(catalog, name, meaning) for name, meaning in CAPABILITIES.items()},
        "faults": {name: f"{each.title}: {each.what}" for name, each in FAULTS.items()},
    }


def _about(catalog: Catalog, target: Target) -> str:
    variant = catalog.variant(target)
    edge = f", behind {catalog.edges[target.edge].title}" if target.edge else ""
    return f"{catalog.servers[target.server].title}, {variant.title}{edge} ({variant.track.value} track)"


def _who_can(catalog: Catalog, name: str, meaning: str) -> str:
    return f"{meaning}: {', '.join(catalog.declared_by(name)) or 'none'}"


def _section(name: str, rows: dict[str, str]) -> str:
    width = max(map(len, rows), default=0)
    return "\n".join([f"{name}:", *(f"  {key.ljust(width)}  {value}" for key, value in rows.items())])
