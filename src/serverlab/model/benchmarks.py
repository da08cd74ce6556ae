"""How fast the lab itself is: what a benchmark of ``benchmarks/`` leaves behind."""

from __future__ import annotations

from serverlab.model.base import Format, Record
from serverlab.model.tables import Fact


class Bound(Record, frozen=True):
    """One thing that was measured, in words with its unit, beside its limit; ``kept`` is None where there is none.

    ``details`` says what it is made of.
    """

    what: str
    measured: str
    limit: str
    kept: bool | None
    details: str = ""


class Benchmark(Record, frozen=True):
    """``results/.../bench-lab/NAME.json``: the bounds of one benchmark, and where and with what they were measured."""

    format: Format
    name: str
    title: str
    facts: tuple[Fact, ...]
    bounds: tuple[Bound, ...]

    @property
    def kept(self) -> bool:
        """Whether no limit was missed."""
        return all(bound.kept is not False for bound in self.bounds)
