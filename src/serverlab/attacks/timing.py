"""Whether the time of a refusal tells who has an account (row A5-02)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from serverlab.attacks import crowd, inside
from serverlab.attacks.crowd import Try, a_name, an_address, attempt, unhashed_s
from serverlab.attacks.stage import Attack, Outcome, Stage, not_applicable
from serverlab.attacks.visitor import judged, sign_up
from serverlab.model.records import Check
from serverlab.stats import median

TARGETS = ("gunicorn:gthread", "apache:daemon")
SAMPLES = 60
"""Of each class, or as many as there are rounds of races if those are more."""

TOLERANCE = 0.25
"""How much of a hash the interval of a difference may reach to."""

RESAMPLES = 2000
LOG_INS_PER_ACCOUNT = 9


@dataclass(frozen=True)
class Gap:
    """How much longer one class takes than another, in seconds: a 95 % interval of the medians' difference, and p."""

    low_s: float
    high_s: float
    p: float

    @property
    def largest_s(self) -> float:
        """The end of the interval that is farther from nothing."""
        return max(abs(self.low_s), abs(self.high_s))


def gap(one: Sequence[float], other: Sequence[float], *, seed: int = 1) -> Gap:
    """The difference of the medians with its percentile bootstrap interval, and the p-value of a rank-sum test.

    Source: B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; H. B. Mann, D. R. Whitney,
    "On a test of whether one of two random variables is stochastically larger", Ann. Math. Statist. 18 (1947), 50-60.
    """
    generator = np.random.default_rng(seed)
    medians = [
        np.median(generator.choice(values, size=(RESAMPLES, len(values))), axis=1)
        for values in (np.asarray(one), np.asarray(other))
    ]
    low, high = np.percentile(medians[0] - medians[1], [2.5, 97.5])
    from scipy.stats import mannwhitneyu  # noqa: PLC0415 - slow, and all other verbs do without

    p = mannwhitneyu(one, other, alternative="two-sided").pvalue
    return Gap(float(low), float(high), float(p))


def timing(stage: Stage) -> Outcome:
    """Interleaved refusals for a wrong password, an unknown name and an inactive user, each timed beside the server."""
    if str(stage.settings.target) not in TARGETS:
        return not_applicable(f"the same code on every server; asked on {' and '.join(TARGETS)}")
    samples = max(SAMPLES, stage.rounds)
    known, inactive = _accounts(stage, samples), _accounts(stage, samples, active=False)
    names: dict[str, Callable[[int], str]] = {
        "wrong password": lambda number: known[number % len(known)],
        "unknown name": lambda _: a_name(),
        "inactive user": lambda number: inactive[number % len(inactive)],
    }
    order = [(case, number) for number in range(samples) for case in random.sample(list(names), len(names))]
    asked = [attempt(names[case](number), address=an_address()) for case, number in order]
    answers = crowd.attempts(stage, asked)
    times: dict[str, list[float]] = {case: [] for case in names}
    for (case, _), each in zip(order, answers, strict=True):
        times[case].append(each["took_s"])
    return outcome_of(times, answers, hash_s=median(times["unknown name"]) - unhashed_s(stage))


def outcome_of(times: dict[str, list[float]], answers: Sequence[Try], *, hash_s: float) -> Outcome:
    """PASS if the first class cannot be told from the others, and all were refused."""
    first, *others = times
    gaps = {f"{first} and {other}": gap(times[first], times[other]) for other in others}
    checks = [
        Check(
            name=name,
            ok=found.largest_s <= TOLERANCE * hash_s,
            detail=f"{found.low_s * 1000:+.1f} to {found.high_s * 1000:+.1f} ms (p {found.p:.2f})",
        )
        for name, found in gaps.items()
    ]
    refused = all(each["status"] == 401 for each in answers)
    checks.append(Check(name="all refused", ok=refused, detail="401"))
    numbers = {f"{case.replace(' ', '_')}_s": median(values) for case, values in times.items()}
    seen = f"{'; '.join(check.detail for check in checks[:-1])}; a hash takes {hash_s * 1000:.1f} ms"
    return judged(checks, seen=seen, measured={**numbers, "hash_s": hash_s, "samples": len(answers)})


def _accounts(stage: Stage, samples: int, *, active: bool = True) -> list[str]:
    """Enough of them that none is asked for more often than the limit of an account allows."""
    names = [sign_up(stage)[0] for _ in range(-(-samples // LOG_INS_PER_ACCOUNT))]
    if not active:
        inside.sql(
            stage,
            "UPDATE accounts_user SET is_active = 0 WHERE username IN (SELECT value FROM json_each(?))",
            json.dumps(names),
        )
    return names


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "A5-02",
        "Time of a refusal: wrong password, unknown name, inactive user",
        f"the difference's interval within {TOLERANCE:.0%} of one hash",
        timing,
        profile="guarded",
    ),
)
