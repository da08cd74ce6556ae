"""The table as Markdown, whole or one section of it for the docs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serverlab.model.tables import Section, Table
from serverlab.reports.columns import COLUMNS, cells, default_columns, heading, marks, row_title
from serverlab.reports.markdown import line, plain
from serverlab.reports.notes import footnote, remarks


def render(table: Table) -> str:
    """A page: title, question, each section under a heading of its own, and the facts of the run."""
    lines = [f"# {plain(table.title)}", "", plain(table.question), ""]
    for section in table.sections:
        lines += [f"## {heading(section)}", "", *_body(section, default_columns(section)), ""]
    return "\n".join([*lines, *_facts(table)]) + "\n"


def render_excerpt(table: Table, sections: Sequence[Section], keys: Sequence[str] | None) -> str:
    """Some sections for the docs and the facts of the run; ``keys`` are the columns, None = the usual ones.

    Conditions, VOID trials and doubts are always there. No line feed at the end.
    """
    lines: list[str] = []
    for section in sections:
        lines += [f"**{heading(section)}**", "", *_body(section, keys or default_columns(section)), ""]
    return "\n".join([*lines, *_facts(table)])


def _facts(table: Table) -> Iterator[str]:
    yield f"Run `{table.run}`:"
    yield ""
    yield from (f"- {fact.label}: {plain(fact.value)}" for fact in table.facts)
    yield from (f"- Problem: {plain(str(problem))}" for problem in table.problems)


def _body(section: Section, keys: Sequence[str]) -> Iterator[str]:
    yield from _grid(section, keys)
    yield ""
    yield from (f"- {fact.label}: {plain(fact.value)}" for fact in section.conditions)
    yield from (f"- {plain(remark)}" for remark in remarks(section))
    if section.doubts:
        yield ""
        yield from (f"{doubt.number}. {plain(footnote(doubt))}" for doubt in section.doubts)


def _grid(section: Section, keys: Sequence[str]) -> Iterator[str]:
    columns = [COLUMNS[key] for key in keys]
    titles = [f"{column.title} {column.unit}".strip() for column in columns]
    yield line([row_title(section), *titles, "notes"])
    yield line([":--", *("--:" for _ in keys), ":--"])
    for row in section.rows:
        yield line([row.name, *cells(row, keys), marks(row.doubts)])
