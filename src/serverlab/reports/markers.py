"""What stands between one pair of markers: their arguments, and the text that the files give for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from serverlab.analysis import tabulate
from serverlab.analysis.capacity import capacity_table
from serverlab.analysis.crosscheck import crosscheck_table
from serverlab.analysis.framing import framing_table
from serverlab.analysis.security import security_table
from serverlab.catalog import Catalog, load_catalog
from serverlab.errors import UsageError
from serverlab.formatting import ABSENT, did_you_mean, one_line
from serverlab.model.benchmarks import Benchmark
from serverlab.model.capacity_tables import CapacityTable
from serverlab.model.crosscheck import CrossTable
from serverlab.model.framing import FramingTable
from serverlab.model.inventories import Inventory
from serverlab.model.security import SecurityTable
from serverlab.model.tables import Row, RowState, Section, Table
from serverlab.reports.as_markdown import render_excerpt
from serverlab.reports.benchmark import read_benchmark, render_benchmark
from serverlab.reports.capacity import render_excerpt as render_capacities
from serverlab.reports.columns import COLUMNS, heading, row_title
from serverlab.reports.crosscheck import render_crosscheck
from serverlab.reports.definitions import render_definition
from serverlab.reports.framing import render_framing
from serverlab.reports.inventory import read_inventory, render_inventory
from serverlab.reports.security import render_attacks, render_measured
from serverlab.store import read_assault, read_run
from serverlab.store.crosschecks import read_crosscheck
from serverlab.store.framing_runs import read_differential

SECTION_KEYS = ("workload", "target", "cpus", "edge")
KEYS = {
    "table": (*SECTION_KEYS, "columns"),
    "figure": (*SECTION_KEYS, "value"),
    "attacks": ("only",),
    "http": ("only",),
    "measured": ("only",),
    "images": (),
    "crosscheck": (),
    "bench": (),
    "capacity": ("workload", "cpus"),
}


@dataclass
class Results:
    """The judged runs and the definitions below ``root``, each read once."""

    root: Path
    _tables: dict[str, Table] = field(default_factory=dict)
    _security: dict[str, SecurityTable] = field(default_factory=dict)

    @cached_property
    def catalog(self) -> Catalog:
        """The definitions; its ``mistakes`` may not be empty."""
        return load_catalog(self.root)

    def table(self, path: str) -> Table:
        """The table of the run in the folder ``path``, which is relative to the root.

        Raises:
            UsageError: there is no readable run.
        """
        if path not in self._tables:
            run = read_run(self._folder(path))
            if run.plan.experiment.capacity:
                raise UsageError(f"{path}: a search for capacity", "Say capacity in the place of table.")
            self._tables[path] = tabulate(run)
        return self._tables[path]

    def security(self, path: str) -> SecurityTable:
        """The table of the attacks in the folder ``path``, which is relative to the root.

        Raises:
            UsageError: there are none that can be read.
        """
        if path not in self._security:
            assault = read_assault(self._folder(path))
            self._security[path] = security_table(assault, self.catalog.servers)
        return self._security[path]

    def framing(self, path: str) -> FramingTable:
        """What targets made of odd requests in the folder ``path``, which is relative to the root.

        Raises:
            UsageError: there is nothing that can be read.
        """
        return framing_table(read_differential(self._folder(path)))

    def inventory(self, path: str) -> Inventory:
        """The inventory of images in the file ``path``, which is relative to the root.

        Raises:
            UsageError: there is none that can be read.
        """
        _check_below_root(path)
        return read_inventory(self.root / path, path)

    def capacities(self, path: str) -> CapacityTable:
        """What the search in the folder ``path``, which is relative to the root, found.

        Raises:
            UsageError: there is no readable search.
        """
        return capacity_table(read_run(self._folder(path)))

    def crosscheck(self, path: str) -> CrossTable:
        """What every generator saw in the cross-check in the folder ``path``, which is relative to the root.

        Raises:
            UsageError: there is no readable cross-check.
        """
        return crosscheck_table(read_crosscheck(self._folder(path)))

    def benchmark(self, path: str) -> Benchmark:
        """The benchmark in the file ``path``, which is relative to the root.

        Raises:
            UsageError: there is none that can be read.
        """
        _check_below_root(path)
        return read_benchmark(self.root / path, path)

    def _folder(self, path: str) -> Path:
        _check_below_root(path)
        if not (self.root / path).is_dir():
            raise UsageError(f"{path}: no such run")
        return self.root / path


def _check_below_root(path: str) -> None:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise UsageError(f"{path}: give the run's folder relative to the root of the repository")


def render_marker(results: Results, *, kind: str, arguments: str) -> str:
    """The text for a marker of this kind (see KEYS, and ``definition``) with these arguments.

    Raises:
        UsageError: an argument is wrong, or the result has no such number.
    """
    if kind == "definition":
        return render_definition(results.catalog, arguments)
    path, chosen = _parsed(kind, arguments)
    if kind == "figure":
        return _figure(results, path, chosen)
    return f"\n{BLOCKS[kind](results, path, chosen)}\n"


def _table(results: Results, path: str, chosen: dict[str, str]) -> str:
    table = results.table(path)
    return render_excerpt(table, _sections(table, path, chosen, kind="table"), _columns(chosen))


def _sections(table: Table, path: str, chosen: dict[str, str], *, kind: str) -> list[Section]:
    found = [section for section in table.sections if _fits(section, chosen, kind=kind)]
    if not found:
        known = "; ".join(_address(section) for section in table.sections)
        raise UsageError(f"{path}: no section {_wanted(chosen)}", f"There are: {known}")
    return found


def _images(results: Results, path: str, chosen: dict[str, str]) -> str:  # noqa: ARG001
    return render_inventory(results.inventory(path))


def _crosscheck(results: Results, path: str, chosen: dict[str, str]) -> str:  # noqa: ARG001
    return render_crosscheck(results.crosscheck(path))


def _bench(results: Results, path: str, chosen: dict[str, str]) -> str:  # noqa: ARG001
    return render_benchmark(results.benchmark(path))


def _attacks(results: Results, path: str, chosen: dict[str, str]) -> str:
    return render_attacks(results.security(path), chosen.get("only", ""))


def _http(results: Results, path: str, chosen: dict[str, str]) -> str:
    return render_framing(results.framing(path), chosen.get("only", ""))


def _what_was_measured(results: Results, path: str, chosen: dict[str, str]) -> str:
    return render_measured(results.security(path), chosen.get("only", ""))


def _capacities(results: Results, path: str, chosen: dict[str, str]) -> str:
    table = results.capacities(path)
    own = [{"workload": each.workload, "cpus": str(each.cpus)} for each in table.sections]
    fitting = [
        section
        for section, keys in zip(table.sections, own, strict=True)
        if all(keys[key] == value for key, value in chosen.items())
    ]
    if not fitting:
        known = "; ".join(f"workload={each['workload']} cpus={each['cpus']}" for each in own)
        raise UsageError(f"{path}: no section {_wanted(chosen)}", f"There are: {known}")
    return render_capacities(table, fitting)


def _parsed(kind: str, arguments: str) -> tuple[str, dict[str, str]]:
    """The run's folder and the keys with their values."""
    path, *pairs = arguments.split() or [""]
    if not path or "=" in path:
        raise UsageError(f"{kind} marker: the run's folder must come first")
    chosen: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        _check_known(key, KEYS[kind], what=f"key of a {kind} marker")
        if not equals or not value or key in chosen:
            raise UsageError(f"{kind} marker: {pair!r} is not KEY=VALUE, or there twice")
        chosen[key] = value
    missing = [key for key in ("target", "value") if kind == "figure" and key not in chosen]
    if missing:
        raise UsageError(f"figure marker: {' and '.join(missing)} missing")
    return path, chosen


