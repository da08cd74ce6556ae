"""What was seen on a connection, in a word; whether requests were kept apart; and what many targets come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from serverlab.analysis.conditions import environment_facts
from serverlab.model.definitions import Target
from serverlab.model.framing import (
    Answer,
    Differential,
    Framed,
    FramingCell,
    FramingNote,
    FramingRow,
    FramingTable,
    Kind,
    Logged,
)
from serverlab.model.security import Verdict

HIDDEN = "smug"
"""The role of requests that stand within something else; none of them is a message of its own."""

OTHERS = ("other", "again")
"""The innocent request on another connection, and the one that is sent where the first gets no answer."""

LATER = ("tail", *OTHERS)
"""The roles of innocent requests: the next on the same connection, and one on another."""


REACHED = "the hidden request reached the app"


def kind_of(statuses: Sequence[int], *, closed: bool, broke: bool = False) -> Kind:
    """What became of the first message; ``broke`` if the app was given an error in the place of the body."""
    if not statuses:
        return Kind.CLOSED if closed else Kind.SILENT
    return Kind.REJECT if broke or statuses[0] >= 400 else Kind.ACCEPT


def smuggled(
    sent: Iterable[str],
    logged: Sequence[Logged],
    *,
    answered_by: str | None,
    handed_on: Sequence[str] | None = None,
) -> str:
    """Why the requests of one connection, and one of another, were not kept apart; "" if they were.

    ``sent`` are the roles of what was sent as messages of their own; ``logged`` is what the app says it got. The
    innocent request on another connection was ``answered_by`` that role (None: by nobody). ``handed_on`` are the roles
    of what the edge says it handed on (None: there is none, or they are not compared); fewer may arrive, where the
    server behind it refuses one, but never more.
    """
    if surplus := _surplus(set(sent), Counter(each.role for each in logged)):
        return surplus + _by_whom(surplus, handed_on)
    for each in logged:
        if each.role in LATER and each.body_bytes:
            return f"a later request without a body got one of {each.body_bytes} bytes"
    if answered_by not in (None, *OTHERS):
        return f"a request on another connection got the answer to {answered_by!r}"
    if handed_on is not None and len(logged) > len(handed_on):
        return f"the edge handed on {len(handed_on)}, the app got {len(logged)}"
    return ""


def _by_whom(surplus: str, handed_on: Sequence[str] | None) -> str:
    """Who took a hidden request for a message: the edge as well, or the server alone."""
    if surplus != REACHED or handed_on is None:
        return ""
    alike = any(role.startswith(HIDDEN) for role in handed_on)
    return ", the edge took it for a message as well" if alike else ", of which the edge knows nothing"


def _surplus(sent: set[str], counted: Mapping[str, int]) -> str:
    """What the app got that it should not have, or more often than it should."""
    if any(role.startswith(HIDDEN) for role in counted):
        return REACHED
    if foreign := sorted(counted.keys() - sent):
        return f"the app got what nobody sent: {', '.join(foreign)}"
    if twice := sorted(role for role, count in counted.items() if count > 1):
        return f"the app got more than once: {', '.join(twice)}"
    return ""


def framing_table(run: Differential) -> FramingTable:
    """Cases against targets, and a note for each form that some of them did not answer as the RFC wants."""
    targets = list(dict.fromkeys(each.target for each in run.found))
    first = {each.case: each for each in reversed(run.found)}
    return FramingTable(
        run=run.name,
        facts=environment_facts(run.environment),
        direct=tuple(name for name in targets if Target.parse(name).edge is None),
        behind_edge=tuple(name for name in targets if Target.parse(name).edge),
        rows=tuple(
            FramingRow(
                case=case,
                title=first[case].title,
                right=first[case].right,
                cells={each.target: cell(each) for each in run.found if each.case == case},
            )
            for case in sorted(first)
        ),
        notes=tuple(_notes(run.found)),
        problems=run.problems,
    )


def of_server(run: Differential, server: str) -> Differential:
    """The run with the targets of one server and no others; with nothing found where it has none of it."""
    own = tuple(each for each in run.found if Target.parse(each.target).server == server)
    return msgspec.structs.replace(run, found=own)


def cell(found: Framed) -> FramingCell:
    """How many forms of the case were answered how."""
    return FramingCell(
        forms=len(found.answers),
        otherwise=sum(each.verdict is Verdict.FAIL for each in found.answers),
        unknown=sum(each.verdict is Verdict.UNKNOWN for each in found.answers) + bool(found.problem),
        smuggled=sum(bool(each.smuggled) for each in found.answers),
    )


def _notes(found: Sequence[Framed]) -> list[FramingNote]:
    """Equal words of several targets in one note, in the order of cases and forms; what was smuggled first."""
    targets: dict[tuple[str, str, str, bool], list[str]] = {}
    forms = {(each.case, answer.form): None for each in found for answer in each.answers}
    order = {key: number for number, key in enumerate(forms)}
    for each in found:
        if each.problem:
            targets.setdefault((each.case, "", each.problem, False), []).append(each.target)
        for answer in each.answers:
            for said, is_smuggled in _told(answer):
                targets.setdefault((each.case, answer.form, said, is_smuggled), []).append(each.target)
    keys = sorted(targets, key=lambda key: (key[0], not key[3], order.get(key[:2], -1)))
    return [
        FramingNote(
            case=case, form=form, said=said, targets=tuple(targets[case, form, said, bad]), smuggled=bad
        )
        for case, form, said, bad in keys
    ]


def _told(answer: Answer) -> Iterable[tuple[str, bool]]:
    if answer.smuggled:
        yield answer.smuggled, True
    if answer.verdict in (Verdict.FAIL, Verdict.UNKNOWN):
        yield answer.said, False


def differing(one: Differential, other: Differential) -> list[str]:
    """One sentence for each form on each target that two runs saw differently, or only one of them saw."""
    return [
        f"{target} {case} {form}: {_seen(left)}; {_seen(right)}"
        for (target, case, form), left, right in _paired(one, other)
        if _essence(left) != _essence(right)
    ]


def _paired(
    one: Differential, other: Differential
) -> Iterable[tuple[tuple[str, str, str], Answer | None, Answer | None]]:
    left, right = _by_form(one), _by_form(other)
    for key in dict.fromkeys([*left, *right]):
        yield key, left.get(key), right.get(key)


def _by_form(run: Differential) -> dict[tuple[str, str, str], Answer]:
    return {(each.target, each.case, answer.form): answer for each in run.found for answer in each.answers}


def _essence(answer: Answer | None) -> object:
    if answer is None:
        return None
    return answer.kind, answer.statuses, answer.requests, answer.verdict, bool(answer.smuggled)


def _seen(answer: Answer | None) -> str:
    if answer is None:
        return "not asked"
    statuses = "/".join(map(str, answer.statuses)) or "no answer"
    return (
        f"{answer.kind.value} {statuses}, {answer.requests} requests{', smuggled' if answer.smuggled else ''}"
    )
