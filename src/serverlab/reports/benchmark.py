"""How fast the lab itself is, as a table for the docs, read from the file that the benchmark wrote."""

from __future__ import annotations

from pathlib import Path

import msgspec

from serverlab.errors import UsageError
from serverlab.formatting import ABSENT
from serverlab.model.benchmarks import Benchmark, Bound
from serverlab.reports.markdown import line, plain

WORDS = {True: "yes", False: "**no**", None: ABSENT}


def read_benchmark(path: Path, name: str) -> Benchmark:
    """The benchmark in the file, which is called ``name`` in messages.

    Raises:
        UsageError: there is none that can be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Benchmark)
    except OSError as failed:
        raise UsageError(f"{name}: cannot be read: {failed.strerror}", "`make bench-lab` measures.") from None
    except msgspec.DecodeError as broken:
        raise UsageError(f"{name}: not what a benchmark writes: {broken}", "Measure again.") from None


def render_benchmark(benchmark: Benchmark) -> str:
    """A row for each bound, and the facts below. No line feed at the end."""
    lines = [
        f"**{plain(benchmark.title)}**",
        "",
        line(["what", "measured", "limit", "kept"]),
        line([":--", "--:", "--:", ":--"]),
        *(line(_cells(bound)) for bound in benchmark.bounds),
        "",
        *(f"- {plain(bound.what)}: {plain(bound.details)}" for bound in benchmark.bounds if bound.details),
        *(f"- {plain(fact.label)}: {plain(fact.value)}" for fact in benchmark.facts),
    ]
    return "\n".join(lines)


def _cells(bound: Bound) -> list[str]:
    return [plain(bound.what), plain(bound.measured), plain(bound.limit) or ABSENT, WORDS[bound.kept]]