def _fits(section: Section, chosen: dict[str, str], *, kind: str) -> bool:
    """Whether the section is as chosen; of a figure one key chooses the row and none the section."""
    own = {key: value for key, value in _own(section).items() if kind == "table" or key != row_title(section)}
    return all(own[key] == chosen[key] for key in own if key in chosen)


def _own(section: Section) -> dict[str, str | None]:
    return {
        "workload": section.workload,
        "target": section.target,
        "cpus": str(section.cpus),
        "edge": section.edge,
    }


def _address(section: Section) -> str:
    return " ".join(f"{key}={value}" for key, value in _own(section).items() if value)


def _wanted(chosen: dict[str, str]) -> str:
    return " ".join(f"{key}={chosen[key]}" for key in SECTION_KEYS if key in chosen)


def _columns(chosen: dict[str, str]) -> Sequence[str] | None:
    if "columns" not in chosen:
        return None
    keys = chosen["columns"].split(",")
    for key in keys:
        _check_known(key, COLUMNS, what="column")
    return keys


def _figure(results: Results, path: str, chosen: dict[str, str]) -> str:
    """The number as the table shows it; nothing but a number may stand in a sentence."""
    sections = _sections(results.table(path), path, chosen, kind="figure")
    if len(sections) > 1:
        several = "; ".join(_address(section) for section in sections)
        raise UsageError(f"{path}: a figure needs one section", f"These fit: {several}")
    (section,) = sections
    row, value = chosen.get(row_title(section)), chosen["value"]
    if row is None:
        raise UsageError(f"figure marker: {row_title(section)} missing")
    _check_known(value, COLUMNS, what="value")
    rows = {each.name: each for each in section.rows}
    _check_known(row, rows, what=f"{row_title(section)} in {heading(section)}")
    _check_number(rows[row], value)
    return COLUMNS[value].show(rows[row])


def _check_number(row: Row, value: str) -> None:
    if row.state is not RowState.MEASURED:
        raise UsageError(f"{row.name} has no {value}: it is {row.state.value}: {one_line(row.reason or '')}")
    if value in ("ratio", "ratio_range") and row.reference:
        raise UsageError(f"{row.name} has no {value}: it is the reference")
    if COLUMNS[value].show(row) == ABSENT:
        raise UsageError(f"{row.name} has no {value}: it is absent in the table")


def _check_known(name: str, known: Iterable[str], *, what: str) -> None:
    names = list(known)
    if name not in names:
        near = did_you_mean(name, names)
        raise UsageError(f"unknown {what} {name!r}{near}", f"Known: {', '.join(names)}")


BLOCKS = {
    "table": _table,
    "attacks": _attacks,
    "http": _http,
    "measured": _what_was_measured,
    "capacity": _capacities,
    "images": _images,
    "crosscheck": _crosscheck,
    "bench": _bench,
}
"""What renders each kind that stands on lines of its own."""
