"""The table as Markdown, whole or one section of it for the docs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from serverlab.model.tables import Fact, Section, Table
from serverlab.reports.columns import COLUMNS, cells, default_columns, heading, marks
from serverlab.reports.notes import footnote, remarks

SPECIAL = re.compile(r"([\\`*_|\[\]])")


def render(table: Table) -> str:
    """A page: title, question, facts, and each section under a heading of its own."""
    lines = [f"# {_plain(table.title)}", "", _plain(table.question), "", f"Run `{table.run}`.", ""]
    lines += [f"- {fact.label}: {_plain(fact.value)}" for fact in table.facts]
    for section in table.sections:
        lines += [
            "",
            f"## {heading(section)}",
            "",
            *_body(section, default_columns(section), section.conditions),
        ]
    if table.problems:
        lines += ["", "## Problems in the run's files", ""]
        lines += [f"- {_plain(str(problem))}" for problem in table.problems]
    return "\n".join(lines) + "\n"


def render_section(table: Table, section: Section, keys: Sequence[str]) -> str:
    """One section for the docs: caption, the columns ``keys``, conditions and notes; no line feed at the end."""
    facts = [fact for fact in table.facts if fact.label in ("Measured", "Machine", "Versions")]
    caption = f"**{heading(section)}** (run `{table.run}`)"
    return "\n".join([caption, "", *_body(section, keys, [*section.conditions, *facts])])


def _body(section: Section, keys: Sequence[str], facts: Sequence[Fact]) -> Iterator[str]:
    yield from _grid(section, keys)
    yield ""
    yield from (f"- {fact.label}: {_plain(fact.value)}" for fact in facts)
    yield from (f"- {_plain(remark)}" for remark in remarks(section))
    if section.doubts:
        yield ""
        yield from (f"{doubt.number}. {_plain(footnote(doubt))}" for doubt in section.doubts)


def _grid(section: Section, keys: Sequence[str]) -> Iterator[str]:
    columns = [COLUMNS[key] for key in keys]
    titles = [f"{column.title} {column.unit}".strip() for column in columns]
    yield _line(["target", *titles, "notes"])
    yield _line([":--", *("--:" for _ in keys), ":--"])
    for row in section.rows:
        yield _line([row.target, *cells(row, keys), marks(row.doubts)])


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _plain(text: str) -> str:
    """The text with what Markdown or HTML would take for its own made harmless."""
    return SPECIAL.sub(r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
