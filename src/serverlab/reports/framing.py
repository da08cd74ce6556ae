"""Odd requests against targets as Markdown: one table for servers alone, one for the same behind an edge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from serverlab.errors import UsageError
from serverlab.formatting import ABSENT, one_line
from serverlab.model.framing import FramingCell, FramingNote, FramingRow, FramingTable
from serverlab.reports.markdown import grid, plain

RIGHT = "✓"

LEGEND = (
    "✓ every form as it should be; ≠ 2/3: two of three forms otherwise; ✗ 1/3: requests were not kept apart in one of "
    "three forms, whatever else; ? not shown."
)


def render_framing(table: FramingTable, only: str = "") -> str:
    """Cases whose ids begin with ``only`` against targets, what was otherwise, and the facts of the run.

    No line feed at the end.

    Raises:
        UsageError: there is no such case.
    """
    rows, notes = _chosen(table, only), _notes(table, only)
    lines = [*_grids(table, rows, _grid), *_smuggled(table, notes), *_otherwise(table, rows, notes)]
    return "\n".join([*lines, *_facts(table)])


def render_server(table: FramingTable, only: str = "") -> str:
    """As ``render_framing`` for the targets of one server, but of cases that are right everywhere only the ids.

    What was otherwise in which form is left to the whole table. No line feed at the end.

    Raises:
        UsageError: there is no such case.
    """
    lines = [*_grids(table, _chosen(table, only), _grid_of_odd), *_smuggled(table, _notes(table, only))]
    return "\n".join([*lines, *_facts(table)])


def render_again(name: str, differences: Sequence[str]) -> str:
    """What a second run saw otherwise, form by form; no line feed at the end."""
    if not differences:
        return f"Run `{name}`, made again: every form on every target was answered alike."
    lines = [f"- {plain(one_line(each))}" for each in differences]
    return "\n".join([f"Run `{name}`, made again, saw otherwise:", "", *lines])


def _chosen(table: FramingTable, only: str) -> list[FramingRow]:
    rows = [row for row in table.rows if row.case.startswith(only)]
    if not rows:
        raise UsageError(f"{table.run}: no case {only!r}")
    return rows


def _notes(table: FramingTable, only: str) -> list[FramingNote]:
    return [note for note in table.notes if note.case.startswith(only)]


def _grids(
    table: FramingTable,
    rows: Sequence[FramingRow],
    grid_of: Callable[[Sequence[FramingRow], Sequence[str]], Iterator[str]],
) -> Iterator[str]:
    """The legend, and the cases against the targets without an edge and those behind it, as far as there are any."""
    yield from (LEGEND, "")
    for title, targets in (("Direct", table.direct), ("Behind the edge", table.behind_edge)):
        if targets:
            yield from (f"**{title}**", "", *grid_of(rows, targets), "")


def _grid_of_odd(rows: Sequence[FramingRow], targets: Sequence[str]) -> Iterator[str]:
    """The cases that are not right everywhere, and the ids of those that are."""
    odd = [row for row in rows if set(_cells(row, targets)) != {RIGHT}]
    right = [row.case for row in rows if row not in odd]
    if odd:
        yield from _grid(odd, targets)
    if odd and right:
        yield ""
    if right:
        yield f"Every form as it should be: {', '.join(right)}."


def _grid(rows: Sequence[FramingRow], targets: Sequence[str]) -> Iterator[str]:
    titles = ["id", "case", "right", *(name.replace(":", ": ").replace("+", " +") for name in targets)]
    return grid(
        titles, ([row.case, plain(row.title), plain(row.right), *_cells(row, targets)] for row in rows)
    )


def _cells(row: FramingRow, targets: Sequence[str]) -> list[str]:
    return [_cell(row.cells.get(name)) for name in targets]


def _cell(found: FramingCell | None) -> str:
    if found is None:
        return ABSENT
    if found.smuggled:
        return f"✗ {found.smuggled}/{found.forms}"
    if found.unknown:
        return "?"
    return f"≠ {found.otherwise}/{found.forms}" if found.otherwise else RIGHT


def _smuggled(table: FramingTable, notes: Sequence[FramingNote]) -> list[str]:
    bad = [note for note in notes if note.smuggled]
    lines = [_note(table, note, f"{note.case} {plain(note.form)}: ") for note in bad]
    return ["**Requests that were not kept apart**", "", *(lines or ["None."]), ""]


def _otherwise(table: FramingTable, rows: Sequence[FramingRow], notes: Sequence[FramingNote]) -> list[str]:
    lines = ["**Otherwise than right**", ""]
    for row in rows:
        own = [note for note in notes if note.case == row.case and not note.smuggled]
        if own:
            lines += [f"{row.case}, {plain(row.title)} (right: {plain(row.right)}):", ""]
            lines += [_note(table, note, f"{plain(note.form)}: " if note.form else "") for note in own]
            lines.append("")
    return lines


def _note(table: FramingTable, note: FramingNote, beginning: str) -> str:
    return f"- {beginning}{plain(one_line(note.said))} ({_whose(table, note.targets)})"


def _whose(table: FramingTable, targets: Sequence[str]) -> str:
    """The targets, as briefly as it can be said without leaving one out."""
    named = set(targets)
    every = {*table.direct, *table.behind_edge}
    if named == every:
        return "everywhere"
    parts = []
    for words, group in (("all direct", table.direct), ("all behind the edge", table.behind_edge)):
        inside = [name for name in group if name in named]
        parts += [words] if group and len(inside) == len(group) else inside
    return ", ".join(parts)


def _facts(table: FramingTable) -> Iterator[str]:
    yield f"Run `{table.run}`:"
    yield ""
    yield from (f"- {fact.label}: {plain(fact.value)}" for fact in table.facts)
    yield from (f"- Problem: {plain(str(problem))}" for problem in table.problems)
