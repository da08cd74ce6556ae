"""The table for a terminal: plain characters in aligned columns, the same with and without a terminal or colours."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from serverlab.model.tables import Fact, Section, Table
from serverlab.reports.columns import COLUMNS, cells, default_columns, heading, marks, row_title
from serverlab.reports.notes import footnote, remarks

WIDTH = 120


def render(table: Table) -> str:
    """Title, question, facts, and each section with its rows and notes; ends with a line feed."""
    lines = [f"{table.title} ({table.run})", table.question, "", *fact_lines(table.facts)]
    for section in table.sections:
        lines += ["", heading(section), "-" * len(heading(section)), *_section(section)]
    if table.problems:
        lines += ["", "Problems in the run's files", *(f"  {problem}" for problem in table.problems)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield from fact_lines(section.conditions)
    yield ""
    yield from _grid(section)
    if notes := [*_notes(section)]:
        yield from ("", *notes)


def _notes(section: Section) -> Iterator[str]:
    for remark in remarks(section):
        yield from textwrap.wrap(remark, WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    for doubt in section.doubts:
        label = f"[{doubt.number}] "
        yield from textwrap.wrap(
            label + footnote(doubt), WIDTH, subsequent_indent=" " * len(label), break_on_hyphens=False
        )


def fact_lines(facts: Sequence[Fact]) -> Iterator[str]:
    """Labels in a column of their own, values folded beside them."""
    indent = max((len(fact.label) for fact in facts), default=0) + 2
    for fact in facts:
        yield from textwrap.wrap(
            f"{fact.label:<{indent}}{fact.value}",
            WIDTH,
            subsequent_indent=" " * indent,
            break_on_hyphens=False,
        )


def _grid(section: Section) -> Iterator[str]:
    """Two heading lines and the rows; the columns move closer where they would not fit the width."""
    keys = default_columns(section)
    lines = [
        [row_title(section), *(COLUMNS[key].title for key in keys), "notes"],
        ["", *(COLUMNS[key].unit for key in keys), ""],
        *([row.name, *cells(row, keys), marks(row.doubts)] for row in section.rows),
    ]
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    gap = "  " if sum(widths) + 2 * (len(widths) - 1) <= WIDTH else " "
    last = len(widths) - 1
    for line in lines:
        yield gap.join(
            text.ljust(widths[index]) if index in (0, last) else text.rjust(widths[index])
            for index, text in enumerate(line)
        )
