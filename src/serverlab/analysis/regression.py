"""Two runs against each other: what changed in each cell, and what the rules of a guard say of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from serverlab import stats
from serverlab.analysis.changes import LEVEL, Measured, measure
from serverlab.analysis.evidence import Evidence
from serverlab.analysis.grouping import grounds
from serverlab.analysis.likeness import differing, unlike
from serverlab.analysis.rows import state_of
from serverlab.analysis.welch import Shift
from serverlab.formatting import estimate, factor, points
from serverlab.model.regressions import (
    Change,
    ComparedCell,
    Comparison,
    Count,
    Judgement,
    Metric,
    Missing,
    Rule,
)
from serverlab.model.runs import Run
from serverlab.model.security import Verdict
from serverlab.model.tables import RowState

FALSE_ALARM = (1 - LEVEL) / 2
"""How likely any FAIL may be where nothing is as bad as its bound: as much as lies beyond one end of an interval."""

SEVERITY = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS, Verdict.NA)

Cell = tuple[str, int, str]
"""Workload, cores, target."""


def compare_runs(base: Run, new: Run, rules: Sequence[Rule]) -> Comparison:
    """Each cell that both plans hold, in the order of the new run, judged by every rule.

    A verdict is PASS where the interval lies on the better side of the rule's bound, FAIL where it begins at the bound
    or beyond it, else UNKNOWN. As among many verdicts some would be FAIL by chance, a FAIL has to stand Holm's
    correction over all of them, too. A PASS needs none, because the guard as a whole passes only where each verdict
    does: R. L. Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24 (1982), 295-300.
    A cell that the new run lacks is UNKNOWN to the guard: what has vanished has not passed. So is one that would pass
    where a larger share of its trials gave no number than in the base run: the others are those that survived.
    """
    before, after = _evidence(base), _evidence(new)
    both = [cell for cell in after if cell in before]
    measured = {cell: measure(before[cell], after[cell]) for cell in both}
    certain = _certain(rules, measured)
    cells = tuple(
        ComparedCell(
            workload=cell[0],
            cpus=cell[1],
            target=cell[2],
            base=_count(before[cell]),
            new=_count(after[cell]),
            changes=tuple(measured[cell][metric].change for metric in Metric),
            judgements=tuple(
                _judge(
                    rule,
                    before[cell],
                    after[cell],
                    measured[cell][rule.metric],
                    certain=(cell, rule.text) in certain,
                )
                for rule in rules
            ),
        )
        for cell in both
    )
    missing = (*_missing(before, after, base.name), *_missing(after, before, new.name))
    lost = [Verdict.UNKNOWN] if rules and before.keys() - after.keys() else []
    return Comparison(
        base=base.name,
        new=new.name,
        unlike=unlike(base, new),
        differing=differing(base, new),
        rules=tuple(rules),
        cells=cells,
        missing=missing,
        problems=base.problems + new.problems,
        verdict=min(
            [*lost, *(each.verdict for cell in cells for each in cell.judgements)],
            key=SEVERITY.index,
            default=None,
        ),
    )


def shown(change: Change) -> str:
    """The change with its interval: ``1.31 [1.22–1.41]``, for errors in percentage points."""
    show = points if change.metric is Metric.ERRORS else factor
    return estimate(change.interval, show) if change.interval else show(change.value)


def _evidence(run: Run) -> dict[Cell, Evidence]:
    return {
        (each.workload, ground.cpus, each.target): each for ground in grounds(run) for each in ground.evidence
    }


def _missing(of: Iterable[Cell], to: Mapping[Cell, Evidence], name: str) -> Iterator[Missing]:
    for workload, cpus, target in of:
        if (workload, cpus, target) not in to:
            yield Missing(target=target, workload=workload, cpus=cpus, only_in=name)


def _count(evidence: Evidence) -> Count:
    return Count(valid=len(evidence.samples), planned=len(evidence.planned))


def _certain(
    rules: Sequence[Rule], measured: Mapping[Cell, Mapping[Metric, Measured]]
) -> frozenset[tuple[Cell, str]]:
    """The cells and rules of which it is certain, among all others, that the change is as bad as the bound."""
    chances = {
        (cell, rule.text): _chance(rule, shift)
        for cell, metrics in measured.items()
        for rule in rules
        if (shift := metrics[rule.metric].shift) is not None
    }
    return stats.holm(chances, alpha=FALSE_ALARM)


def _chance(rule: Rule, shift: Shift) -> float:
    """How likely such a shift would be if the change were better than the rule's bound."""
    worsening, bound = _worsening(rule, shift)
    return worsening.chance_below(bound)


