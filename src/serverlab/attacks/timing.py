"""Whether the time of a refusal tells who has an account (row A5-02)."""

from __future__ import annotations

import itertools
import json
import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serverlab.attacks import crowd, inside
from serverlab.attacks.crowd import Try, an_address, attempt
from serverlab.attacks.limits import PER_ACCOUNT
from serverlab.attacks.stage import Attack, Outcome, Stage, failed, not_applicable, passed
from serverlab.attacks.visitor import sign_up
from serverlab.model.security import Verdict
from serverlab.stats import median

TARGETS = ("gunicorn:gthread", "apache:daemon")
SAMPLES = 200
"""Of each class before each look at them, or as many as there are rounds of races if those are more."""

LOOKS = 5
"""After so many of them it stays unknown what was not shown."""

TOLERANCE = 0.05
"""How much of a hash the interval of a difference may reach to."""

CONFIDENCE = 1 - 0.05 / LOOKS
"""Of each interval, so that all looks at a difference together err in one of twenty cases (Bonferroni)."""

RESAMPLES = 4000
ACCOUNTS = 7
"""Of each class: one program asks each of them as often as its limit allows."""

AT_A_TIME = ACCOUNTS * (PER_ACCOUNT - 1)
WRONG = "not the password"

Credentials = tuple[str, str]
"""A name and a password."""


@dataclass(frozen=True)
class Gap:
    """How much longer one class takes than another, in seconds: an interval of the medians' difference, and p."""

    low_s: float
    high_s: float
    p: float

    def beside(self, bound_s: float) -> Verdict:
        """PASS if the difference is less than that, FAIL if it is more, both shown by the interval; else UNKNOWN."""
        if max(-self.low_s, self.high_s) <= bound_s:
            return Verdict.PASS
        return Verdict.FAIL if max(self.low_s, -self.high_s) > bound_s else Verdict.UNKNOWN

    @property
    def told(self) -> str:
        """The interval and p, for people."""
        return f"{self.low_s * 1000:+.2f} to {self.high_s * 1000:+.2f} ms (p {self.p:.2f})"


def gap(one: Sequence[float], other: Sequence[float], *, seed: int = 1) -> Gap:
    """The difference of the medians with its percentile bootstrap interval, and the p-value of a rank-sum test.

    Samples of the same place were taken right after each other; they are drawn together, since what slows a machine for
    a while slows both.

    Source: B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; H. B. Mann, D. R. Whitney,
    "On a test of whether one of two random variables is stochastically larger", Ann. Math. Statist. 18 (1947), 50-60.
    """
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(one), size=(RESAMPLES, len(one)))
    medians = [np.median(np.asarray(values)[drawn], axis=1) for values in (one, other)]
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(medians[0] - medians[1], [tail, 100 - tail])
    from scipy.stats import mannwhitneyu  # noqa: PLC0415 - slow, and all other verbs do without

    p = mannwhitneyu(one, other, alternative="two-sided").pvalue
    return Gap(float(low), float(high), float(p))


def timing(stage: Stage) -> Outcome:
    """Interleaved refusals for a wrong password, an unknown name and an inactive user, each timed beside the server.

    As long as they show neither that the classes are alike nor that they are not, there are more of them.
    """
    if str(stage.settings.target) not in TARGETS:
        return not_applicable(f"the same code on every server; asked on {' and '.join(TARGETS)}")
    classes, limited_s = _classes(stage), _limited_s(stage)
    times: dict[str, list[float]] = {name: [] for name in classes}
    statuses: set[int] = set()

    def look() -> Outcome:
        for name, answer in _asked(stage, classes, samples=max(SAMPLES, stage.rounds)):
            times[name].append(answer["took_s"])
            statuses.add(answer["status"])
        return outcome_of(times, statuses, hash_s=median(times["unknown name"]) - limited_s)

    looks = 1
    while (outcome := look()).verdict is Verdict.UNKNOWN and looks < LOOKS:
        looks += 1
    return outcome


def outcome_of(times: Mapping[str, Sequence[float]], statuses: set[int], *, hash_s: float) -> Outcome:
    """PASS if no class can be told from another, and all were refused."""
    gaps = {
        f"{one} and {other}": gap(times[one], times[other]) for one, other in itertools.combinations(times, 2)
    }
    verdicts = {name: found.beside(TOLERANCE * hash_s) for name, found in gaps.items()}
    seen = f"{'; '.join(found.told for found in gaps.values())}; a hash takes {hash_s * 1000:.1f} ms"
    numbers = {f"{name.replace(' ', '_')}_s": median(values) for name, values in times.items()}
    numbers |= {"hash_s": hash_s, "samples": sum(map(len, times.values()))}
    if statuses != {401}:
        return failed(f"statuses {sorted(statuses)}", "expected 401 for all", **numbers)
    if told := [name for name, verdict in verdicts.items() if verdict is Verdict.FAIL]:
        reason = f"more than {TOLERANCE:.0%} of a hash between {', '.join(told)}"
        return failed(seen, reason, **numbers)
    if unsure := [name for name, verdict in verdicts.items() if verdict is Verdict.UNKNOWN]:
        reason = f"too few samples to tell whether {TOLERANCE:.0%} of a hash lies between {', '.join(unsure)}"
        return Outcome(Verdict.UNKNOWN, seen, reason, numbers)
    return passed(seen, **numbers)


def _classes(stage: Stage) -> dict[str, list[Credentials]]:
    """Those that are refused, so many of each class and alike in all else."""
    inactive = [sign_up(stage) for _ in range(ACCOUNTS)]
    names = json.dumps([name for name, _ in inactive])
    inside.sql(
        stage,
        "UPDATE accounts_user SET is_active = 0 WHERE username IN (SELECT value FROM json_each(?))",
        names,
    )
    return {
        "wrong password": [(sign_up(stage)[0], WRONG) for _ in range(ACCOUNTS)],
        "unknown name": [(_a_name(), WRONG) for _ in range(ACCOUNTS)],
        "inactive user": inactive,
    }


def _a_name() -> str:
    """A name that nobody has, as long as the others."""
    return f"n{secrets.token_hex(6)}"


def _asked(
    stage: Stage, classes: Mapping[str, Sequence[Credentials]], *, samples: int
) -> Iterator[tuple[str, Try]]:
    """The classes and the answers, in turn and in an order of their own each time; nothing else counts meanwhile."""
    for start in range(0, samples, AT_A_TIME):
        numbers = range(start, min(samples, start + AT_A_TIME))
        order = [(name, number) for number in numbers for name in random.sample(list(classes), len(classes))]
        shown = [classes[name][number % ACCOUNTS] for name, number in order]
        inside.sql(stage, "DELETE FROM shared_cache")  # nobody is asked for more often than the limits allow
        wanted = [attempt(user, password=password, address=an_address()) for user, password in shown]
        yield from zip((name for name, _ in order), crowd.attempts(stage, wanted), strict=True)


def _limited_s(stage: Stage) -> float:
    """What a log-in takes, in seconds, that is counted and then refused without a hash.

    Raises:
        OSError: the limits refused none.
    """
    name = _a_name()
    # enough for the minute to turn once
    wanted = [attempt(name, address=an_address()) for _ in range(4 * PER_ACCOUNT)]
    refused = [each["took_s"] for each in crowd.attempts(stage, wanted) if each["status"] == 429]
    if not refused:
        raise OSError("no log-in was refused by the limits")
    return median(refused)


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "A5-02",
        "Time of a refusal: wrong password, unknown name, inactive user",
        f"the difference's interval within {TOLERANCE:.0%} of one hash",
        timing,
        profile="guarded",
    ),
)
