"""Puts attacks to a running stack, one after the other but for those that say that they may run beside others."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx2

from serverlab.attacks.stage import Attack, Outcome, Stage
from serverlab.compose import ENGINE_ERRORS, engine_failed
from serverlab.errors import LabError
from serverlab.model.definitions import Target
from serverlab.model.security import Finding, Verdict

BROKEN = (httpx2.HTTPError, httpx2.InvalidURL, OSError, LookupError, ValueError, LabError, *ENGINE_ERRORS)
"""What an attack may break off with, because of what a stack answered or did not; its verdict is then unknown."""


LANES = 3
"""How many attacks run at the same time, of those that may: their stack has one core."""


def findings(stage: Stage, attacks: Iterable[Attack]) -> Iterator[Finding]:
    """What each attack finds on the stage, in the order in which they were begun.

    Raises:
        One of ENGINE_ERRORS: the container engine no longer answers as it should, which says nothing about a stack.
    """
    for first, *others in batches(attacks):
        if others:
            yield from _at_once(stage, [first, *others])
        else:
            yield _found(stage, first)


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
    before = time.monotonic()
    try:
        outcome = attack.run(stage)
    except BROKEN as broke:
        if engine_failed(broke):
            raise
        outcome = Outcome(Verdict.UNKNOWN, "broke off", f"{type(broke).__name__}: {broke}")
    return finding(attack, stage.settings.target, outcome, wall_s=time.monotonic() - before)


def finding(attack: Attack, target: Target, outcome: Outcome, *, wall_s: float) -> Finding:
    """The line that keeps an outcome."""
    return Finding(
        attack=attack.id,
        title=attack.title,
        expected=attack.expected,
        profile=attack.profile,
        target=str(target),
        verdict=outcome.verdict,
        seen=outcome.seen,
        reason=outcome.reason,
        wall_s=round(wall_s, 3),
        measured=dict(outcome.measured),
    )
