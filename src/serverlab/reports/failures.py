"""Faults against targets as Markdown: the matrix, what one fault cost everywhere, and what all cost one server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from string import ascii_lowercase

from serverlab.analysis.failures import of_server
from serverlab.errors import UsageError
from serverlab.formatting import ABSENT, amount, exact, one_line, percent, plural, seconds, span
from serverlab.model.failure_tables import FailureCell, FailureOverview, FailureTable
from serverlab.model.fault_runs import FaultFacts
from serverlab.model.faults import Rule, Verdict
from serverlab.model.tables import Spread
from serverlab.reports.markdown import grid, plain

SIGNS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.UNKNOWN: "?",
    Verdict.VOID: "?",
    Verdict.NA: ABSENT,
}
LEGEND = "✓ passed the rule of the fault, ✗ did not, ? not shown, – has no meaning there; 2/5: in so many repetitions."
LEGEND_OF_ALL = (
    "✓ passed the rule of the fault, ✗ did not, ? not shown, – has no meaning there; empty: not tried. The number says "
    "in how many repetitions; 2/5: in two of five."
)
PAGES = "faults"
"""Where the pages of faults are, seen from docs/."""

COLUMNS = (
    "target",
    "verdict",
    "lost",
    "failed",
    "done unseen",
    "longest gap s",
    "well again s",
    "goodput left",
    "repetitions",
)


def render_matrix(table: FailureTable, only: str, *, pages: str = PAGES) -> str:
    """The faults whose ids begin with ``only`` against all targets, and the facts of the run. No line feed at the end.

    ``pages`` is the folder of the faults' own pages, as links name it.

    Raises:
        UsageError: there is no such fault.
    """
    chosen = _chosen(table, only)
    faults = {name: facts for name, facts in chosen.items() if not facts.rule.must_lose}
    controls = [_control(table, name, pages) for name in chosen if name not in faults]
    rows = [[_link(name, pages), plain(facts.title), *_signs(table, name)] for name, facts in faults.items()]
    lines = [*grid(["id", "fault", *table.targets], rows), "", LEGEND, "", *controls, *_facts(table)]
    return "\n".join(lines)


def render_whole_matrix(found: FailureOverview, *, pages: str = PAGES) -> str:
    """What the runs together have found of every fault on every target. No line feed at the end."""
    rows = [
        [_link(name, pages), plain(facts.title), *(_sign_of_all(found, name, each) for each in found.targets)]
        for name, facts in found.faults.items()
        if not facts.rule.must_lose
    ]
    runs = [f"- `{run}`: {plural(count, 'verdict')}" for run, count in sorted(found.runs.items())]
    lines = [*grid(["id", "fault", *found.targets], rows), "", LEGEND_OF_ALL, "", "From the runs:", "", *runs]
    return "\n".join(lines)


def render_fault(table: FailureTable, name: str) -> str:
    """What is done, the rule, and what the fault cost each target. No line feed at the end.

    Raises:
        UsageError: there is no such fault.
    """
    if name not in table.faults:
        raise UsageError(f"{table.run}: no fault {name!r}", f"There are: {', '.join(table.faults)}")
    facts = table.faults[name]
    cells = [each for each in table.cells if each.fault == name]
    tried = [each for each in cells if each.verdict is not Verdict.NA]
    lines = [
        f"- Done: {plain(facts.what)}",
        f"- To pass: {plain(rule_in_words(facts.rule))}",
        f"- Time: {plain(_timeline(facts))}",
        "",
    ]
    lines += [*grid(COLUMNS, map(_row, tried)), ""] if tried else []
    lines += [f"- {plain(each)}" for each in _remarks(cells)]
    return "\n".join([*lines, "", *_facts(table)])


def render_server(table: FailureTable, server: str, only: str = "", *, pages: str = PAGES) -> str:
    """What the faults whose ids begin with ``only`` cost the targets of one server, and the facts of the run.

    A control of the instrument is no word on a server and is left out. No line feed at the end.

    Raises:
        UsageError: there is no such fault, or no target of that server.
    """
    own = of_server(table, server)
    if not own.targets:
        raise UsageError(f"{table.run}: no target of {server!r}", f"There are: {', '.join(table.targets)}")
    faults = {name: facts for name, facts in _chosen(own, only).items() if not facts.rule.must_lose}
    cells = [each for each in own.cells if each.fault in faults]
    rows = [
        [_link(each.fault, pages), plain(faults[each.fault].title), *_row(each)]
        for each in cells
        if each.verdict is not Verdict.NA
    ]
    lines = [*grid(("id", "fault", *COLUMNS), rows), ""] if rows else []
    lines += [f"- {plain(each)}" for each in _remarks(cells, lambda cell: f"{cell.fault} {cell.target}")]
    return "\n".join([*lines, "", *_facts(own)])


def rule_in_words(rule: Rule) -> str:
    """What a stack has to do to pass, in a sentence."""
    whole = "no acknowledged write is lost, doubled or torn"
    parts = ["acknowledged writes are lost (a control of the instrument)" if rule.must_lose else whole]
    if rule.recovers:
        parts.append("it is well again within the observation")
    if rule.failures_at_most is not None:
        parts.append(f"at most {rule.failures_at_most} attempts fail")
    if rule.longest_gap_s is not None:
        parts.append(f"something succeeds at least every {exact(rule.longest_gap_s)} s")
    if rule.goodput_at_least is not None:
        parts.append(f"{percent(rule.goodput_at_least)} of the successes per second are left under the fault")
    parts += [
        f"{name.replace('_', ' ')} is at most {exact(most)}" for name, most in rule.measured_at_most.items()
    ]
    return "; ".join(parts)


def _chosen(table: FailureTable, only: str) -> dict[str, FaultFacts]:
    chosen = {name: facts for name, facts in table.faults.items() if name.startswith(only)}
    if not chosen:
        raise UsageError(f"{table.run}: no fault {only!r}", f"There are: {', '.join(table.faults)}")
    return chosen


def _link(fault: str, pages: str) -> str:
    """The fault's id with its page, which it shares with those that differ from it in a letter: F-35 with F-35m."""
    return f"[{fault}]({pages}/{fault.rstrip(ascii_lowercase)}.md)"


