"""What stands between one pair of markers: their arguments, and the text that the files give for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from serverlab.analysis.framing import differing, framing_table
from serverlab.errors import UsageError
from serverlab.formatting import ABSENT, did_you_mean, one_line
from serverlab.model.tables import Row, RowState, Section, Table
from serverlab.reports.as_markdown import render_excerpt
from serverlab.reports.benchmark import render_benchmark
from serverlab.reports.capacity import render_excerpt as render_capacities
from serverlab.reports.claims import named, render_claim, render_overview
from serverlab.reports.columns import COLUMNS, heading, row_title
from serverlab.reports.crosscheck import render_crosscheck
from serverlab.reports.definitions import render_definition
from serverlab.reports.failures import render_fault, render_matrix
from serverlab.reports.framing import render_again, render_framing
from serverlab.reports.inventory import render_inventory
from serverlab.reports.results import Results
from serverlab.reports.security import render_attacks, render_measured
from serverlab.reports.timeline import phases, picture, picture_name

PICTURES = PurePosixPath("docs/pictures")
"""Where pictures are kept that pages below docs/ refer to."""

SECTION_KEYS = ("workload", "target", "cpus", "edge")
KEYS = {
    "table": (*SECTION_KEYS, "columns"),
    "figure": (*SECTION_KEYS, "value"),
    "attacks": ("only",),
    "http": ("only", "again"),
    "failures": ("only",),
    "fault": ("fault",),
    "timeline": ("fault", "target", "repetition"),
    "measured": ("only",),
    "images": (),
    "crosscheck": (),
    "bench": (),
    "capacity": ("workload", "cpus"),
    "claims": (),
    "claim": (),
}


def render_marker(results: Results, *, kind: str, arguments: str, folder: PurePosixPath) -> str:
    """The text for a marker of this kind (see KEYS, and ``definition``) with these arguments.

    ``folder`` is that of the page, relative to the root; pictures that the text refers to are put into ``results``.

    Raises:
        UsageError: an argument is wrong, or the result has no such number.
    """
    if kind == "definition":
        return render_definition(results.catalog, arguments)
    path, chosen = _parsed(kind, arguments)
    if kind == "figure":
        return _figure(results, path, chosen)
    if kind == "timeline":
        return f"\n{_timeline(results, path, chosen, folder=folder)}\n"
    return f"\n{BLOCKS[kind](results, path, chosen)}\n"


def _table(results: Results, path: str, chosen: dict[str, str]) -> str:
    table = results.table(path)
    return render_excerpt(table, _sections(table, path, chosen, kind="table"), _columns(chosen))


def _sections(table: Table, path: str, chosen: dict[str, str], *, kind: str) -> list[Section]:
    found = [section for section in table.sections if _fits(section, chosen, kind=kind)]
    if not found:
        known = "; ".join(_address(section) for section in table.sections)
        raise UsageError(f"{path}: no section {_wanted(chosen)}", f"There are: {known}")
    return found


def _images(results: Results, path: str, chosen: dict[str, str]) -> str:  # noqa: ARG001
    return render_inventory(results.inventory(path))


def _crosscheck(results: Results, path: str, chosen: dict[str, str]) -> str:  # noqa: ARG001
    return render_crosscheck(results.crosscheck(path))


def _bench(results: Results, path: str, chosen: dict[str, str]) -> str:  # noqa: ARG001
    return render_benchmark(results.benchmark(path))


def _claims(results: Results, path: str, chosen: dict[str, str]) -> str:  # noqa: ARG001
    if path != "claims":
        raise UsageError(f"claims marker: the folder is claims, not {path}")
    return render_overview(results.claims)


def _claim(results: Results, path: str, chosen: dict[str, str]) -> str:  # noqa: ARG001
    return render_claim(named(results.claims, path))


def _attacks(results: Results, path: str, chosen: dict[str, str]) -> str:
    return render_attacks(results.security(path), chosen.get("only", ""))


def _http(results: Results, path: str, chosen: dict[str, str]) -> str:
    run = results.differential(path)
    text = render_framing(framing_table(run), chosen.get("only", ""))
    if "again" not in chosen:
        return text
    other = results.differential(chosen["again"])
    return f"{text}\n\n{render_again(other.name, differing(run, other))}"


def _failures(results: Results, path: str, chosen: dict[str, str]) -> str:
    return render_matrix(results.failures(path), chosen.get("only", ""))


def _fault(results: Results, path: str, chosen: dict[str, str]) -> str:
    return render_fault(results.failures(path), chosen.get("fault", ""))


def _timeline(results: Results, path: str, chosen: dict[str, str], *, folder: PurePosixPath) -> str:
    """A picture of one repetition of a fault on a target (the first, unless it is said), and its phases in numbers."""
    table = results.failures(path)
    fault, target = chosen.get("fault", ""), chosen.get("target", "")
    found = table.cell(fault, target)
    cells = {str(each.planned.repetition): each for each in (found.cells if found else ()) if each.course}
    wanted = chosen.get("repetition", next(iter(cells), "1"))
    if wanted not in cells:
        raise UsageError(f"{path}: no course of {fault!r} on {target!r} in repetition {wanted}")
    title = f"{fault} on {target}: {table.faults[fault].title}"
    name = picture_name(table.run, cells[wanted])
    results.pictures[results.root / PICTURES / name] = picture(cells[wanted], title=title)
    up = "../" * (len(folder.parts) - 1) if folder.parts else f"{PICTURES.parts[0]}/"
    return "\n".join([f"![{title}]({up}{PICTURES.name}/{name})", "", *phases(cells[wanted])])


def _what_was_measured(results: Results, path: str, chosen: dict[str, str]) -> str:
    return render_measured(results.security(path), chosen.get("only", ""))


def _capacities(results: Results, path: str, chosen: dict[str, str]) -> str:
    table = results.capacities(path)
    own = [{"workload": each.workload, "cpus": str(each.cpus)} for each in table.sections]
    fitting = [
        section
        for section, keys in zip(table.sections, own, strict=True)
        if all(keys[key] == value for key, value in chosen.items())
    ]
    if not fitting:
        known = "; ".join(f"workload={each['workload']} cpus={each['cpus']}" for each in own)
        raise UsageError(f"{path}: no section {_wanted(chosen)}", f"There are: {known}")
    return render_capacities(table, fitting)


def _parsed(kind: str, arguments: str) -> tuple[str, dict[str, str]]:
    """The run's folder and the keys with their values."""
    path, *pairs = arguments.split() or [""]
    if not path or "=" in path:
        raise UsageError(f"{kind} marker: the run's folder must come first")
    chosen: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        _check_known(key, KEYS[kind], what=f"key of a {kind} marker")
        if not equals or not value or key in chosen:
            raise UsageError(f"{kind} marker: {pair!r} is not KEY=VALUE, or there twice")
        chosen[key] = value
    missing = [key for key in ("target", "value") if kind == "figure" and key not in chosen]
    if missing:
        raise UsageError(f"figure marker: {' and '.join(missing)} missing")
    return path, chosen


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


