"""Puts cases to a running stack, one after the other, and says what came of each."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

import httpx2
import msgspec

from serverlab import sampler
from serverlab.analysis.framing import LATER, OTHERS, kind_of, smuggled
from serverlab.compose import ENGINE_ERRORS, Container, Engine, engine_failed
from serverlab.errors import LabError
from serverlab.framing.case import Case, Draft, Form, Seen
from serverlab.framing.exchange import Received, exchange
from serverlab.framing.record import Record, Rows, handed_on
from serverlab.framing.replies import Reply
from serverlab.model.framing import Answer, Framed, Kind, Logged
from serverlab.model.security import Verdict
from serverlab.probe import LOGIN, PASSWORD, USER, Expectation, front_url

AT_ONCE = 4
"""Forms that are asked at the same time, where the server has threads enough that none waits for another."""

ENOUGH_THREADS = 8
LOOK_S = 0.02
"""Between two looks at what a form costs."""

UNSETTLED = "the app did not come to rest: what it got late may be missing"
LATE = "the app got more of it after it was judged"
BROKEN = (httpx2.HTTPError, OSError, LookupError, ValueError, LabError, *ENGINE_ERRORS)
"""What a case may break off with, because of what a stack answered or did not."""


@dataclass(frozen=True)
class Place:
    """A running stack that cases are put to."""

    engine: Engine
    expected: Expectation
    record: Record

    @cached_property
    def address(self) -> tuple[str, int]:
        """Where the stack answers over plain HTTP."""
        at = urlsplit(front_url(self.engine, self.expected.settings))
        return str(at.hostname), at.port or 80

    @cached_property
    def access(self) -> str:
        """An access token."""
        url = front_url(self.engine, self.expected.settings) + LOGIN
        answer = httpx2.post(url, json={"username": USER, "password": PASSWORD}, timeout=10.0)
        return str(answer.json()["access"])

    @property
    def behind_edge(self) -> bool:
        """Whether an edge stands before the server."""
        return self.expected.settings.target.edge is not None

    @property
    def at_once(self) -> int:
        """How many forms may be asked at the same time."""
        threads = self.expected.variant.threads
        return AT_ONCE if threads == 0 or threads >= ENOUGH_THREADS else 1

    def draft(self) -> Draft:
        """What the next form is written with."""
        host, port = self.address
        return Draft(host=f"{host}:{port}", token=secrets.token_hex(6), access=self.access)


@dataclass(frozen=True)
class Asked:
    """What one form brought, before the records are read; ``other`` answered the innocent request afterwards."""

    form: Form
    token: str
    received: Received
    other: Reply | None
    measured: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What the forms of a case came to; ``rows`` is all that came on record meanwhile, of earlier cases as well."""

    answers: tuple[Answer, ...]
    tokens: frozenset[str]
    rows: Rows


def place_of(engine: Engine, expected: Expectation) -> Place:
    """A running stack as a place to put cases to."""
    return Place(engine=engine, expected=expected, record=Record(engine, expected.settings))


def found(place: Place, cases: Iterable[Case]) -> Iterator[Framed]:
    """What each case comes to, as soon as it is known.

    A case of which something reaches the app after it was judged comes once more, with that for a problem.

    Raises:
        One of ENGINE_ERRORS: the container engine no longer answers as it should, which says nothing about a case.
    """
    judged: dict[str, Framed] = {}
    for case in cases:
        before = time.monotonic()
        try:
            seen = ask(place, case)
        except BROKEN as broke:
            if engine_failed(broke):
                raise
            problem = f"broke off: {type(broke).__name__}: {broke}"
            yield framed(case, place, (), problem=problem, wall_s=time.monotonic() - before)
            continue
        yield from late(judged, seen.rows)
        problem = "" if seen.rows.settled else UNSETTLED
        line = framed(case, place, seen.answers, problem=problem, wall_s=time.monotonic() - before)
        judged |= dict.fromkeys(seen.tokens, line)
        yield line


def late(judged: Mapping[str, Framed], rows: Rows) -> Iterator[Framed]:
    """The lines, by their forms' tokens, of cases of which something is among the rows, with that for a problem."""
    roles: dict[str, list[str]] = {}
    for token, request in rows.requests:
        if token in judged:
            roles.setdefault(judged[token].case, []).append(request.role)
    for line in {each.case: each for each in judged.values() if each.case in roles}.values():
        yield msgspec.structs.replace(line, problem=f"{LATE}: {', '.join(roles[line.case])}")


def framed(case: Case, place: Place, answers: tuple[Answer, ...], *, problem: str, wall_s: float) -> Framed:
    """The line that keeps what a case came to."""
    target = str(place.expected.settings.target)
    return unasked(case, target, problem=problem, wall_s=wall_s, answers=answers)


def unasked(
    case: Case, target: str, *, problem: str, wall_s: float = 0.0, answers: tuple[Answer, ...] = ()
) -> Framed:
    """The line of a case that was not asked, or (with ``answers``) was."""
    return Framed(
        case=case.id,
        title=case.title,
        right=case.right,
        target=target,
        answers=answers,
        wall_s=round(wall_s, 3),
        problem=problem,
    )


