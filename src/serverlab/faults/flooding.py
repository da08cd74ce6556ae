"""The sender of more requests than are answered, beside a stack: started, listened to, and ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from serverlab.compose import Container, start_beside, tails, whole_lines
from serverlab.errors import TrialFailed
from serverlab.faults.fault import NotEffective, Scene, await_effect, await_undone
from serverlab.faults.processes import is_running
from serverlab.ledger import Chain
from serverlab.model.base import Count, Record

SERVICE = "flood"
FILE = "flood.yml"
FORMAT = 2
PAUSE_S = 0.1
STOPPED_WITHIN_S = 10.0
MARGIN_S = 30.0
"""How much longer than it is needed the sender may take, to be started and seen."""

SENT_SHARE = 0.9
"""Of the requests that are due, so many have to be sent: else it was not that load."""

SURE_AFTER_S = 1.0
SEEN_WITHIN_S = 8.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the sender does; the fields are those of loadtests/shared/flood.py."""

    url: str
    path: str
    body: str
    per_s: float
    users: int
    timeout_s: float
    duration_s: float
    retries: int = 0
    backoff_s: float = 0.0
    retry_budget: float | None = None

    def variables(self) -> dict[str, str]:
        """The container's environment."""
        told = {
            "URL": self.url,
            "PATH": self.path,
            "BODY": self.body,
            "PER_S": f"{self.per_s:g}",
            "USERS": str(self.users),
            "TIMEOUT_S": f"{self.timeout_s:g}",
            "DURATION_S": f"{self.duration_s:g}",
            "RETRIES": str(self.retries),
            "BACKOFF_S": f"{self.backoff_s:g}",
            "RETRY_BUDGET": "" if self.retry_budget is None else f"{self.retry_budget:g}",
        }
        return {f"LAB_FLOOD_{name}": value for name, value in told.items()}


class Opening(Record, frozen=True):
    """The sender's first line."""

    flood: int
    began_s: float
    url: str
    path: str
    body: str
    per_s: float
    users: Count
    timeout_s: float
    duration_s: float
    retries: Count = 0
    backoff_s: float = 0.0
    retry_budget: float | None = None


class Counts(Record, frozen=True):
    """What became of the requests so far; as in loadtests/shared/flood.py."""

    due: Count
    begun: Count
    taken: Count
    ok: Count
    refused: Count
    most_open: Count
    failed: Count = 0
    retried: Count = 0
    unavailable: Count = 0
    at_s: float | None = None
    ended_s: float | None = None
    stopped: bool | None = None


@dataclass(frozen=True)
class Told:
    """What the sender told last, and for how long it had sent by then; ``ended`` says that it was its last line.

    ``course`` is what it told twice a second, each with its moment ``at_s`` of the machine's steady clock.
    """

    seconds: float
    counts: Counts
    ended: bool
    course: tuple[Counts, ...] = ()


def parse_told(lines: Sequence[str]) -> Told | None:
    """What the lines come to, None where nothing was counted yet.

    Raises:
        TrialFailed: a line is changed, missing or of another kind.
    """
    opening, counted = _parsed(lines)
    if opening is not None and opening.flood != FORMAT:
        raise TrialFailed(f"the sender speaks format {opening.flood}", "Build the images: `make images`.")
    if opening is None or not counted:
        return None
    last = counted[-1]
    until_s = last.at_s if last.ended_s is None else last.ended_s
    if until_s is None or until_s <= opening.began_s:
        raise TrialFailed("what the sender tells has no time")
    return Told(
        until_s - opening.began_s,
        last,
        ended=last.ended_s is not None,
        course=tuple(each for each in counted if each.at_s is not None),
    )


def _parsed(lines: Sequence[str]) -> tuple[Opening | None, list[Counts]]:
    chain, opening, counted = Chain(), None, []
    for number, line in enumerate(lines, start=1):
        try:
            body = chain.unlocked(line)
            if opening is None:
                opening = msgspec.json.decode(body, type=Opening)
            else:
                counted.append(msgspec.json.decode(body, type=Counts))
        except ValueError as broken:
            raise TrialFailed(f"what the sender tells, line {number}: {broken}") from None
    return opening, counted


@dataclass(frozen=True)
class Sender:
    """A sender at work."""

    container: Container

    def last(self) -> Told | None:
        """What it told last; None before it has counted anything.

        Raises:
            TrialFailed: it has ended without a word, or says what cannot be read.
        """
        gone = not is_running(self.container)
        told = parse_told(whole_lines(self.container))
        if gone and (told is None or not told.ended):
            raise TrialFailed(f"the sender broke off{tails([self.container])}")
        return told

    def stop(self) -> Told:
        """Have it let go of all connections at once, and return what it counted.

        Raises:
            NotUndone: it does not end.
        """
        if is_running(self.container):
            self.container.kill(signal="SIGTERM")
        return self.ended(within_s=STOPPED_WITHIN_S)

    def ended(self, *, within_s: float) -> Told:
        """What it counted, once it has ended.

        Raises:
            NotUndone: it does not end in time.
            TrialFailed: it ended without a count.
        """
        await_undone(
            "the sender has ended",
            lambda: None if is_running(self.container) else "ended",
            within_s=within_s,
            pause_s=PAUSE_S,
        )
        told = self.last()
        if told is None:
            raise TrialFailed("the sender counted nothing")
        return told


@contextmanager
def started(scene: Scene, wanted: Wanted) -> Iterator[Sender]:
    """Start the sender on the stack's own network; its container is removed when the block ends."""
    try:
        start_beside(
            scene.shell,
            scene.root,
            scene.settings,
            files=[FILE],
            service=SERVICE,
            variables=wanted.variables(),
        )
        yield Sender(scene.engine.service(SERVICE))
    finally:
        for container in scene.engine.containers(SERVICE):
            container.remove(force=True, v=True)


def capacity_rps(scene: Scene, wanted: Wanted) -> float:
    """How many requests a second are answered while ``users`` ask in turn, which is what is wanted (``per_s`` 0).

    Raises:
        NotEffective: none.
    """
    with started(scene, wanted) as sender:
        told = sender.ended(within_s=wanted.duration_s + MARGIN_S)
    if not told.counts.ok:
        raise NotEffective(f"{wanted.path} was not answered before anything was done")
    return told.counts.ok / told.seconds


def await_sent(sender: Sender, per_s: float) -> str:
    """How many requests a second are sent, once it is sure that they are as many as have to be.

    Raises:
        NotEffective: they are not in time.
    """

    def sent() -> str | None:
        told = sender.last()
        if told is None or told.seconds < SURE_AFTER_S or too_few(told, due_rps=per_s):
            return None
        return f"{told.counts.begun / told.seconds:.0f} requests/s are sent"

    return await_effect(f"{per_s:.0f} requests/s are sent", sent, within_s=SEEN_WITHIN_S, pause_s=PAUSE_S)


def too_few(told: Told, *, due_rps: float) -> str | None:
    """That fewer were sent than have to be, or None."""
    sent_rps = told.counts.begun / told.seconds
    if sent_rps >= SENT_SHARE * due_rps:
        return None
    open_ = told.counts.most_open
    return f"{sent_rps:.0f} requests/s were sent, {due_rps:.0f} were due: at most {open_} were open"


def still_sending(scene: Scene) -> str | None:
    """That a sender still runs, or None."""
    return "the sender still runs" if scene.engine.containers(SERVICE) else None
