"""Attacks against servers as Markdown, what all came to on one server, and what some of them measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from serverlab.analysis.security import SEVERITY
from serverlab.errors import UsageError
from serverlab.formatting import ABSENT, one_line, significant
from serverlab.model.security import Finding, SecurityNote, SecurityRow, SecurityTable, Verdict
from serverlab.reports.markdown import grid, plain

WORDS = {
    Verdict.PASS: "✓ held",
    Verdict.FAIL: "✗ failed",
    Verdict.DIFFERENCE: "≠ differs",
    Verdict.UNKNOWN: "? unknown",
    Verdict.NA: "– n/a",
}
"""Each verdict as a sign and a word."""

GROUPS = {
    "A1": "A1: signatures, headers and keys of tokens",
    "A2": "A2: claims",
    "A3": "A3: the life of tokens",
    "A4": "A4: sessions, browsers and sockets",
    "A5": "A5: abuse of the log-in",
    "K": "K: containers",
    "T": "T: traits of the ways of signing in",
    "W": "W: what is seen from outside",
}
"""What the beginnings of ids stand for."""


def render_attacks(table: SecurityTable, only: str) -> str:
    """The attacks whose ids begin with ``only`` against all servers, group by group, and the facts of the run.

    A cell says both, direct and behind the edge, where they are not alike, and of how many variants each verdict is
    where these are not; below each group stands what is to say of some of its cells. No line feed at the end.

    Raises:
        UsageError: there is no such attack.
    """
    rows = [row for row in table.rows if row.attack.startswith(only)]
    if not rows:
        raise UsageError(f"{table.run}: no attack {only!r}")
    lines: list[str] = []
    for name, group in groupby(rows, key=lambda row: _group(row.attack)):
        lines += [f"**{GROUPS.get(name, name)}**", "", *_grid(table, group), "", *_notes(table, name, only)]
    return "\n".join([*lines, *_facts(table)])


def _group(attack: str) -> str:
    return attack.partition("-")[0]


def _grid(table: SecurityTable, rows: Iterable[SecurityRow]) -> Iterator[str]:
    return grid(["id", "attack", "expected", *table.servers], (_row(row, table.servers) for row in rows))


def _notes(table: SecurityTable, group: str, only: str) -> Iterator[str]:
    """The notes on a group and an empty line, or nothing."""
    notes = [note for note in table.notes if _group(note.attack) == group and note.attack.startswith(only)]
    for note in notes:
        asked = {each.target for each in table.findings if each.attack == note.attack}
        yield _note(note, "everywhere" if asked == set(note.targets) else ", ".join(note.targets))
    if notes:
        yield ""


def render_server(table: SecurityTable, only: str = "") -> str:
    """How many of the attacks whose ids begin with ``only`` each target held off, and a note on what it did not.

    What is n/a is counted and not told. No line feed at the end.

    Raises:
        UsageError: there is no such attack.
    """
    counted: dict[str, Counter[Verdict]] = {}
    for each in table.findings:
        if each.attack.startswith(only):
            counted.setdefault(each.target, Counter())[each.verdict] += 1
    if not counted:
        raise UsageError(f"{table.run}: no attack {only!r}")
    names = sorted(counted, key=lambda name: ("+" in name, name))
    rows = ([name, *(str(counted[name][verdict]) for verdict in WORDS)] for name in names)
    notes = [
        _note(each, ", ".join(sorted(each.targets)))
        for each in table.notes
        if each.verdict is not Verdict.NA and each.attack.startswith(only)
    ]
    lines = [*grid(["target", *WORDS.values()], rows), ""]
    return "\n".join([*lines, *notes, *([""] if notes else []), *_facts(table)])


def render_measured(table: SecurityTable, only: str) -> str:
    """What the attacks whose ids begin with ``only`` measured: a line for each target and attack.

    Raises:
        UsageError: they measured nothing.
    """
    found = [each for each in table.findings if each.attack.startswith(only) and each.measured]
    if not found:
        raise UsageError(f"{table.run}: attacks {only!r} measured nothing")
    names = list(dict.fromkeys(name for each in found for name in each.measured))
    titles = ["target", "id", *(name.replace("_", " ") for name in names)]
    return "\n".join([*grid(titles, (_measured(each, names) for each in found)), "", *_facts(table)])


def _row(row: SecurityRow, servers: Sequence[str]) -> list[str]:
    cells = (_cell(row.direct.get(server, {}), row.behind_edge.get(server, {})) for server in servers)
    return [row.attack, plain(row.title), plain(row.expected), *cells]


def _cell(direct: Mapping[Verdict, int], edge: Mapping[Verdict, int]) -> str:
    """What all variants came to; with numbers of variants where they differ, worst first."""
    places = {name: counted for name, counted in (("direct", direct), ("edge", edge)) if counted}
    words = {name: _words(counted) for name, counted in places.items()}
    if not words:
        return ABSENT
    if len(set(words.values())) == 1 and all(len(counted) == 1 for counted in places.values()):
        return next(iter(words.values()))
    mixed = any(len(counted) > 1 for counted in places.values())
    return ("; " if mixed else ", ").join(f"{name} {word}" for name, word in words.items())


def _words(counted: Mapping[Verdict, int]) -> str:
    if len(counted) == 1:
        return WORDS[next(iter(counted))]
    return ", ".join(f"{WORDS[each]} ({counted[each]})" for each in SEVERITY if each in counted)


def _note(note: SecurityNote, whose: str) -> str:
    seen = f" (seen: {plain(one_line(note.seen))})" if note.verdict is not Verdict.NA else ""
    reason = f": {plain(one_line(note.reason))}" if note.reason else ""
    return f"- {note.attack} {WORDS[note.verdict]}, {whose}{reason}{seen}"


def _measured(finding: Finding, names: Sequence[str]) -> list[str]:
    values = [significant(finding.measured[name]) if name in finding.measured else ABSENT for name in names]
    return [finding.target, finding.attack, *values]


def _facts(table: SecurityTable) -> Iterator[str]:
    yield f"Run `{table.run}`:"
    yield ""
    yield from (f"- {fact.label}: {plain(fact.value)}" for fact in table.facts)
    yield from (f"- Problem: {plain(str(problem))}" for problem in table.problems)
