"""What every refusal of a forged credential has in common: its status, what it tells, and what it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from statistics import median

from serverlab.attacks.stage import Outcome, Stage, failed, leak_in, passed, said
from serverlab.model.security import Verdict
from serverlab.probe import Answer

SLACK_S = 0.2
"""What a refusal may take beside twice the time of a control: two cores are shared with everything else."""

AGAIN = 5
"""How often what took long once is timed again: what it costs, it costs each time; the machine does other work, too."""


def all_refused(
    stage: Stage,
    forged: Iterable[tuple[str, Callable[[], Answer]]],
    *,
    statuses: frozenset[int] = frozenset({401}),
) -> Outcome:
    """PASS if every forged credential gets 401 with a challenge, and the true one still works afterwards.

    ``forged`` are pairs of a name and a function that sends it, more than once if need be. Rules i to vi of the matrix:
    a 5xx fails even where access was refused, nothing of the inside is told, no refusal takes longer than twice a
    control and 0.2 s (one that did once is judged by medians, see `_too_slow`). ``statuses`` are those that are right,
    where 401 is not the only one; 0 is a closed connection.
    """
    seen: set[int] = set()
    for name, send in forged:
        answer, took_s = timed(send)
        seen.add(answer.status)
        if wrong := _wrong(answer, statuses):
            return failed(f"{answer.status or answer.said} for {name}", wrong)
        if took_s > SLACK_S and (slow := _too_slow(stage, name, send)):
            return slow
    if not seen:
        return Outcome(Verdict.UNKNOWN, "nothing sent", "the attack made no credential")
    found, control = ", ".join(map(said, sorted(seen))), stage.me(stage.access)
    if control.status != 200:
        return failed(found, f"the true credential gets {control.status or control.said} afterwards")
    return passed(found)


def _too_slow(stage: Stage, name: str, send: Callable[[], Answer]) -> Outcome | None:
    """The failure of a credential whose refusal takes too long, by the medians of several, a control after each."""
    times = []
    for _ in range(AGAIN):
        access = stage.access
        times.append((timed(send)[1], timed(partial(stage.me, access))[1]))
    refusal_s, control_s = (median(each) for each in zip(*times, strict=True))
    if refusal_s <= 2 * control_s + SLACK_S:
        return None
    return failed(
        f"{refusal_s:.2f} s for {name}",
        f"a control takes {control_s:.2f} s (medians of {AGAIN} each); a refusal takes no longer than two",
    )


def timed(send: Callable[[], Answer]) -> tuple[Answer, float]:
    """The answer to a request, and the seconds until it was there."""
    before = time.monotonic()
    answer = send()
    return answer, time.monotonic() - before


def _wrong(answer: Answer, statuses: frozenset[int]) -> str | None:
    if answer.status not in statuses:
        return f"expected {' or '.join(map(said, sorted(statuses)))}"
    if answer.status == 401 and "www-authenticate" not in answer.headers:
        return "401 without WWW-Authenticate"
    if leak := leak_in(answer):
        return f"the answer shows {leak!r}"
    return None