def _worsening(rule: Rule, shift: Shift) -> tuple[Shift, float]:
    """The shift and the rule's bound on the scale of the test, turned so that higher is worse."""
    bound = rule.bound if rule.metric is Metric.ERRORS else math.log(rule.bound)
    return (shift.mirrored(), -bound) if rule.metric.higher_is_better else (shift, bound)


def _judge(rule: Rule, base: Evidence, new: Evidence, measured: Measured, *, certain: bool) -> Judgement:
    if base.lacks and new.lacks:
        verdict, reason = Verdict.NA, f"it lacks the capability {new.lacks!r}"
    elif not base.samples or not new.samples:
        verdict, reason = Verdict.UNKNOWN, "; ".join([*_without(base, "base"), *_without(new, "new")])
    elif measured.shift is None:
        verdict, reason = Verdict.UNKNOWN, measured.lacks
    else:
        verdict, words = _verdict(rule, measured.shift, certain=certain)
        reason = words and f"{shown(measured.change)} {words}"
        if verdict is Verdict.PASS and _lost_share(new) > _lost_share(base):
            verdict = Verdict.UNKNOWN
            reason = f"{shown(measured.change)} is of the trials that survived: {_lost(new)}"
    return Judgement(rule=rule.text, verdict=verdict, reason=reason)


def _verdict(rule: Rule, shift: Shift, *, certain: bool) -> tuple[Verdict, str]:
    """The verdict, and how the interval lies to the bound where that is not a pass."""
    worsening, bound = _worsening(rule, shift)
    low, high = worsening.interval(LEVEL)
    allowed = rule.text.partition(":")[2]
    if high < bound:
        return Verdict.PASS, ""
    if low < bound:
        return Verdict.UNKNOWN, f"lies on both sides of {allowed}: add rounds to both runs"
    if not certain:
        return Verdict.UNKNOWN, (
            f"lies beyond {allowed}, as a few of so many verdicts do by chance: add rounds to both runs"
        )
    return Verdict.FAIL, f"lies beyond {allowed}"


def _lost_share(evidence: Evidence) -> float:
    return 1 - len(evidence.samples) / len(evidence.planned)


def _lost(evidence: Evidence) -> str:
    """How many of its trials there are no numbers of, and why."""
    missing = len(evidence.planned) - len(evidence.samples) - len(evidence.void)
    reasons = [*_void_reasons(evidence), *([f"{missing} not run"] if missing else [])]
    lost = missing + len(evidence.void)
    return f"{lost} of {len(evidence.planned)} have no number in the new run: {'; '.join(reasons)}"


def _void_reasons(evidence: Evidence) -> dict[str, None]:
    return dict.fromkeys(reason for trial in evidence.void for reason in trial.void_reasons)


def _without(evidence: Evidence, name: str) -> Iterator[str]:
    """Why the cell has no valid trial in this run; empty where it has."""
    if evidence.samples:
        return
    words = {
        RowState.NOT_APPLICABLE: f"it lacks the capability {evidence.lacks!r}",
        RowState.NOT_RUN: "not run",
        RowState.VOID: f"VOID: {'; '.join(_void_reasons(evidence))}",
    }
    yield f"{name} run: {words[state_of(evidence)]}"
