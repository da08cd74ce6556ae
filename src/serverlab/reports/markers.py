"""What stands between one pair of markers: their arguments, and the text that the files give for them."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from itertools import takewhile
from pathlib import PurePosixPath

from serverlab.analysis.agreement import agreement, likeness
from serverlab.analysis.capacity_joining import refuse_unlike
from serverlab.analysis.framing import differing, framing_table, of_server
from serverlab.errors import UsageError
from serverlab.model.framing import Differential
from serverlab.reports.agreement import render_agreement
from serverlab.reports.benchmark import render_benchmark
from serverlab.reports.capacity import render_excerpt as render_capacities
from serverlab.reports.claims import named, render_claim, render_overview
from serverlab.reports.crosscheck import render_crosscheck
from serverlab.reports.definitions import render_definition
from serverlab.reports.failures import render_fault, render_matrix, render_whole_matrix
from serverlab.reports.failures import render_server as render_failures_of
from serverlab.reports.framing import render_again, render_framing
from serverlab.reports.framing import render_server as render_framing_of
from serverlab.reports.inventory import render_inventory
from serverlab.reports.results import Results
from serverlab.reports.sections import SECTION_KEYS, asked, check_known, excerpt, figure
from serverlab.reports.security import render_attacks, render_measured
from serverlab.reports.security import render_server as render_attacks_of
from serverlab.reports.timeline import phases, picture, picture_name

PICTURES = PurePosixPath("docs/pictures")
"""Where pictures are kept that pages below docs/ refer to."""

FAULTS = PurePosixPath("docs/faults")
"""Where each fault has its page."""

KEYS = {
    "table": (*SECTION_KEYS, "columns"),
    "figure": (*SECTION_KEYS, "value"),
    "agreement": ("again",),
    "attacks": ("only", "server"),
    "http": ("only", "again", "server"),
    "failures": ("only", "server"),
    "matrix": (),
    "fault": ("fault",),
    "timeline": ("fault", "target", "repetition"),
    "measured": ("only",),
    "images": (),
    "crosscheck": (),
    "bench": (),
    "capacity": ("workload", "cpus", "unlike"),
    "claims": (),
    "claim": (),
}

NEEDED = {"figure": ("target", "value"), "agreement": ("again",)}
"""Keys that a marker cannot do without."""


def render_marker(results: Results, *, kind: str, arguments: str, folder: PurePosixPath) -> str:
    """The text for a marker of this kind (see KEYS, and ``definition``) with these arguments.

    ``folder`` is that of the page, relative to the root; pictures that the text refers to are put into ``results``.

    Raises:
        UsageError: an argument is wrong, or the result has no such number.
    """
    if kind == "definition":
        return render_definition(results.catalog, arguments)
    paths, chosen = _parsed(kind, arguments)
    if kind == "capacity":
        return f"\n{_capacities(results, paths, chosen)}\n"
    (path,) = paths
    if kind == "figure":
        return figure(results.table(path), path, chosen)
    if kind in PLACED:
        return f"\n{PLACED[kind](results, path, chosen, folder=folder)}\n"
    return f"\n{BLOCKS[kind](results, path, chosen)}\n"


def _table(results: Results, path: str, chosen: dict[str, str]) -> str:
    return excerpt(results.table(path), path, chosen)


def _agreement(results: Results, path: str, chosen: dict[str, str]) -> str:
    again = chosen["again"]
    first, second = results.table(path), results.table(again)
    pairs = agreement(first, second)
    if all(each.overlap is None for each in pairs):
        raise UsageError(f"{path}, {again}: no row has an interval in both")
    alike = likeness(results.run(path), results.run(again))
    return render_agreement(pairs, first.run, second.run, alike)


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
    only = chosen.get("only", "")
    if "server" in chosen:
        return render_attacks_of(results.security(path, chosen["server"]), only)
    return render_attacks(results.security(path), only)


def _http(results: Results, path: str, chosen: dict[str, str]) -> str:
    run = _differential(results, path, chosen)
    render = render_framing_of if "server" in chosen else render_framing
    text = render(framing_table(run), chosen.get("only", ""))
    if "again" not in chosen:
        return text
    other = _differential(results, chosen["again"], chosen)
    return f"{text}\n\n{render_again(other.name, differing(run, other))}"


def _differential(results: Results, path: str, chosen: dict[str, str]) -> Differential:
    run = results.differential(path)
    if "server" not in chosen:
        return run
    own = of_server(run, chosen["server"])
    if not own.found:
        raise UsageError(f"{path}: no target of {chosen['server']!r}")
    return own


def _failures(results: Results, path: str, chosen: dict[str, str], *, folder: PurePosixPath) -> str:
    table, only = results.failures(path), chosen.get("only", "")
    pages = posixpath.relpath(FAULTS, folder)
    if "server" in chosen:
        return render_failures_of(table, chosen["server"], only, pages=pages)
    return render_matrix(table, only, pages=pages)


def _matrix(results: Results, path: str, chosen: dict[str, str], *, folder: PurePosixPath) -> str:  # noqa: ARG001
    return render_whole_matrix(results.all_failures(path), pages=posixpath.relpath(FAULTS, folder))


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


def _capacities(results: Results, paths: Sequence[str], chosen: dict[str, str]) -> str:
    """One table of all runs; such as are unlike are refused unless ``unlike=yes`` is there, and then it says so."""
    table = results.capacities(paths)
    unlike = chosen.pop("unlike", "no")
    if unlike not in {"yes", "no"}:
        raise UsageError(f"capacity marker: unlike={unlike} is neither yes nor no")
    if unlike == "no":
        refuse_unlike(table)
    own = [{"workload": each.workload, "cpus": str(each.cpus)} for each in table.sections]
    fitting = [
        section
        for section, keys in zip(table.sections, own, strict=True)
        if all(keys[key] == value for key, value in chosen.items())
    ]
    if not fitting:
        known = "; ".join(f"workload={each['workload']} cpus={each['cpus']}" for each in own)
        raise UsageError(f"{' '.join(paths)}: no section {asked(chosen)}", f"There are: {known}")
    return render_capacities(table, fitting)


def _parsed(kind: str, arguments: str) -> tuple[list[str], dict[str, str]]:
    """The run's folder, of searches for capacity those of all runs, and the keys with their values."""
    words = arguments.split()
    paths = list(takewhile(lambda word: "=" not in word, words if kind == "capacity" else words[:1]))
    if not paths:
        raise UsageError(f"{kind} marker: the run's folder must come first")
    chosen: dict[str, str] = {}
    for pair in words[len(paths) :]:
        key, equals, value = pair.partition("=")
        check_known(key, KEYS[kind], what=f"key of a {kind} marker")
        if not equals or not value or key in chosen:
            raise UsageError(f"{kind} marker: {pair!r} is not KEY=VALUE, or there twice")
        chosen[key] = value
    missing = [key for key in NEEDED.get(kind, ()) if key not in chosen]
    if missing:
        raise UsageError(f"{kind} marker: {' and '.join(missing)} missing")
    return paths, chosen


BLOCKS = {
    "table": _table,
    "agreement": _agreement,
    "attacks": _attacks,
    "http": _http,
    "fault": _fault,
    "measured": _what_was_measured,
    "images": _images,
    "crosscheck": _crosscheck,
    "bench": _bench,
    "claims": _claims,
    "claim": _claim,
}
"""What renders each kind that stands on lines of its own."""

PLACED = {
    "failures": _failures,
    "matrix": _matrix,
    "timeline": _timeline,
}
"""The same for kinds whose text refers to other files, so that it matters where the page is."""
