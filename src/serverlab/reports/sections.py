"""Sections of a table, and single numbers of one, as the keys of a marker choose them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from serverlab.errors import UsageError
from serverlab.formatting import ABSENT, did_you_mean, one_line
from serverlab.model.tables import Row, RowState, Section, Table
from serverlab.reports.as_markdown import render_excerpt
from serverlab.reports.columns import COLUMNS, heading, row_title

SECTION_KEYS = ("workload", "target", "cpus", "edge")
"""What tells the sections of a table apart."""


def excerpt(table: Table, path: str, chosen: dict[str, str]) -> str:
    """The sections of the table of the run ``path`` that fit, with the columns that are chosen.

    Raises:
        UsageError: no section fits, or there is no such column.
    """
    return render_excerpt(table, _sections(table, path, chosen, kind="table"), _columns(chosen))


def figure(table: Table, path: str, chosen: dict[str, str]) -> str:
    """The number as the table of the run ``path`` shows it; nothing but a number may stand in a sentence.

    Raises:
        UsageError: not exactly one section fits, or it has no such number.
    """
    sections = _sections(table, path, chosen, kind="figure")
    if len(sections) > 1:
        several = "; ".join(_address(section) for section in sections)
        raise UsageError(f"{path}: a figure needs one section", f"These fit: {several}")
    (section,) = sections
    row, value = chosen.get(row_title(section)), chosen["value"]
    if row is None:
        raise UsageError(f"figure marker: {row_title(section)} missing")
    check_known(value, COLUMNS, what="value")
    rows = {each.name: each for each in section.rows}
    check_known(row, rows, what=f"{row_title(section)} in {heading(section)}")
    _check_number(rows[row], value)
    return COLUMNS[value].show(rows[row])


def _sections(table: Table, path: str, chosen: dict[str, str], *, kind: str) -> list[Section]:
    found = [section for section in table.sections if _fits(section, chosen, kind=kind)]
    if not found:
        known = "; ".join(_address(section) for section in table.sections)
        raise UsageError(f"{path}: no section {asked(chosen)}", f"There are: {known}")
    return found


def _fits(section: Section, chosen: dict[str, str], *, kind: str) -> bool:
    """Whether the section is as chosen; of a figure one key chooses the row and none the section."""
    own = {key: value for key, value in _own(section).items() if kind == "table" or key != row_title(section)}
    return all(own[key] == chosen[key] for key in own if key in chosen)


def _own(section: Section) -> dict[str, str | None]:
    return {
        "workload": section.workload,
        "target": section.target,
        "cpus": str(section.cpus),
        "edge": section.edge,
    }


def _address(section: Section) -> str:
    return " ".join(f"{key}={value}" for key, value in _own(section).items() if value)


def asked(chosen: dict[str, str]) -> str:
    """The section that was asked for, in the words of the marker."""
    return " ".join(f"{key}={chosen[key]}" for key in SECTION_KEYS if key in chosen)


def _columns(chosen: dict[str, str]) -> Sequence[str] | None:
    if "columns" not in chosen:
        return None
    keys = chosen["columns"].split(",")
    for key in keys:
        check_known(key, COLUMNS, what="column")
    return keys


def _check_number(row: Row, value: str) -> None:
    if row.state is not RowState.MEASURED:
        raise UsageError(f"{row.name} has no {value}: it is {row.state.value}: {one_line(row.reason or '')}")
    if value in ("ratio", "ratio_range") and row.reference:
        raise UsageError(f"{row.name} has no {value}: it is the reference")
    if COLUMNS[value].show(row) == ABSENT:
        raise UsageError(f"{row.name} has no {value}: it is absent in the table")


def check_known(name: str, known: Iterable[str], *, what: str) -> None:
    """Do nothing if there is such a name.

    Raises:
        UsageError: there is not.
    """
    names = list(known)
    if name not in names:
        near = did_you_mean(name, names)
        raise UsageError(f"unknown {what} {name!r}{near}", f"Known: {', '.join(names)}")
