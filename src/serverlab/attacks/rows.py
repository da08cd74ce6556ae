"""Rows of the matrix that are alike: tokens to refuse, each shown to every way of signing in that hands out tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from serverlab.attacks.forge import Forger
from serverlab.attacks.refusals import all_refused
from serverlab.attacks.stage import WAYS, Attack, Outcome, Stage, failed, passed, said
from serverlab.model.security import Verdict
from serverlab.probe import Answer

Tokens = Iterable[tuple[str, str]]
"""Pairs of a name and a token."""

Sent = Iterator[tuple[str, Callable[[], Answer]]]


def refused(
    name: str, title: str, forged: Callable[[Forger], Tokens], *, profile: str = "open", in_body: bool = False
) -> Attack:
    """A row that passes if both ways refuse every token; ``in_body`` sends them to be verified, for long ones."""

    def run(stage: Stage) -> Outcome:
        return all_refused(stage, sent(stage, forged, in_body=in_body))

    return Attack(name, title, "401", run, profile, quick=True)


def accepted(name: str, title: str, forged: Callable[[Forger], Tokens], *, profile: str = "open") -> Attack:
    """A row that passes if both ways accept every token."""

    def run(stage: Stage) -> Outcome:
        return all_accepted(sent(stage, forged))

    return Attack(name, title, "200", run, profile, quick=True)


def sent(stage: Stage, forged: Callable[[Forger], Tokens], *, in_body: bool = False) -> Sent:
    """Each token of each way, and what sends it."""
    for way in WAYS:
        for name, token in forged(stage.forger(way=way)):
            send = partial(verify, stage, token, way=way) if in_body else partial(stage.me, token, way=way)
            yield f"{way}: {name}", send


def verify(stage: Stage, token: str, *, way: str) -> Answer:
    """Whether the stack would take the token, which travels in the body."""
    return stage.post(way, "verify", json={"token": token})


def all_accepted(asked: Sent) -> Outcome:
    """PASS if every answer is 200."""
    for name, send in asked:
        answer = send()
        if answer.status != 200:
            return failed(f"{said(answer.status)} for {name}", "expected 200")
    return passed("200")


def both(*parts: Outcome) -> Outcome:
    """One outcome for the parts of a row: the first that did not pass, or all that was seen."""
    wrong = next((part for part in parts if part.verdict is not Verdict.PASS), None)
    if wrong:
        return wrong
    measured = {name: value for part in parts for name, value in part.measured.items()}
    return passed("; ".join(dict.fromkeys(part.seen for part in parts)), **measured)