def ask(place: Place, case: Case) -> Found:
    """What came of each form of the case, judged when an honest request that was sent after all is on record."""
    together = [form for form in case.forms if not form.alone]
    with ThreadPoolExecutor(max_workers=place.at_once) as pool:
        asked = list(pool.map(lambda form: ask_form(place, form), together))
    asked += [measured(place, form) for form in case.forms if form.alone]
    rows, lines = place.record.rows(_last_asked(place)), place.record.edge_lines()
    answers = {
        each.form.name: judge(
            each,
            [logged for token, logged in rows.requests if token == each.token],
            behind_edge=place.behind_edge,
            passed=handed_on(lines, each.token) if place.behind_edge else None,
        )
        for each in asked
    }
    return Found(
        answers=tuple(answers[form.name] for form in case.forms),
        tokens=frozenset(each.token for each in asked),
        rows=rows,
    )


def _last_asked(place: Place) -> str:
    """Send an honest request the way that all others went, and return its marker."""
    draft = place.draft()
    _innocent(place, draft)
    return draft.marker("other")


def ask_form(place: Place, form: Form) -> Asked:
    """Send the form, and an innocent request on another connection afterwards."""
    draft = place.draft()
    built = form.build(draft)
    pieces = [built] if isinstance(built, bytes) else built
    tail = [draft.request("Connection: close", role="tail")] if form.tail else []
    received = exchange(
        place.address,
        [*pieces, *tail] if isinstance(built, bytes) else pieces,
        answers=len(form.messages) + len(tail),
        ends=form.ends,
    )
    return Asked(form=form, token=draft.token, received=received, other=_innocent(place, draft))


def _innocent(place: Place, draft: Draft) -> Reply | None:
    """The answer to an honest request on a connection of its own; it may be asked for twice, as a browser does."""
    for role in OTHERS:
        request = draft.request("Connection: close", role=role)
        if found := exchange(place.address, [request], answers=1).replies:
            return found[0]
    return None


def measured(place: Place, form: Form) -> Asked:
    """The same, with what it cost the app's containers; their memory is looked at all the while."""
    containers = place.engine.containers("app")
    looks = [_look(containers)]
    with ThreadPoolExecutor(max_workers=1) as pool:
        asking = pool.submit(ask_form, place, form)
        while not asking.done():
            looks.append(_look(containers))
            wait([asking], timeout=LOOK_S)
    asked = asking.result()
    looks.append(_look(containers))
    return Asked(form, asked.token, asked.received, asked.other, measured=_costs(looks, asked.received))


def _look(containers: Sequence[Container]) -> tuple[sampler.Sample, ...]:
    """What each container has used until now; nothing where one of them does not say."""
    found = [sampler.read(container) for container in containers]
    return tuple(each for each in found if each) if all(found) else ()


def _costs(looks: Sequence[tuple[sampler.Sample, ...]], received: Received) -> dict[str, float]:
    """CPU time of all containers from the first look to the last, and memory at its most beyond that at the first."""
    first, *later = looks
    if not first or not looks[-1]:
        return {}
    cpu_s = [sum(each.cpu_s for each in look) for look in (first, looks[-1])]
    held = [sum(each.memory_bytes for each in look) for look in (first, *filter(None, later))]
    return {
        "cpu_s": round(cpu_s[1] - cpu_s[0], 3),
        "memory_growth_mb": round((max(held) - held[0]) / 1e6, 1),
        "sent_mb": round(received.sent_bytes / 1e6, 1),
    }


def judge(
    asked: Asked, logged: Sequence[Logged], *, behind_edge: bool, passed: Sequence[str] | None
) -> Answer:
    """What the form came to, from what the connection brought and what is on record."""
    form, replies = asked.form, tuple(asked.received.replies)
    statuses = tuple(each.status for each in replies)
    own = [each for each in logged if each.role not in LATER]
    first = next((each for each in own if each.role == "first"), None)
    broke = bool(replies and replies[0].document.get("body_broke"))
    headless = statuses[:1] == (0,) and first is None
    seen = Seen(
        kind=Kind.REJECT if headless else kind_of(statuses, closed=asked.received.closed, broke=broke),
        replies=replies,
        closed=asked.received.closed,
        logged=tuple(logged),
        behind_edge=behind_edge,
        measured=asked.measured,
    )
    unanswered = "" if asked.other else "afterwards another connection got no answer"
    said = "; ".join(filter(None, (form.right(seen), unanswered)))
    return Answer(
        form=form.name,
        kind=seen.kind,
        statuses=statuses,
        closed=seen.closed,
        requests=len(own),
        verdict=Verdict.FAIL if said else Verdict.PASS,
        body_bytes=first.body_bytes if first else None,
        said=said,
        smuggled=_smuggled(asked, logged, passed),
        measured=asked.measured,
    )


def _smuggled(asked: Asked, logged: Sequence[Logged], passed: Sequence[str] | None) -> str:
    sent = [*asked.form.messages, *OTHERS, *(["tail"] if asked.form.tail else [])]
    marker = str(asked.other.document.get("marker") or "") if asked.other else ""
    token, _, role = marker.rpartition("-")
    answered_by = role if token in (asked.token, "") else marker
    reachable = [each for each in logged if f"marker={asked.token}-" in each.path]
    counted = smuggled(sent, reachable, answered_by=None, handed_on=passed)
    return counted or smuggled(sent, logged, answered_by=answered_by or None)
