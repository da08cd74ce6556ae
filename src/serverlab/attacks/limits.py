"""Guessing passwords where attempts are counted (rows A5-04 to A5-11)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from serverlab.attacks import crowd, inside
from serverlab.attacks.crowd import Try, a_name, an_address, attempt
from serverlab.attacks.stage import LEAKS, Attack, Outcome, Stage, failed, not_applicable, said
from serverlab.attacks.visitor import Visitor, judged, newcomer, sign_up
from serverlab.model.records import Check
from serverlab.stats import median

WINDOW_S = 60
PER_ADDRESS = 20
PER_ACCOUNT = 10
"""What the app allows in a window (see its module accounts.limits); the edge allows more, so that the app decides."""

CLOSED = (0, 502)
"""No answer by the app: without an edge, and with one."""

WAYS = ("jwt", "plain", "session")

Answers = TypeVar("Answers")


def in_one_window(ask: Callable[[], Answers], *, now: Callable[[], float] = time.time) -> Answers:
    """The answers of attempts that all fell into one window of the limits; they are made anew if they did not.

    What they are counted for, an address or an account, has to be a new one in each call of ``ask``.
    """
    before = now() // WINDOW_S
    answers = ask()
    return answers if now() // WINDOW_S == before else ask()


def statuses(answers: Sequence[Try]) -> str:
    """How often each status came: "20 x 401, 5 x 429"."""
    counted = Counter(said(each["status"]) for each in answers)
    return ", ".join(f"{count} x {status}" for status, count in sorted(counted.items()))


def _clean(answers: Sequence[Try], *, closed: bool = False) -> Check:
    """Whether each was answered by 401 or 429, told nothing of the inside, and said when to come back.

    ``closed``: or had its connection closed, by a server whose queue was full; the edge tells that as 502.
    """
    wrong = [each for each in answers if not (_is_clean(each) or (closed and each["status"] in CLOSED))]
    shown = f"{wrong[0]['status']} {wrong[0]['body'][:100]}" if wrong else ""
    return Check(name="every answer", ok=not wrong, detail=shown or statuses(answers))


def _is_clean(answer: Try) -> bool:
    if any(sign in answer["body"] for sign in LEAKS):
        return False
    return answer["status"] == 401 or (answer["status"] == 429 and 1 <= _retry_after(answer) <= WINDOW_S)


def _retry_after(answer: Try) -> int:
    value = {name.lower(): text for name, text in answer["headers"]}.get("retry-after", "")
    return int(value) if value.isdigit() else 0


def _looked_at(answers: Sequence[Try]) -> int:
    return sum(each["status"] not in (*CLOSED, 429) for each in answers)


def guessing(stage: Stage) -> Outcome:
    """One address, one guess after the other by all three ways, then the right password."""
    username, password = sign_up(stage)

    def ask() -> list[Try]:
        address = an_address()
        guesses = [attempt(a_name(), address=address, way=WAYS[at % 3]) for at in range(PER_ADDRESS + 4)]
        return crowd.attempts(stage, [*guesses, attempt(username, password=password, address=address)])

    answers = in_one_window(ask)
    return judged(_limited(answers, allowed=PER_ADDRESS), seen=_told(answers))


def _limited(answers: Sequence[Try], *, allowed: int) -> Iterator[Check]:
    yield _clean(answers)
    looked_at = _looked_at(answers)
    yield Check(name="attempts that were looked at", ok=looked_at == allowed, detail=f"{looked_at}")
    yield Check(
        name="the last one, though its password is right",
        ok=answers[-1]["status"] == 429,
        detail=f"{answers[-1]['status']}",
    )


def _told(answers: Sequence[Try]) -> str:
    return f"{statuses(answers)}, the right password among these"


FORGED: tuple[tuple[tuple[str, str], ...], ...] = (
    (("X-Forwarded-For", "203.0.113.{n}"),),
    (("X-Real-IP", "203.0.113.{n}"),),
    (("Forwarded", "for=203.0.113.{n}"),),
    (("X_Forwarded_For", "203.0.113.{n}"),),
    (("X-Forwarded-For", "203.0.113.{n}"), ("X-Forwarded-For", "198.51.100.{n}")),
    (("X-Forwarded-For", ", ".join(["203.0.113.{n}"] * 100)),),
    (("X-Forwarded-For", "2001:db8::{n}"),),
    (
        ("Client-IP", "203.0.113.{n}"),
        ("True-Client-IP", "203.0.113.{n}"),
        ("CF-Connecting-IP", "203.0.113.{n}"),
    ),
)
"""Headers by which a client may claim to be somebody else; {n} is another number each time."""


def claimed_addresses(stage: Stage) -> Outcome:
    """The same, claiming to be somebody else each time."""
    username, password = sign_up(stage)

    def ask() -> list[Try]:
        address = an_address()
        guesses = [attempt(a_name(), address=address, headers=_claims(at)) for at in range(PER_ADDRESS + 12)]
        last = attempt(username, password=password, address=address, headers=_claims(99))
        return crowd.attempts(stage, [*guesses, last])

    answers = in_one_window(ask)
    return judged(_limited(answers, allowed=PER_ADDRESS), seen=_told(answers))


def _claims(number: int) -> list[tuple[str, str]]:
    forged = FORGED[number % len(FORGED)]
    return [(name, value.replace("{n}", str(number + 1))) for name, value in forged]


def many_processes(stage: Stage) -> Outcome:
    """Asked where there are several of them."""
    processes = stage.expected.workers
    if processes < 2:
        return not_applicable("one process on this target: A5-04 is the same question")
    return counted_by(stage, processes)


def counted_by(stage: Stage, processes: int) -> Outcome:
    """Four at a time, so that every worker process and replica takes its share: the count is one for all of them."""

    def ask() -> list[Try]:
        address = an_address()
        guesses = [attempt(a_name(), address=address) for _ in range(PER_ADDRESS + 12)]
        return crowd.attempts(stage, guesses, at_once=4)

    answers = in_one_window(ask)
    looked_at = _looked_at(answers)
    total = Check(name="attempts looked at", ok=looked_at == PER_ADDRESS, detail=f"{looked_at}")
    return judged(
        [_clean(answers), total],
        seen=f"{statuses(answers)} by {processes} processes",
        measured={"processes": processes},
    )


def at_once(stage: Stage) -> Outcome:
    """64 guesses in parallel from one address, more than it has left."""

    def ask() -> list[Try]:
        address = an_address()
        return crowd.attempts(stage, [attempt(a_name(), address=address) for _ in range(64)], at_once=64)

    answers = in_one_window(ask)
    looked_at = _looked_at(answers)
    total = Check(name="attempts looked at", ok=0 < looked_at <= PER_ADDRESS, detail=f"{looked_at}")
    return judged([_clean(answers, closed=True), total], seen=statuses(answers))


def many_addresses(stage: Stage) -> Outcome:
    """One user, guessed at from an address each time; who is signed in already notices nothing."""

    def ask() -> tuple[Visitor, list[Try]]:
        victim = newcomer(stage, "jwt")
        guesses = [attempt(victim.username, address=an_address()) for _ in range(PER_ACCOUNT + 3)]
        last = attempt(victim.username, password=victim.password, address=an_address())
        return victim, crowd.attempts(stage, [*guesses, last])

    victim, answers = in_one_window(ask)
    looked_at = _looked_at(answers)
    here = victim.refresh().status_code
    return judged(
        [
            _clean(answers),
            # The victim's own sign-in above may have counted in the same window.
            Check(name="looked at", ok=looked_at in (PER_ACCOUNT - 1, PER_ACCOUNT), detail=f"{looked_at}"),
            Check(name="who is signed in", ok=here == 200, detail=f"{here}"),
        ],
        seen=f"{statuses(answers)}; who is signed in goes on",
    )


def store_away(stage: Stage) -> Outcome:
    """The table that attempts are counted in is gone: nobody signs in uncounted, and nothing breaks."""
    username, password = sign_up(stage)
    asked = [attempt(username, password=password, address=an_address(), way=way) for way in WAYS]
    inside.sql(stage, "ALTER TABLE shared_cache RENAME TO shared_cache_away")
    try:
        answers = crowd.attempts(stage, asked)
    finally:
        inside.sql(stage, "ALTER TABLE shared_cache_away RENAME TO shared_cache")
    afterwards = Visitor(stage, "jwt", username=username, password=password).log_in().status_code
    refused = all(each["status"] == 429 for each in answers)
    return judged(
        [
            _clean(answers),
            Check(name="while it is away", ok=refused, detail=statuses(answers)),
            Check(name="when it is back", ok=afterwards == 200, detail=f"{afterwards} when it is back"),
        ]
    )


def cheap_refusal(stage: Stage) -> Outcome:
    """What an attempt over the limit costs beside one whose password is hashed; both less what any log-in costs."""

    def ask() -> list[Try]:
        address = an_address()
        return crowd.attempts(stage, [attempt(a_name(), address=address) for _ in range(PER_ADDRESS + 12)])

    answers = in_one_window(ask)
    costs: Mapping[int, list[float]] = {401: [], 429: []}
    for each in answers:
        costs.get(each["status"], []).append(each["took_s"])
    if not all(costs.values()):
        return failed(statuses(answers), "there is nothing to compare")
    any_s = crowd.unhashed_s(stage)
    hashed_s, refused_s = median(costs[401]) - any_s, median(costs[429]) - any_s
    share = refused_s / hashed_s
    return judged(
        [_clean(answers), Check(name="a refusal", ok=share < 0.5, detail=f"{share:.2f} of a hash")],
        seen=f"{refused_s * 1000:.1f} ms more than any log-in, checked {hashed_s * 1000:.1f} ms more",
        measured={"refused_s": refused_s, "checked_s": hashed_s},
    )


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "A5-04",
        "Guessing from one address",
        "429 with Retry-After after 20 in a minute",
        guessing,
        profile="guarded",
    ),
    Attack(
        "A5-05",
        "Guessing with forged X-Forwarded-For and its kin",
        "the same 20",
        claimed_addresses,
        profile="guarded",
    ),
    Attack(
        "A5-06",
        "Guessing at several processes",
        "the same 20 for all together",
        many_processes,
        profile="guarded",
    ),
    Attack("A5-07", "64 guesses at once", "no more than 20 are looked at", at_once, profile="guarded"),
    Attack(
        "A5-08",
        "Guessing at one user from many addresses",
        "429 with Retry-After after 10 in a minute",
        many_addresses,
        profile="guarded",
    ),
    Attack(
        "A5-09", "The limits' store is gone", "429, never uncounted, never 5xx", store_away, profile="guarded"
    ),
    Attack(
        "A5-11",
        "Is a refused attempt hashed?",
        "no: it costs less than half a hash",
        cheap_refusal,
        profile="guarded",
    ),
)