def _wanted(chosen: dict[str, str]) -> str:
    return " ".join(f"{key}={chosen[key]}" for key in SECTION_KEYS if key in chosen)


def _columns(chosen: dict[str, str]) -> Sequence[str] | None:
    if "columns" not in chosen:
        return None
    keys = chosen["columns"].split(",")
    for key in keys:
        _check_known(key, COLUMNS, what="column")
    return keys


def _figure(results: Results, path: str, chosen: dict[str, str]) -> str:
    """The number as the table shows it; nothing but a number may stand in a sentence."""
    sections = _sections(results.table(path), path, chosen, kind="figure")
    if len(sections) > 1:
        several = "; ".join(_address(section) for section in sections)
        raise UsageError(f"{path}: a figure needs one section", f"These fit: {several}")
    (section,) = sections
    row, value = chosen.get(row_title(section)), chosen["value"]
    if row is None:
        raise UsageError(f"figure marker: {row_title(section)} missing")
    _check_known(value, COLUMNS, what="value")
    rows = {each.name: each for each in section.rows}
    _check_known(row, rows, what=f"{row_title(section)} in {heading(section)}")
    _check_number(rows[row], value)
    return COLUMNS[value].show(rows[row])


def _check_number(row: Row, value: str) -> None:
    if row.state is not RowState.MEASURED:
        raise UsageError(f"{row.name} has no {value}: it is {row.state.value}: {one_line(row.reason or '')}")
    if value in ("ratio", "ratio_range") and row.reference:
        raise UsageError(f"{row.name} has no {value}: it is the reference")
    if COLUMNS[value].show(row) == ABSENT:
        raise UsageError(f"{row.name} has no {value}: it is absent in the table")


def _check_known(name: str, known: Iterable[str], *, what: str) -> None:
    names = list(known)
    if name not in names:
        near = did_you_mean(name, names)
        raise UsageError(f"unknown {what} {name!r}{near}", f"Known: {', '.join(names)}")


BLOCKS = {
    "table": _table,
    "attacks": _attacks,
    "http": _http,
    "failures": _failures,
    "fault": _fault,
    "measured": _what_was_measured,
    "capacity": _capacities,
    "images": _images,
    "crosscheck": _crosscheck,
    "bench": _bench,
    "claims": _claims,
    "claim": _claim,
}
"""What renders each kind that stands on lines of its own."""
