"""All definitions of one checkout, and the questions that the lab asks about their names."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from serverlab.catalog.checks import edge_mistakes, experiment_mistakes, server_mistakes, workload_mistakes
from serverlab.catalog.reading import read_toml
from serverlab.errors import UsageError
from serverlab.formatting import did_you_mean
from serverlab.model.base import Record
from serverlab.model.definitions import (
    TARGET_PATTERN,
    Edge,
    Experiment,
    Identity,
    Server,
    Target,
    Variant,
    Workload,
)

R = TypeVar("R", bound=Record)

HANDED_ON = frozenset({"websocket"})
"""What an edge does not do by itself: it passes on what the server behind it does."""


@dataclass(frozen=True)
class Catalog:
    """What this checkout holds, by name; ``mistakes`` has a sentence for each definition that could not be read."""

    root: Path
    servers: dict[str, Server]
    edges: dict[str, Edge]
    workloads: dict[str, Workload]
    mistakes: tuple[str, ...] = ()

    def target(self, name: str) -> Target:
        """The target called ``name``, with the server's default variant where none is named.

        Raises:
            UsageError: a part of the name is unknown, or the edge cannot speak the variant's protocol.
        """
        match = TARGET_PATTERN.fullmatch(name)
        if not match:
            raise UsageError(
                f"target {name!r}: not of the form SERVER[:VARIANT][+EDGE]",
                "For example: gunicorn:gthread+nginx",
            )
        server = self.servers[_known(match["server"], self.servers, what="server", of=name)]
        variant = match["variant"] or server.default_variant
        _known(variant, server.variants, what=f"variant of {match['server']}", of=name)
        if match["edge"]:
            _known(match["edge"], self.edges, what="edge", of=name)
        target = Target(server=match["server"], variant=variant, edge=match["edge"])
        self._check_fit(target)
        return target

    def _check_fit(self, target: Target) -> None:
        variant = self.variant(target)
        if target.edge is None and (variant.replicas_per_cpu or variant.protocol.value != "http"):
            raise UsageError(
                f"target {target}: this variant works only behind an edge",
                "Try " + " or ".join(f"{target}+{edge}" for edge in self.edges),
            )
        if target.edge and variant.protocol not in self.edges[target.edge].protocols:
            raise UsageError(f"target {target}: {target.edge} does not speak {variant.protocol.value}")

    def variant(self, target: Target) -> Variant:
        """The settings of the target's variant."""
        return self.servers[target.server].variants[target.variant]

    def identity(self, target: Target) -> Identity:
        """What proves the target's server."""
        return self.variant(target).identity or self.servers[target.server].identity

    def replicas(self, target: Target, *, cpus: int, wanted: int | None = None) -> int:
        """How many app containers the target runs for the budget."""
        return wanted or max(1, self.variant(target).replicas_per_cpu * cpus)

    def capabilities(self, target: Target) -> frozenset[str]:
        """What the target can do: what its server or its edge can; what an edge hands on, only if both can."""
        of_server = self.servers[target.server].capabilities_of(self.variant(target))
        if target.edge is None:
            return of_server
        of_edge = frozenset(self.edges[target.edge].capabilities)
        return (of_server | of_edge) - HANDED_ON | (of_server & of_edge & HANDED_ON)

    def declared_by(self, capability: str) -> list[str]:
        """The servers and edges that declare the capability, with their variant where only that one does."""
        able: list[str] = []
        for name, server in self.servers.items():
            if capability in server.capabilities:
                able.append(name)
            else:
                able += [
                    f"{name}:{variant}"
                    for variant, settings in server.variants.items()
                    if capability in settings.capabilities
                ]
        return able + [name for name, edge in self.edges.items() if capability in edge.capabilities]

    def lacking(self, target: Target, workload: str) -> str | None:
        """The first capability that the workload needs and the target has not, or None."""
        has = self.capabilities(target)
        return next((need for need in self.workload(workload).needs if need not in has), None)

    def workload(self, name: str) -> Workload:
        """The workload called ``name``: ``WORKLOAD``, or ``WORKLOAD:VARIANT`` where it has variants.

        Raises:
            UsageError: there is none, or the name leaves open which variant is meant.
        """
        base, colon, variant = name.partition(":")
        workload = self.workloads[_known(base, self.workloads, what="workload", of=name)]
        if not colon and not workload.variants:
            return workload
        if not colon:
            raise UsageError(
                f"workload {name!r}: name one of its variants",
                f"Known: {', '.join(f'{base}:{each}' for each in workload.variants)}",
            )
        return workload.of_variant(_known(variant, workload.variants, what=f"variant of {base}", of=name))

    def workload_names(self) -> Iterator[str]:
        """Every name that ``workload`` knows."""
        for name, workload in self.workloads.items():
            yield from (
                (f"{name}:{variant}" for variant in workload.variants) if workload.variants else (name,)
            )

    def targets(self) -> Iterator[Target]:
        """Every target that can be built from the servers, variants and edges."""
        for edge in (None, *self.edges):
            for server, definition in self.servers.items():
                for variant in definition.variants:
                    target = Target(server=server, variant=variant, edge=edge)
                    try:
                        self._check_fit(target)
                    except UsageError:
                        continue
                    yield target

    def hashes(self, *, targets: list[Target], workloads: list[str]) -> dict[str, str]:
        """SHA-256 of all that decides a number: these workloads, servers and edges, app, stacks and the lab itself."""
        servers = {target.server for target in targets} | {target.edge for target in targets if target.edge}
        folders = {f"server/{name}": self.root / "deploy" / name for name in servers}
        named = {name.partition(":")[0] for name in workloads}
        folders |= {f"workload/{name}": self.root / "loadtests" / name for name in named}
        folders["workload/shared"] = self.root / "loadtests" / "shared"
        folders |= {
            "app": self.root / "app",
            "stack": self.root / "compose",
            "lab": self.root / "src" / "serverlab",
        }
        return {key: _folder_hash(folders[key]) for key in sorted(folders)}


