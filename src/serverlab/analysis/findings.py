"""What attacks, faults and odd requests say to the conditions of a claim."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from serverlab import stats
from serverlab.analysis.failures import failed_since, well_again
from serverlab.analysis.framing import cell
from serverlab.analysis.security import judged
from serverlab.formatting import plural, significant
from serverlab.model.claims import (
    Answer,
    Attack,
    Bound,
    Fault,
    Framing,
    Holdings,
    JudgedCondition,
    Reading,
)
from serverlab.model.fault_runs import FaultRun
from serverlab.model.faults import Cell, Toll
from serverlab.model.faults import Verdict as FaultVerdict
from serverlab.model.framing import Differential, Framed, FramingCell
from serverlab.model.security import Assault, Finding, Verdict

R = TypeVar("R", Assault, FaultRun, Differential)
P = TypeVar("P")

Found = tuple[Answer, str, str, str]
"""Of one target: the answer, what was found, why that decides nothing, and the run."""

BAD = (Verdict.FAIL, Verdict.DIFFERENCE)
TRIED = (FaultVerdict.PASS, FaultVerdict.FAIL, FaultVerdict.UNKNOWN)


def all_of(answers: Iterable[Answer]) -> Answer:
    """Whether all are YES: NO as soon as one is, OPEN where one is open and none is NO, or there are none."""
    found = set(answers)
    if Answer.NO in found:
        return Answer.NO
    return Answer.YES if found == {Answer.YES} else Answer.OPEN


def attacked(plain: JudgedCondition, condition: Attack, holdings: Holdings) -> JudgedCondition:
    """The condition answered by the newest attacks on each target."""

    def of(target: str) -> Found:
        latest = _latest(holdings.assaults, lambda run: _finding(run, condition.attack, target))
        if latest is None:
            return Answer.OPEN, "", f"no attack {condition.attack} on it", ""
        assault, finding = latest
        return (*_attack_answer(condition, judged(finding, holdings.servers)), assault.name)

    return _merged(plain, {target: of(target) for target in condition.targets})


def broken(plain: JudgedCondition, condition: Fault, runs: Sequence[FaultRun]) -> JudgedCondition:
    """The condition answered by the newest run on each target, one with enough repetitions before one without."""

    def of(target: str) -> Found:
        def pick(run: FaultRun) -> list[Cell] | str | None:
            return _cells(run, condition.fault, target)

        enough = [each for each in runs if each.plan.experiment.repetitions >= stats.FEWEST_ROUNDS]
        latest: tuple[FaultRun, list[Cell] | str] | None = _latest(enough, pick) or _latest(runs, pick)
        if latest is None:
            return Answer.OPEN, "", f"no run with the fault {condition.fault} on it", ""
        run, cells = latest
        return (*_fault_answer(condition, cells), run.name)

    return _merged(plain, {target: of(target) for target in condition.targets})


def read_oddly(plain: JudgedCondition, condition: Framing, runs: Sequence[Differential]) -> JudgedCondition:
    """The condition answered by the newest run that put such a case to each target."""

    def of(target: str) -> Found:
        latest = _latest(runs, lambda run: _framed(run, condition.cases, target))
        if latest is None:
            return Answer.OPEN, "", f"{', '.join(condition.cases)} not asked of it", ""
        run, found = latest
        return (*_framing_answer(condition, found), run.name)

    return _merged(plain, {target: of(target) for target in condition.targets})


def _attack_answer(condition: Attack, finding: Finding) -> tuple[Answer, str, str]:
    verdict = finding.verdict
    if condition.measured is not None and condition.bound is not None:
        value = finding.measured.get(condition.measured)
        if value is None or verdict in (Verdict.UNKNOWN, Verdict.NA):
            return Answer.OPEN, verdict.value, finding.reason or f"no {condition.measured} was measured"
        return _held(condition.bound, value), significant(value), ""
    if verdict is condition.verdict or (condition.verdict is Verdict.FAIL and verdict in BAD):
        return Answer.YES, f"{verdict.value}: {finding.seen}", ""
    if verdict in (Verdict.UNKNOWN, Verdict.NA):
        return Answer.OPEN, verdict.value, finding.reason
    return Answer.NO, f"{verdict.value}: {finding.seen}", ""


def _fault_answer(condition: Fault, cells: Sequence[Cell] | str) -> tuple[Answer, str, str]:
    """Of all repetitions: YES if it is so in each of them, NO if in none."""
    if isinstance(cells, str):
        return Answer.OPEN, "n/a", cells
    tried = [each for each in cells if each.judgement.verdict in TRIED and each.judgement.toll]
    if len(tried) < stats.FEWEST_ROUNDS:
        return Answer.OPEN, "", f"{plural(len(tried), 'valid repetition')}, {stats.FEWEST_ROUNDS} are needed"
    seen = [_repetition(condition, each) for each in tried]
    if None in seen:
        return Answer.OPEN, "", f"a repetition without {condition.measured or 'a verdict'}"
    count = sum(bool(each) for each in seen)
    found = f"in {count} of {plural(len(seen), 'repetition')}{_numbers(condition, tried)}"
    if 0 < count < len(seen):
        return Answer.OPEN, found, "not the same in all repetitions"
    return (Answer.YES if count else Answer.NO), found, ""


def _repetition(condition: Fault, tried: Cell) -> bool | None:
    """Whether it was so in this one, None where that was not measured, or not told."""
    if condition.measured is None or condition.bound is None:
        verdict = tried.judgement.verdict
        return None if verdict is FaultVerdict.UNKNOWN else verdict is condition.verdict
    value = _measured(tried, condition.measured)
    return None if value is None else condition.bound.met(value)


def _measured(tried: Cell, name: str) -> float | None:
    toll = tried.judgement.toll
    if toll is None:
        return None
    if name == "failed":
        failed = failed_since(toll)
        return None if failed is None else float(failed)
    if name == "well_again":
        well = well_again(toll)
        return None if well is None else float(well)
    if name in Toll.__struct_fields__:
        value = getattr(toll, name)
        return float(value) if isinstance(value, int | float) else None
    return tried.measured.get(name)


def _numbers(condition: Fault, tried: Sequence[Cell]) -> str:
    if condition.measured is None:
        return ""
    values = [_measured(each, condition.measured) for each in tried]
    return ": " + ", ".join(significant(value) for value in values if value is not None)


def _framing_answer(condition: Framing, found: Sequence[Framed]) -> tuple[Answer, str, str]:
    """What is not known counts both ways: only where that makes no difference is there an answer.

    A case with a problem may lack any number of forms.
    """
    cells, bound = [cell(each) for each in found], condition.bound
    sure = sum(_counted(each, condition.counted) for each in cells)
    unknown, forms = sum(each.unknown for each in cells), sum(each.forms for each in cells)
    said = f"{sure} of {plural(forms, 'form')}"
    most = math.inf if any(each.problem for each in found) else sure + unknown
    between = [end for end in bound.ends if sure < end < most]
    met = {bound.met(count) for count in (sure, *between, most)}
    if len(met) > 1:
        broken = [each.problem for each in found if each.problem]
        return Answer.OPEN, said, "; ".join(broken) or f"{plural(unknown, 'form')} not known"
    return (Answer.YES if met == {True} else Answer.NO), said, ""


def _counted(found: FramingCell, reading: Reading) -> int:
    return found.smuggled if reading is Reading.SMUGGLED else found.otherwise


def _held(bound: Bound, value: float) -> Answer:
    return Answer.YES if bound.met(value) else Answer.NO


def _finding(run: Assault, attack: str, target: str) -> Finding | None:
    found = [each for each in run.findings if (each.attack, each.target) == (attack, target)]
    asked = [each for each in found if each.verdict is not Verdict.NA]
    return next(iter(asked or found), None)


def _cells(run: FaultRun, fault: str, target: str) -> list[Cell] | str | None:
    """The cells of the pair, why it has none, or None where it was not planned."""
    if reason := run.plan.skipped.get(f"{fault} {target}"):
        return reason
    if not any((each.fault, each.target) == (fault, target) for each in run.plan.cells):
        return None
    return [each for each in run.cells if (each.planned.fault, each.planned.target) == (fault, target)]


def _framed(run: Differential, cases: tuple[str, ...], target: str) -> list[Framed] | None:
    """What was made of the cases; None unless each of the beginnings was asked."""
    found = [each for each in run.found if each.target == target and each.case.startswith(cases)]
    asked = all(any(each.case.startswith(case) for each in found) for case in cases)
    return found if found and asked else None


def _latest(runs: Iterable[R], pick: Callable[[R], P | None]) -> tuple[R, P] | None:
    """The newest of the runs in which there is something to pick, and what that is."""
    found = [(run, picked) for run in runs if (picked := pick(run)) is not None]
    return max(found, key=lambda pair: pair[0].environment.started_at, default=None)


def _merged(plain: JudgedCondition, found: Mapping[str, Found]) -> JudgedCondition:
    """One answer for all targets; equal words of several are said once."""
    return msgspec.structs.replace(
        plain,
        answer=all_of(answer for answer, *_ in found.values()),
        found=_together({target: said for target, (_, said, _, _) in found.items() if said}),
        reason=_together({target: reason for target, (_, _, reason, _) in found.items() if reason}),
        evidence=tuple(dict.fromkeys(run for *_, run in found.values() if run)),
    )


def _together(said: Mapping[str, str]) -> str:
    targets: dict[str, list[str]] = {}
    for target, words in said.items():
        targets.setdefault(words, []).append(target)
    return "; ".join(f"{', '.join(named)}: {words}" for words, named in targets.items())
