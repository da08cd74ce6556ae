"""What stands below the rows of a section, in words: VOID trials, errors, predictions and the numbered doubts."""

from __future__ import annotations

from collections.abc import Iterator

from serverlab.formatting import ABSENT, estimate, factor, numbers, one_line, percent, plural
from serverlab.model.tables import Detail, Doubt, Errors, Row, RowState, ScoredPrediction, Section


def remarks(section: Section) -> Iterator[str]:
    """Why a row or some of its trials have no numbers, which errors there were, how predictions fared: a line each."""
    for row in section.rows:
        if row.state in (RowState.NOT_APPLICABLE, RowState.NOT_RUN):
            yield f"{row.state.value}: {row.name}: {one_line(row.reason or '')}"
        for void in row.void:
            rounds = "round" if len(void.rounds) == 1 else "rounds"
            yield f"VOID: {row.name}, {rounds} {numbers(void.rounds)}: {one_line(void.reason)}"
    for row in section.rows:
        if row.errors and row.errors.count:
            yield f"errors: {_errors(row, row.errors)}"
    yield from map(_prediction, section.predictions)


def footnote(doubt: Doubt) -> str:
    """The doubt in one paragraph: what it is, of whom it holds, what to do."""
    details = "; ".join(_detail(doubt, detail) for detail in doubt.details)
    return f"{doubt.message} ({one_line(details)}). {doubt.action[0].upper()}{doubt.action[1:]}."


def _prediction(each: ScoredPrediction) -> str:
    found = estimate(each.interval) if each.interval else f"no interval {ABSENT}"
    expected = f"{factor(each.low)}–{factor(each.high)} ({one_line(each.source)})"
    return f"prediction {each.score.value}: {each.name}: expected {expected}, measured {found}"


def _detail(doubt: Doubt, detail: Detail) -> str:
    if not detail.targets:
        return detail.text
    return f"{'all rows' if doubt.everywhere else ', '.join(detail.targets)}: {detail.text}"


def _errors(row: Row, errors: Errors) -> str:
    kinds = ", ".join(
        f"{one_line(each.kind)}{'' if each.status is None else f' {each.status}'}: {each.count}"
        for each in errors.kinds
    )
    return f"{row.name}: {plural(errors.count, 'request')} ({percent(errors.share)}): {kinds}"
