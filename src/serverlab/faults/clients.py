"""Slow clients beside a stack: started, counted while they hold connections, and told what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import docker.errors
import msgspec

from serverlab.compose import Container, start_beside, whole_lines
from serverlab.errors import TrialFailed
from serverlab.faults.fault import NotEffective, Scene, await_undone
from serverlab.faults.processes import is_running
from serverlab.ledger import Chain
from serverlab.model.base import Count, Record

SERVICE = "slow"
FILE = "slow.yml"
FORMAT = 1
LONGEST_S = 120.0
"""The clients' own bound (loadtests/shared/slow_clients.py)."""

SPARE_S = 30.0
"""What they may take beside the time that they hold: to start, to be seen, to be stopped."""

STARTED_WITHIN_S = 15.0
STOPPED_WITHIN_S = 10.0
PAUSE_S = 0.1
CUT = ("eof", "reset")
"""How a connection ends that the server closes."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What each of ``clients`` containers does: ``kind`` is a word of loadtests/shared/slow_clients.py."""

    kind: str
    path: str
    connections: int
    per_s: float
    pace_s: float
    clients: int

    def variables(self, *, url: str, duration_s: float) -> dict[str, str]:
        """The containers' environment."""
        return {
            "LAB_SLOW_URL": url,
            "LAB_SLOW_PATH": self.path,
            "LAB_SLOW_KIND": self.kind,
            "LAB_SLOW_CONNECTIONS": str(self.connections),
            "LAB_SLOW_PER_S": f"{self.per_s:g}",
            "LAB_SLOW_PACE_S": f"{self.pace_s:g}",
            "LAB_SLOW_DURATION_S": f"{duration_s:g}",
            "LAB_SLOW_CLIENTS": str(self.clients),
        }


class Opening(Record, frozen=True):
    """A client's first line: what it was told, and its clock when it began."""

    slow: int
    began_s: float
    url: str
    path: str
    kind: str
    connections: Count
    per_s: float
    pace_s: float
    duration_s: float


class Counts(Record, frozen=True):
    """How many connections wait to be taken, are held and have ended, at a moment of the machine's steady clock."""

    at_s: float
    waiting: Count
    held: Count
    ended: Count


class Row(Record, frozen=True):
    """One connection that has ended; ``how`` and the others are as in loadtests/shared/slow_clients.py."""

    number: Count
    begun_s: float
    established_s: float | None
    ended_s: float
    how: str
    answers: Count
    status: int | None
    sent_bytes: Count
    received_bytes: Count


class Closing(Record, frozen=True):
    """A client's last line: how many connections there were, and whether it was stopped or its time was over."""

    rows: Count
    ended_s: float
    stopped: bool


@dataclass(frozen=True)
class Told:
    """What one client has told so far; ``closing`` is there once it has ended."""

    opening: Opening
    counts: tuple[Counts, ...]
    rows: tuple[Row, ...]
    closing: Closing | None


KINDS: Mapping[str, type[Record]] = {"at_s": Counts, "number": Row, "rows": Closing}
"""What a line is, by the name that it begins with."""


def parse_told(lines: Sequence[str], *, where: str) -> Told:
    """What a client told in these lines; the last one may be missing, no other may.

    Raises:
        TrialFailed: a line is cut short, changed, missing or of another kind; with its number and the reason.
    """
    chain = Chain()
    found: list[Record] = []
    for number, line in enumerate(lines, start=1):
        try:
            body = chain.unlocked(line)
            kind = Opening if number == 1 else KINDS[body.split('"', 2)[1]]
            found.append(msgspec.json.decode(body, type=kind))
        except (ValueError, KeyError) as broken:
            raise TrialFailed(f"{where}, line {number}: {broken}") from None
    opening = found[0] if found else None
    if not isinstance(opening, Opening) or opening.slow != FORMAT:
        raise TrialFailed(f"{where} does not begin as this lab reads it", "Build the images: `make images`.")
    told = Told(
        opening=opening,
        counts=tuple(each for each in found if isinstance(each, Counts)),
        rows=tuple(each for each in found if isinstance(each, Row)),
        closing=next((each for each in found[-1:] if isinstance(each, Closing)), None),
    )
    if told.closing and told.closing.rows != len(told.rows):
        raise TrialFailed(
            f"{where}: {told.closing.rows} connections are announced, {len(told.rows)} are there"
        )
    return told


