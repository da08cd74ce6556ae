"""Attacks against servers as Markdown, and what some of them measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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


def render_attacks(table: SecurityTable, only: str) -> str:
    """The attacks whose ids begin with ``only`` against all servers, what is to say of some, and the facts of the run.

    A cell says both, direct and behind the edge, where they are not alike. No line feed at the end.

    Raises:
        UsageError: there is no such attack.
    """
    rows = [row for row in table.rows if row.attack.startswith(only)]
    if not rows:
        raise UsageError(f"{table.run}: no attack {only!r}")
    titles = ["id", "attack", "expected", *table.servers]
    notes = [note for note in table.notes if note.attack.startswith(only)]
    everywhere = frozenset(each.target for each in table.findings)
    told = [_note(note, everywhere) for note in notes]
    lines = [*grid(titles, (_row(row, table.servers) for row in rows)), "", *told, *([""] if told else [])]
    return "\n".join([*lines, *_facts(table)])


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
    return [row.attack, plain(row.title), plain(row.expected), *(_cell(row, server) for server in servers)]


def _cell(row: SecurityRow, server: str) -> str:
    direct, behind = row.direct.get(server), row.behind_edge.get(server)
    words = {name: WORDS[verdict] for name, verdict in (("direct", direct), ("edge", behind)) if verdict}
    if not words:
        return ABSENT
    alike = len(set(words.values())) == 1
    return (
        next(iter(words.values())) if alike else ", ".join(f"{name} {word}" for name, word in words.items())
    )


def _note(note: SecurityNote, everywhere: frozenset[str]) -> str:
    seen = f" (seen: {plain(one_line(note.seen))})" if note.verdict is not Verdict.NA else ""
    reason = f": {plain(one_line(note.reason))}" if note.reason else ""
    whose = "everywhere" if everywhere == set(note.targets) else ", ".join(note.targets)
    return f"- {note.attack} {WORDS[note.verdict]}, {whose}{reason}{seen}"


def _measured(finding: Finding, names: Sequence[str]) -> list[str]:
    values = [significant(finding.measured[name]) if name in finding.measured else ABSENT for name in names]
    return [finding.target, finding.attack, *values]


def _facts(table: SecurityTable) -> Iterator[str]:
    yield f"Run `{table.run}`:"
    yield ""
    yield from (f"- {fact.label}: {plain(fact.value)}" for fact in table.facts)
    yield from (f"- Problem: {plain(str(problem))}" for problem in table.problems)
