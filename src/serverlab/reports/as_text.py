"""The table for a terminal: plain characters in aligned columns, the same with and without a terminal or colours."""

from __future__ import annotations

import textwrap
from collections.abc import Container, Iterator, Sequence

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
    """Two heading lines and the rows."""
    keys = default_columns(section)
    rows = [(row.name, *cells(row, keys), marks(row.doubts)) for row in section.rows]
    yield from side_by_side(
        [
            (row_title(section), *(COLUMNS[key].title for key in keys), "notes"),
            ("", *(COLUMNS[key].unit for key in keys), ""),
            *rows,
        ],
        left=(0, len(keys) + 1),
    )


def side_by_side(rows: Sequence[Sequence[str]], *, left: Container[int]) -> Iterator[str]:
    """The rows with their columns aligned, those of the numbers ``left`` to the left.

    The columns move closer where they would not fit the width. Where they do not fit even so, a part of them follows
    below an empty line, beside the first column again.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    gap = "  " if sum(widths) + 2 * (len(widths) - 1) <= WIDTH else " "
    for number, block in enumerate(_blocks(widths, len(gap))):
        if number:
            yield ""
        for row in rows:
            yield gap.join(
                row[each].ljust(widths[each]) if each in left else row[each].rjust(widths[each])
                for each in block
            )


def _blocks(widths: Sequence[int], gap: int) -> list[list[int]]:
    """The numbers of the columns, in as few blocks as fit the width, and these about equally wide."""
    fewest = len(_filled(widths, gap, WIDTH))
    return next(blocks for limit in range(WIDTH + 1) if len(blocks := _filled(widths, gap, limit)) == fewest)


def _filled(widths: Sequence[int], gap: int, limit: int) -> list[list[int]]:
    """Blocks that are no wider than the limit, if they can, each with the first column and at least another one."""
    blocks, used = [[0]], widths[0]
    for number, width in enumerate(widths[1:], start=1):
        if used + gap + width > limit and len(blocks[-1]) > 1:
            blocks.append([0])
            used = widths[0]
        blocks[-1].append(number)
        used += gap + width
    return blocks