@dataclass(frozen=True)
class Clients:
    """Slow clients that are at work."""

    containers: tuple[Container, ...]
    wanted: Wanted

    def settled(self) -> Counts | None:
        """How many connections there are in all, once every one has been begun and no more of them come up."""
        told = [_last_two(_told(each)) for each in self.containers]
        if not all(_is_settled(each, self.wanted.connections) for each in told):
            return None
        last = [each[-1] for each in told]
        return Counts(
            at_s=max(each.at_s for each in last),
            waiting=sum(each.waiting for each in last),
            held=sum(each.held for each in last),
            ended=sum(each.ended for each in last),
        )

    def stop(self) -> list[Told]:
        """Have them let go, and return what each has told.

        Raises:
            NotEffective: one had ended before it was told to.
            NotUndone: one does not end.
            TrialFailed: what one told is not whole.
        """
        for container in self.containers:
            if is_running(container):
                container.kill(signal="SIGTERM")
        await_undone(
            "the slow clients have ended",
            lambda: None if any(map(is_running, self.containers)) else "ended",
            within_s=STOPPED_WITHIN_S,
            pause_s=PAUSE_S,
        )
        told = [_told(each) for each in self.containers]
        for container, each in zip(self.containers, told, strict=True):
            if each is None or each.closing is None or not each.closing.stopped:
                raise NotEffective(f"{container.name} ended before it was told to")
        return [each for each in told if each is not None]


@contextmanager
def slow_clients(scene: Scene, wanted: Wanted) -> Iterator[Clients]:
    """Start the clients on the stack's own network; no container of them is left when the block ends.

    Raises:
        TrialFailed: they cannot be started, or could not hold for as long as the fault lasts.
    """
    duration_s = scene.hold_s + SPARE_S
    if duration_s > LONGEST_S:
        raise TrialFailed(
            f"slow clients hold for {LONGEST_S - SPARE_S:g} s at most, {scene.hold_s:g} are asked for",
            "Give the experiment a shorter hold_s.",
        )
    variables = wanted.variables(url=scene.settings.inner_url, duration_s=duration_s)
    try:
        start_beside(
            scene.shell, scene.root, scene.settings, files=[FILE], service=SERVICE, variables=variables
        )
        found = tuple(scene.engine.containers(SERVICE))
        if len(found) != wanted.clients:
            raise TrialFailed(f"{len(found)} slow clients were started, {wanted.clients} were wanted")
        yield Clients(found, wanted)
    finally:
        for container in scene.engine.containers(SERVICE):
            container.remove(force=True, v=True)


def measured(told: Sequence[Told], *, first: Counts) -> dict[str, float]:
    """What became of all connections, in numbers with units; ``first`` is how many there were at the injection."""
    rows = [row for each in told for row in each.rows]
    cut = [row for row in rows if row.how in CUT]
    after_s = [row.ended_s - row.established_s for row in cut if row.established_s is not None]
    how = Counter(row.how for row in rows)
    statuses = Counter(row.status for row in cut)
    found: dict[str, float] = {
        "connections": len(rows),
        "established": sum(row.established_s is not None for row in rows),
        "held_at_injection": first.held,
        "held_to_the_end": how["kept"],
        "never_taken": how["waiting"],
        "refused": how["refused"] + how["unreachable"],
        "closed_by_server": len(cut),
        "answers_to_slow": sum(row.answers for row in rows),
    }
    if after_s:
        found |= {"first_closed_after_s": min(after_s), "last_closed_after_s": max(after_s)}
    for status, count in sorted(statuses.items(), key=lambda item: item[0] or 0):
        found[f"closed_with_{status}" if status else "closed_without_answer"] = count
    return {name: round(value, 3) for name, value in found.items()}


def still_holding(scene: Scene, service: str) -> str | None:
    """Which containers of the service still run, and hold connections; None where none does."""
    left = [str(each.name) for each in scene.engine.containers(service) if is_running(each)]
    return f"{', '.join(left)}: still holding connections" if left else None


def _told(container: Container) -> Told | None:
    """What a client has told so far, None before its first line.

    Raises:
        TrialFailed: it cannot be read, or the client is gone.
    """
    try:
        lines = whole_lines(container)
    except docker.errors.APIError as refused:
        raise TrialFailed(f"{container.name}: {refused.explanation or refused}") from None
    if lines:
        return parse_told(lines, where=f"what {container.name} tells")
    if not is_running(container):
        said = container.logs(stdout=False, stderr=True).decode(errors="replace").strip()
        raise TrialFailed(f"{container.name} ended before it began: {said[-200:] or 'it said nothing'}")
    return None


def _last_two(told: Told | None) -> tuple[Counts, ...]:
    return told.counts[-2:] if told else ()


def _is_settled(last: Sequence[Counts], connections: int) -> bool:
    if len(last) < 2:
        return False
    before, now = last
    begun = {each.waiting + each.held + each.ended for each in last}
    return begun == {connections} and before.waiting == now.waiting