def _control(table: FailureTable, fault: str, pages: str) -> str:
    """What a control of the instrument came to: no word on a server, so it has no row."""
    signs = ", ".join(
        f"{target} {sign}" for target, sign in zip(table.targets, _signs(table, fault), strict=True)
    )
    return f"Control {_link(fault, pages)}, which passes where loss is seen, as it has to be: {signs}.\n"


def _signs(table: FailureTable, fault: str) -> Iterator[str]:
    for target in table.targets:
        cell = table.cell(fault, target)
        yield ABSENT if cell is None else _sign(cell)


def _sign(cell: FailureCell) -> str:
    """The verdict's sign; where not all repetitions had it, how many did."""
    tried = sum(cell.counted.values())
    had = cell.counted.get(cell.verdict.value, 0)
    share = f" {had}/{tried}" if had and had < tried else ""
    return f"{SIGNS[cell.verdict]}{share}"


def _sign_of_all(found: FailureOverview, fault: str, target: str) -> str:
    """The verdict's sign with the number of repetitions that had it, and of how many where not all did."""
    cell = found.cells.get((fault, target))
    if cell is None:
        return ""
    sign, tried = _sign(cell), sum(cell.counted.values())
    return f"{sign} {tried}" if tried and "/" not in sign else sign


def _row(cell: FailureCell) -> list[str]:
    return [
        plain(cell.target),
        f"{_sign(cell)} {cell.verdict.value}",
        ", ".join(f"{count} {name}" for name, count in cell.wrong.items())
        or ("0" if cell.failed else ABSENT),
        _spread(cell.failed, amount),
        _spread(cell.unacknowledged, amount),
        _spread(cell.longest_gap_s, seconds),
        _recovery(cell),
        _spread(cell.goodput_kept, percent),
        " ".join(f"{count} {word}" for word, count in cell.counted.items()) or "0",
    ]


def _recovery(cell: FailureCell) -> str:
    """Seconds until it was well again; where it was not in some repetitions, in how many."""
    if not cell.not_recovered:
        return _spread(cell.to_recovery_s, seconds)
    never = f"not in {cell.not_recovered}"
    return f"{_spread(cell.to_recovery_s, seconds)}, {never}" if cell.to_recovery_s else "never"


def _spread(value: Spread | None, show: Callable[[float], str]) -> str:
    """The median with the smallest and the largest, where they are not shown alike."""
    if value is None:
        return ABSENT
    middle = show(value.median)
    around = span(value.low, value.high, show)
    return middle if around == middle else f"{middle} ({around})"


def _remarks(
    cells: Sequence[FailureCell], name: Callable[[FailureCell], str] = lambda cell: cell.target
) -> Iterator[str]:
    """Why it is no pass, the same reason told once for all whose it is, and what the fault itself measured."""
    by_reason: dict[str, list[str]] = {}
    for cell in cells:
        for reason in cell.reasons:
            by_reason.setdefault(one_line(reason), []).append(name(cell))
    yield from (f"{', '.join(whose)}: {reason}" for reason, whose in by_reason.items())
    for cell in cells:
        if cell.repeated:
            yield f"{name(cell)}: {plural(cell.repeated, 'write')} there more than once, as they may be here"
        if cell.measured:
            numbers = ", ".join(
                f"{key.replace('_', ' ')} {_spread(value, amount)}" for key, value in cell.measured.items()
            )
            yield f"{name(cell)}: {numbers}"


def _timeline(facts: FaultFacts) -> str:
    line = facts.timeline
    return (
        f"{exact(line.baseline_s)} s before, {exact(line.hold_s)} s under the fault, "
        f"observed for {exact(line.observe_s)} s after it"
    )


def _facts(table: FailureTable) -> Iterator[str]:
    yield f"Run `{table.run}`:"
    yield ""
    yield from (f"- {fact.label}: {plain(fact.value)}" for fact in table.facts)
    yield from (f"- Problem: {plain(str(problem))}" for problem in table.problems)
