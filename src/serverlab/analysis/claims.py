"""From results to the verdict on a popular sentence: pure functions, which no author of a claim can talk into one.

A condition is answered YES or NO only where the results show it or its opposite: a number that was timed needs its
whole interval on one side of the bound, at least three rounds, Holm's correction over all such conditions of the claim,
and a distance beyond the noise floor. All else is OPEN, and what is open decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from serverlab import stats
from serverlab.analysis.findings import attacked, broken, read_oddly
from serverlab.analysis.measured import Cells, Measured, changed
from serverlab.formatting import estimate, factor, plural, significant, span
from serverlab.model.claims import (
    COUNTED,
    Answer,
    Attack,
    Bound,
    Claim,
    Condition,
    Fault,
    Framing,
    Holdings,
    JudgedClaim,
    JudgedCondition,
    Metric,
    Missing,
    Ratio,
    Value,
    Verdict,
)
from serverlab.model.runs import Run
from serverlab.model.tables import Interval

KINDS = {
    Ratio: "ratio",
    Value: "value",
    Attack: "attack",
    Fault: "fault",
    Framing: "framing",
    Missing: "missing",
}


def judge_claims(claims: Mapping[str, Claim], holdings: Holdings) -> list[JudgedClaim]:
    """Every claim by its name with its verdict, in their order."""
    judge = _Judge(holdings)
    return [judge.judged(name, claim) for name, claim in claims.items()]


@dataclass(frozen=True)
class _Numbers:
    """What a ratio or a value is in each round; ``floor`` is the noise floor on the log scale, None if not known.

    ``too_low`` says why the numbers may be lower than they are, ``too_high`` why higher; "" if they may not.
    """

    run: Run
    values: tuple[float, ...]
    counted: bool
    wrong: str = ""
    floor: float | None = 0.0
    too_low: str = ""
    too_high: str = ""

    @cached_property
    def interval(self) -> Interval | None:
        return None if self.counted else stats.interval(self.values)


@dataclass
class _Judge:
    holdings: Holdings

    def __post_init__(self) -> None:
        self._cells = Cells(self.holdings.runs)

    def judged(self, name: str, claim: Claim) -> JudgedClaim:
        conditions = claim.conditions()
        numbers = {
            each: self._numbers(condition)
            for each, condition in conditions.items()
            if isinstance(condition, Ratio | Value)
        }
        certain = _certain(conditions, numbers)
        judged = {
            each: self._condition(each, condition, numbers.get(each), certain=each in certain)
            for each, condition in conditions.items()
        }
        verdict, because = decided(claim, {each: found.answer for each, found in judged.items()})
        return JudgedClaim(
            name=name, claim=claim, verdict=verdict, because=because, conditions=tuple(judged.values())
        )

    def _condition(
        self, name: str, condition: Condition, numbers: _Numbers | None, *, certain: bool
    ) -> JudgedCondition:
        plain = JudgedCondition(
            name=name,
            kind=KINDS[type(condition)],
            says=condition.says,
            asked=_asked(condition),
            answer=Answer.OPEN,
            found="",
        )
        match condition:
            case Ratio() | Value():
                return _of_numbers(plain, condition, numbers, certain=certain)
            case Attack():
                return attacked(plain, condition, self.holdings)
            case Fault():
                return broken(plain, condition, self.holdings.fault_runs)
            case Framing():
                return read_oddly(plain, condition, self.holdings.differentials)
            case Missing():
                return msgspec.structs.replace(plain, reason=f"needs {condition.needs}")

    def _numbers(self, condition: Ratio | Value) -> _Numbers | None:
        """What the newest fitting run says, None where there is no such run."""
        cells = [condition.of, condition.to] if isinstance(condition, Ratio) else [condition.of]
        run = self._cells.run_of(condition.experiment, condition.database, cells)
        if run is None:
            return None
        counted = condition.metric in COUNTED
        found = [self._cells.measured(run, cell) for cell in cells]
        # how many processes serve does not depend on what they are asked
        same = condition.metric is Metric.WORKERS
        wrong = "" if same else changed(run, cells, self.holdings.workloads)
        wrong = wrong or "; ".join(
            f"{cell}: {each.wrong}" for cell, each in zip(cells, found, strict=True) if each.wrong
        )
        rounds = [each.by_round(condition.metric) for each in found]
        values = stats.paired_ratios(rounds[0], rounds[1]) if len(rounds) > 1 else tuple(rounds[0].values())
        floors = [each.floor(condition.metric) for each in found] if len(found) > 1 else [0.0]
        known = [each for each in floors if each is not None]
        floor = max(known) if len(known) == len(floors) else None
        if condition.metric is not Metric.RPS:
            return _Numbers(run, values, counted, wrong, floor)
        of, to = found[0], found[1] if len(found) > 1 else None
        return _Numbers(
            run,
            values,
            counted,
            wrong,
            floor=floor,
            too_low=_named(of, of.held_back(to)),
            too_high=_named(to, to.held_back(of)) if to else "",
        )


def decided(claim: Claim, answers: Mapping[str, Answer]) -> tuple[Verdict, str]:
    """The verdict of the outcome that fits the answers, and its sentence; OPEN and "" where none does."""
    for outcome in claim.outcomes:
        if all(answers[name].value == wanted.value for name, wanted in outcome.when.items()):
            return Verdict(outcome.verdict.value), outcome.because
    return Verdict.OPEN, ""


def _certain(conditions: Mapping[str, Condition], numbers: Mapping[str, _Numbers | None]) -> frozenset[str]:
    """The conditions whose number differs from its bound also after Holm's correction over all of the claim."""
    chances = {
        name: max(stats.chance_if_equal([value / end for value in found.values]) for end in _bound(each).ends)
        for name, each in conditions.items()
        if (found := numbers.get(name)) is not None and found.interval is not None and not found.wrong
    }
    return stats.holm(chances)


