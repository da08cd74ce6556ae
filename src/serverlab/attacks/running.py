"""Puts attacks to a running stack, one after the other but for those that say that they may run beside others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import httpx2

from serverlab.attacks.stage import Attack, Outcome, Stage
from serverlab.compose import ENGINE_ERRORS, engine_failed
from serverlab.errors import LabError
from serverlab.model.definitions import Target
from serverlab.model.security import Finding, Verdict

BROKEN = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    OSError,
    LookupError,
    ValueError,
    StopIteration,
    RuntimeError,
    LabError,
    *ENGINE_ERRORS,
)
"""What an attack may break off with, because of what a stack answered or did not; its verdict is then unknown.

Where one that pauses misses something that it takes for the next one, StopIteration comes out of it as RuntimeError.
"""

LANES = 3
"""How many attacks run at the same time, of those that may: their stack has one core."""

Steps: TypeAlias = Generator[float, None, Finding]
"""An attack while it is put to a stage: it yields when it goes on (seconds of `time.time`), and gives what it found."""


def findings(
    stage: Stage, attacks: Iterable[Attack], *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Finding]:
    """What each attack finds on the stage, in the order in which they end.

    One that pauses leaves the stack to those that are quick, one after the other, and goes on between two of them.

    Raises:
        One of ENGINE_ERRORS: the container engine no longer answers as it should, which says nothing about a stack.
    """
    paused: list[_Begun] = []
    for these in batches(attacks):
        quick = len(these) == 1 and these[0].quick
        yield from _ended(paused, by=time.time() if quick else math.inf, sleep=sleep)
        yield from _asked(stage, these, paused)
    yield from _ended(paused, by=math.inf, sleep=sleep)


@dataclass(eq=False)
class _Begun:
    """An attack that was begun, and when it goes on (seconds of `time.time`)."""

    steps: Steps
    due: float


def _asked(stage: Stage, these: list[Attack], paused: list[_Begun]) -> Iterator[Finding]:
    """What attacks that run at the same time find; one that has the stack to itself may be left in ``paused``."""
    first, *others = these
    if others:
        yield from _at_once(stage, these)
        return
    steps = _steps(stage, first)
    try:
        paused.append(_Begun(steps, next(steps)))
    except StopIteration as ended:
        yield ended.value


def _ended(paused: list[_Begun], *, by: float, sleep: Callable[[float], None]) -> Iterator[Finding]:
    """What those find that go on by that time, which is waited for; they are no longer ``paused``."""
    for each in [each for each in paused if each.due <= by]:
        paused.remove(each)
        yield _rest(each.steps, each.due, sleep=sleep)


def _at_once(stage: Stage, attacks: Iterable[Attack]) -> Iterator[Finding]:
    pool = ThreadPoolExecutor(LANES)
    try:
        yield from pool.map(partial(_found, stage), attacks)
    finally:
        pool.shutdown(cancel_futures=True)


def batches(attacks: Iterable[Attack]) -> list[list[Attack]]:
    """The attacks that run beside each other, where the first of them stands; all others by themselves.

    Those that wait come first within theirs, so that the others are done meanwhile.
    """
    found: dict[tuple[str | None, str], list[Attack]] = {}
    for attack in attacks:
        found.setdefault((attack.beside, "" if attack.beside else attack.id), []).append(attack)
    return [sorted(each, key=lambda attack: -attack.waits_s) for each in found.values()]


def _found(stage: Stage, attack: Attack) -> Finding:
    return _rest(_steps(stage, attack))


def _rest(steps: Steps, due: float = 0.0, *, sleep: Callable[[float], None] = time.sleep) -> Finding:
    """What the attack finds in the end; where it pauses, that is waited for."""
    while True:
        sleep(max(0.0, due - time.time()))
        try:
            due = next(steps)
        except StopIteration as ended:
            found: Finding = ended.value
            return found


def _steps(stage: Stage, attack: Attack) -> Steps:
    """Put the attack to the stage; pause where it does, which is none of its time."""
    before = time.monotonic()
    pauses_s: list[float] = []
    try:
        outcome = attack.run(stage)
        if not isinstance(outcome, Outcome):
            outcome = yield from _pausing(outcome, pauses_s)
    except BROKEN as broke:
        if engine_failed(broke):
            raise
        outcome = Outcome(Verdict.UNKNOWN, "broke off", f"{type(broke).__name__}: {broke}")
    wall_s = time.monotonic() - before - sum(pauses_s)
    return finding(attack, stage.settings.target, outcome, wall_s=wall_s)


def _pausing(
    steps: Generator[float, None, Outcome], pauses_s: list[float]
) -> Generator[float, None, Outcome]:
    """The steps as they are; how long each pause was goes to ``pauses_s``."""
    while True:
        try:
            due = next(steps)
        except StopIteration as ended:
            outcome: Outcome = ended.value
            return outcome
        before = time.monotonic()
        yield due
        pauses_s.append(time.monotonic() - before)


def finding(attack: Attack, target: Target, outcome: Outcome, *, wall_s: float) -> Finding:
    """The line that keeps an outcome."""
    return Finding(
        attack=attack.id,
        target=str(target),
        verdict=outcome.verdict,
        seen=outcome.seen,
        reason=outcome.reason,
        wall_s=round(wall_s, 3),
        measured=dict(outcome.measured),
    )
