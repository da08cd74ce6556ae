"""What every benchmark prints and leaves behind."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from serverlab import __version__, host
from serverlab.model.benchmarks import Benchmark, Bound
from serverlab.model.tables import Fact
from serverlab.shell import HostShell

CHECKOUT = Path(__file__).resolve().parents[1]
FOLDER = CHECKOUT / "results" / "bench-lab"
"""Where a benchmark writes unless it is told otherwise; git ignores it."""

WORDS = {True: "kept", False: "MISSED", None: ""}


def parser_of(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    parser.add_argument(
        "--save", type=Path, default=FOLDER, help="folder for the result (default: %(default)s)"
    )
    return parser


def keep(name: str, title: str, bounds: Iterable[Bound], *, folder: Path, conditions: str) -> int:
    """Print the bounds, write ``NAME.json`` into the folder, and return 1 where a limit was missed, else 0."""
    benchmark = Benchmark(format=1, name=name, title=title, facts=_facts(conditions), bounds=tuple(bounds))
    for bound in benchmark.bounds:
        limit = f"; limit {bound.limit}: {WORDS[bound.kept]}" if bound.limit else ""
        print(f"{bound.what}: {bound.measured}{limit}")
        if bound.details:
            print(f"    {bound.details}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(benchmark), indent=2) + b"\n")
    part.replace(path)
    print(f"result: {path}", flush=True)
    return int(not benchmark.kept)


def _facts(conditions: str) -> tuple[Fact, ...]:
    shell = HostShell()
    facts = host.read_host(shell, Path("/"))
    head = shell.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=CHECKOUT)
    return (
        Fact(label="Conditions", value=conditions),
        Fact(label="Measured", value=datetime.now(UTC).isoformat(timespec="seconds")),
        Fact(
            label="Machine",
            value=f"{facts.cpu_model}, {len(facts.cores)} cores, {facts.os}, kernel {facts.kernel}",
        ),
        Fact(label="Lab", value=f"serverlab {__version__}, commit {head.stdout.strip() or 'unknown'}"),
    )
