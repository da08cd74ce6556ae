"""Faults against targets as Markdown: the matrix, and what one fault cost everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from serverlab.errors import UsageError
from serverlab.formatting import ABSENT, amount, exact, one_line, percent, seconds, span
from serverlab.model.failure_tables import FailureCell, FailureTable
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


def render_matrix(table: FailureTable, only: str) -> str:
    """The faults whose ids begin with ``only`` against all targets, and the facts of the run. No line feed at the end.

    Raises:
        UsageError: there is no such fault.
    """
    chosen = {name: facts for name, facts in table.faults.items() if name.startswith(only)}
    if not chosen:
        raise UsageError(f"{table.run}: no fault {only!r}", f"There are: {', '.join(table.faults)}")
    faults = {name: facts for name, facts in chosen.items() if not facts.rule.must_lose}
    controls = [_control(table, name) for name in chosen if name not in faults]
    rows = [
        [f"[{name}](faults/{name}.md)", plain(facts.title), *_signs(table, name)]
        for name, facts in faults.items()
    ]
    lines = [*grid(["id", "fault", *table.targets], rows), "", LEGEND, "", *controls, *_facts(table)]
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


def _control(table: FailureTable, fault: str) -> str:
    """What a control of the instrument came to: no word on a server, so it has no row."""
    signs = ", ".join(
        f"{target} {sign}" for target, sign in zip(table.targets, _signs(table, fault), strict=True)
    )
    return (
        f"Control [{fault}](faults/{fault}.md), which passes where loss is seen, as it has to be: {signs}.\n"
    )


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


def _remarks(cells: Sequence[FailureCell]) -> Iterator[str]:
    """Why it is no pass, the same reason told once for all whose it is, and what the fault itself measured."""
    by_reason: dict[str, list[str]] = {}
    for cell in cells:
        for reason in cell.reasons:
            by_reason.setdefault(one_line(reason), []).append(cell.target)
    yield from (f"{', '.join(targets)}: {reason}" for reason, targets in by_reason.items())
    for cell in cells:
        if cell.measured:
            numbers = ", ".join(
                f"{name.replace('_', ' ')} {_spread(value, amount)}" for name, value in cell.measured.items()
            )
            yield f"{cell.target}: {numbers}"


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