def load_catalog(root: Path) -> Catalog:
    """Read every definition below ``root``; what cannot be read is left out and told in ``mistakes``."""
    wrong: list[str] = []
    servers = _read_all(root, "deploy/*/server.toml", Server, wrong)
    edges = _read_all(root, "deploy/*/edge.toml", Edge, wrong)
    workloads = _read_all(root, "loadtests/*/workload.toml", Workload, wrong)
    for name, server in servers.items():
        wrong += [f"deploy/{name}/server.toml: {mistake}" for mistake in server_mistakes(server)]
    for name, edge in edges.items():
        wrong += [f"deploy/{name}/edge.toml: {mistake}" for mistake in edge_mistakes(edge)]
    for name, workload in workloads.items():
        wrong += [f"loadtests/{name}/workload.toml: {mistake}" for mistake in workload_mistakes(workload)]
    return Catalog(root=root, servers=servers, edges=edges, workloads=workloads, mistakes=tuple(wrong))


def read_experiment(path: Path, catalog: Catalog) -> Experiment:
    """The experiment in the file, its names checked against the catalog.

    Raises:
        UsageError: the file or a definition it stands on is wrong; every mistake is listed.
    """
    if not path.exists():
        known = [each.stem for each in sorted((catalog.root / "experiments").glob("*.toml"))]
        raise UsageError(
            f"experiment {path}: no such file{did_you_mean(path.stem, known)}", "Shipped: " + ", ".join(known)
        )
    if breaks_things(path):
        raise UsageError(
            f"experiment {path}: it breaks things and measures no speed",
            f"`serverlab faults --experiment {path.stem}`",
        )
    experiment, wrong = read_toml(path, Experiment)
    if experiment is not None:
        wrong += [f"{path}: {mistake}" for mistake in experiment_mistakes(experiment, catalog)]
    if experiment is None or wrong or catalog.mistakes:
        raise UsageError("\n".join([*wrong, *catalog.mistakes]), "`serverlab check` reads all files again.")
    return experiment


def load_experiments(catalog: Catalog) -> dict[str, Experiment]:
    """Every shipped experiment by name, but for those that break things.

    Raises:
        UsageError: one of them is wrong.
    """
    paths = sorted((catalog.root / "experiments").glob("*.toml"))
    return {path.stem: read_experiment(path, catalog) for path in paths if not breaks_things(path)}


def breaks_things(path: Path) -> bool:
    """Whether the file is an experiment with faults: one that names some."""
    try:
        return "faults" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False


def _read_all(root: Path, pattern: str, kind: type[R], wrong: list[str]) -> dict[str, R]:
    found: dict[str, R] = {}
    for path in sorted(root.glob(pattern)):
        record, mistakes = read_toml(path, kind)
        wrong += [mistake.replace(f"{root}/", "", 1) for mistake in mistakes]
        if record is not None:
            found[path.parent.name] = record
    return found


def _known(name: str, known: dict[str, R], *, what: str, of: str) -> str:
    if name not in known:
        prefix = f"{of!r}: " if of != name else ""
        raise UsageError(
            f"{prefix}unknown {what} {name!r}{did_you_mean(name, known)}", f"Known: {', '.join(known)}"
        )
    return name


def _folder_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
