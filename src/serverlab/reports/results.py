"""The judged runs and the definitions that pages are rendered from; what many markers ask for is read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from serverlab.analysis import tabulate
from serverlab.analysis.capacity_tabulating import capacity_table
from serverlab.analysis.crosscheck import crosscheck_table
from serverlab.analysis.failures import failure_table, overview
from serverlab.analysis.security import security_table
from serverlab.catalog import Catalog, load_catalog
from serverlab.errors import UsageError
from serverlab.model.benchmarks import Benchmark
from serverlab.model.capacity_tables import CapacityTable
from serverlab.model.claims import JudgedClaim
from serverlab.model.crosscheck import CrossTable
from serverlab.model.failure_tables import FailureOverview, FailureTable
from serverlab.model.framing import Differential
from serverlab.model.inventories import Inventory
from serverlab.model.runs import Run
from serverlab.model.security import SecurityTable
from serverlab.model.tables import Table
from serverlab.reports.benchmark import read_benchmark
from serverlab.reports.claims import judged_claims
from serverlab.reports.inventory import read_inventory
from serverlab.store import read_assault, read_fault_run, read_run
from serverlab.store.crosschecks import read_crosscheck
from serverlab.store.framing_runs import read_differential
from serverlab.store.layout import FAULT_PLAN


@dataclass
class Results:
    """The judged runs and the definitions below ``root``; what many markers ask for is read once."""

    root: Path
    pictures: dict[Path, str] = field(default_factory=dict)
    """What pages refer to, by the whole path of the file that it belongs into."""
    _tables: dict[str, Table] = field(default_factory=dict)
    _security: dict[tuple[str, str | None], SecurityTable] = field(default_factory=dict)
    _failures: dict[str, FailureTable] = field(default_factory=dict)
    _differentials: dict[str, Differential] = field(default_factory=dict)

    @cached_property
    def catalog(self) -> Catalog:
        """The definitions; its ``mistakes`` may not be empty."""
        return load_catalog(self.root)

    @cached_property
    def claims(self) -> list[JudgedClaim]:
        """Every claim, judged by what is published.

        Raises:
            UsageError: a claim cannot be read.
        """
        return judged_claims(self.catalog, self.root / "results" / "reference")

    def run(self, path: str) -> Run:
        """The run in the folder ``path``, which is relative to the root.

        Raises:
            UsageError: there is no readable run.
        """
        return read_run(self._folder(path))

    def table(self, path: str) -> Table:
        """The table of the run in the folder ``path``, which is relative to the root.

        Raises:
            UsageError: there is no readable run.
        """
        if path not in self._tables:
            run = self.run(path)
            if run.plan.experiment.capacity:
                raise UsageError(f"{path}: a search for capacity", "Say capacity in the place of table.")
            self._tables[path] = tabulate(run)
        return self._tables[path]

    def security(self, path: str, server: str | None = None) -> SecurityTable:
        """The table of the attacks in the folder ``path``, which is relative to the root; all of one ``server``'s.

        Raises:
            UsageError: there are none that can be read.
        """
        key = path, server
        if key not in self._security:
            assault = read_assault(self._folder(path))
            self._security[key] = security_table(assault, self.catalog.servers, server)
        return self._security[key]

    def failures(self, path: str) -> FailureTable:
        """What faults did to targets in the folder ``path``, which is relative to the root.

        Raises:
            UsageError: there is no readable run.
        """
        if path not in self._failures:
            self._failures[path] = failure_table(read_fault_run(self._folder(path)))
        return self._failures[path]

    def all_failures(self, path: str) -> FailureOverview:
        """What all runs with faults below the folder ``path``, which is relative to the root, found together.

        Raises:
            UsageError: there is none, or one that cannot be read.
        """
        runs = sorted(file.parent for file in self._folder(path).glob(f"**/{FAULT_PLAN}"))
        if not runs:
            raise UsageError(f"{path}: no run with faults below it")
        tables = [self.failures(str(each.relative_to(self.root))) for each in runs]
        return overview(tables, [str(target) for target in self.catalog.targets()])

    def differential(self, path: str) -> Differential:
        """What targets made of odd requests in the folder ``path``, which is relative to the root.

        Raises:
            UsageError: there is nothing that can be read.
        """
        if path not in self._differentials:
            self._differentials[path] = read_differential(self._folder(path))
        return self._differentials[path]

    def inventory(self, path: str) -> Inventory:
        """The inventory of images in the file ``path``, which is relative to the root.

        Raises:
            UsageError: there is none that can be read.
        """
        _check_below_root(path)
        return read_inventory(self.root / path, path)

    def capacities(self, paths: Sequence[str]) -> CapacityTable:
        """What the searches in the folders ``paths``, which are relative to the root, found.

        Raises:
            UsageError: one of them is no readable search, or they searched for different things.
        """
        return capacity_table(*(read_run(self._folder(path)) for path in paths))

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
