"""A cross-check for people and machines: what every generator saw, and whether it agrees with the lab's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import msgspec

from serverlab.formatting import ABSENT, estimate, factor, milliseconds, one_line, per_second, percent
from serverlab.model.crosscheck import CrossRow, CrossTable
from serverlab.model.tables import Interval
from serverlab.reports.markdown import line, plain

TITLES = (
    "target",
    "tool",
    "load",
    "req/s",
    "ratio [95 %]",
    "p50 ms",
    "p99 ms",
    "p99 ratio [95 %]",
    "tool's CPU",
    "rounds",
    "agrees",
    "why not, and what else",
)
TEXTS = (0, 1, 2, 10, 11)
"""Which columns are words, and stand to the left."""


def render_crosscheck(table: CrossTable) -> str:
    """The table and the facts of the run as Markdown. No line feed at the end."""
    lines = [
        line(TITLES),
        line([":--" if index in TEXTS else "--:" for index in range(len(TITLES))]),
        *(line([plain(cell) for cell in _cells(row)]) for row in table.rows),
        "",
        *_run(table),
    ]
    return "\n".join(lines)


def as_text(table: CrossTable) -> str:
    """The table for a terminal, the facts below it."""
    rows = [TITLES[:-1], *(_cells(row)[:-1] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines += ["", *(f"{_named(row)}: {row.reason}" for row in table.rows if row.reason)]
    lines += ["", *(f"{fact.label}: {fact.value}" for fact in table.facts)]
    return "\n".join(each.rstrip() for each in [*lines, *(f"Problem: {each}" for each in table.problems)])


def as_json(table: CrossTable) -> str:
    """The whole table, for a machine."""
    return json.dumps(msgspec.to_builtins(table), indent=2)


FORMATS: dict[str, Callable[[CrossTable], str]] = {
    "text": as_text,
    "markdown": render_crosscheck,
    "json": as_json,
}


def _cells(row: CrossRow) -> tuple[str, ...]:
    return (
        row.target,
        row.tool.value,
        row.pace.value,
        per_second(row.rps),
        _ratio(row.rps_ratio, row.rps_interval),
        milliseconds(row.p50_us),
        milliseconds(row.p99_us),
        _ratio(row.p99_ratio, row.p99_interval),
        percent(row.cpu_share),
        str(row.rounds) if row.rounds else ABSENT,
        row.agrees.value,
        one_line(row.reason),
    )


def _ratio(middle: float | None, interval: Interval | None) -> str:
    return estimate(interval) if interval else factor(middle)


def _named(row: CrossRow) -> str:
    return f"{row.target}, {row.tool.value}, {row.pace.value}"


def _run(table: CrossTable) -> Iterator[str]:
    yield f"Run `{table.run}`:"
    yield ""
    yield from (f"- {fact.label}: {plain(fact.value)}" for fact in table.facts)
    yield from (f"- Problem: {plain(str(problem))}" for problem in table.problems)