def _of_numbers(
    plain: JudgedCondition, condition: Ratio | Value, numbers: _Numbers | None, *, certain: bool
) -> JudgedCondition:
    if numbers is None:
        where = f" with {condition.database}" if condition.database != "sqlite" else ""
        return msgspec.structs.replace(
            plain, reason=f"no run of the experiment {condition.experiment}{where} has it"
        )
    plain = msgspec.structs.replace(
        plain, evidence=(numbers.run.name,), rounds=len(numbers.values), interval=numbers.interval
    )
    if numbers.wrong:
        return msgspec.structs.replace(plain, reason=numbers.wrong)
    if not numbers.values:
        return msgspec.structs.replace(plain, reason="no round has this number")
    if numbers.counted:
        return _of_counts(plain, condition.bound, numbers.values)
    found = f"{estimate(numbers.interval, _show(condition))}, {plural(len(numbers.values), 'round')}"
    if numbers.interval is None:
        few = f"{plural(len(numbers.values), 'round')}; fewer than {stats.FEWEST_ROUNDS} have no interval"
        return msgspec.structs.replace(plain, found=_range(numbers.values), reason=few)
    answer, reason = _side(condition.bound, numbers, numbers.interval, certain=certain)
    return msgspec.structs.replace(plain, found=found, answer=answer, reason=reason)


def _of_counts(plain: JudgedCondition, bound: Bound, values: tuple[float, ...]) -> JudgedCondition:
    met = {bound.met(value) for value in values}
    answer = Answer.OPEN if len(met) > 1 else Answer.YES if met == {True} else Answer.NO
    reason = "not the same in all rounds" if answer is Answer.OPEN else ""
    return msgspec.structs.replace(plain, found=_range(values), answer=answer, reason=reason)


def _side(bound: Bound, numbers: _Numbers, interval: Interval, *, certain: bool) -> tuple[Answer, str]:
    """On which side of the bound the interval lies, and why that is not enough."""
    inside = bound.met(interval.low) and bound.met(interval.high)
    beyond = [end for end in bound.ends if interval.low <= end <= interval.high]
    if beyond:
        return Answer.OPEN, f"the interval includes {', '.join(f'{end:g}' for end in beyond)}: not shown"
    if not certain:
        return Answer.OPEN, "not shown after the correction for several comparisons"
    if noise := _noise(bound, numbers.floor, interval):
        return Answer.OPEN, noise
    leans_low = any(interval.low > end for end in bound.ends)
    leans_high = any(interval.high < end for end in bound.ends)
    if leans_high and numbers.too_low:
        return Answer.OPEN, f"at least this: {numbers.too_low}"
    if leans_low and numbers.too_high:
        return Answer.OPEN, f"at most this: {numbers.too_high}"
    return (Answer.YES if inside else Answer.NO), ""


def _noise(bound: Bound, floor: float | None, interval: Interval) -> str:
    """Why the distance to the bound may be noise, "" if it is more."""
    if floor is None:
        return "the control gives no interval: what equal things differ by in this run is not known"
    nearest = min(abs(math.log(interval.middle / end)) for end in bound.ends)
    return "within what equal things differ by in this run" if nearest <= floor else ""


def _asked(condition: Condition) -> str:
    match condition:
        case Ratio():
            return f"{condition.metric.value}: {condition.of} over {condition.to}, {condition.bound}"
        case Value():
            return f"{condition.metric.value}: {condition.of}, {condition.bound}"
        case Attack() | Fault():
            which = condition.attack if isinstance(condition, Attack) else condition.fault
            what = condition.verdict.value if condition.verdict else f"{condition.measured} {condition.bound}"
            return f"{which} on {', '.join(condition.targets)}: {what}"
        case Framing():
            cases, targets = ", ".join(condition.cases), ", ".join(condition.targets)
            return f"{cases} on {targets}: {condition.counted.value} {condition.bound}"
        case Missing():
            return ""


def _bound(condition: Condition) -> Bound:
    return condition.bound if isinstance(condition, Ratio | Value) else Bound()


def _show(condition: Ratio | Value) -> Callable[[float], str]:
    return factor if isinstance(condition, Ratio) else significant


def _range(values: Iterable[float]) -> str:
    found = sorted(values)
    return span(found[0], found[-1], significant)


def _named(cell: Measured | None, why: str) -> str:
    return f"{cell.evidence.name}: {why}" if cell and why else ""
