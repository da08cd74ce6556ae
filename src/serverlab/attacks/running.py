"""Puts attacks to a running stack, one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import httpx2

from serverlab.attacks.stage import Attack, Outcome, Stage
from serverlab.compose import ENGINE_ERRORS
from serverlab.errors import LabError
from serverlab.model.definitions import Target
from serverlab.model.security import Finding, Verdict

BROKEN = (httpx2.HTTPError, httpx2.InvalidURL, OSError, LookupError, ValueError, LabError, *ENGINE_ERRORS)
"""What an attack may break off with, because of what a stack answered or did not; its verdict is then unknown."""


def findings(stage: Stage, attacks: Iterable[Attack]) -> Iterator[Finding]:
    """What each attack finds on the stage, as soon as it has found it."""
    for attack in attacks:
        before = time.monotonic()
        try:
            outcome = attack.run(stage)
        except BROKEN as broke:
            outcome = Outcome(Verdict.UNKNOWN, "broke off", f"{type(broke).__name__}: {broke}")
        yield finding(attack, stage.settings.target, outcome, wall_s=time.monotonic() - before)


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
