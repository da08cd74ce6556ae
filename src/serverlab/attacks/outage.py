"""What a stack answers while its database or its cache is away, and that it is itself again when they are back.

The rows W-10b and A4-09: the service's container is stopped and started again; the app is not touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from serverlab.attacks.stage import LEAKS, Attack, Outcome, Stage, said
from serverlab.attacks.visitor import Visitor, judged
from serverlab.compose import Container
from serverlab.model.records import Check
from serverlab.probe import PASSWORD, Answer

STOP_S = 5
"""How long the engine lets the service end by itself."""

SOON_S = 10.0
"""Within which an outage has to be told, also by a server that answers one request at a time."""

WELL_S = 30.0
"""How long the service itself may take to start again."""

BACK_S = 5.0
"""How long the stack may take from then on."""

POLL_S = 0.05
INSIDES = (*LEAKS, "SELECT", "postgres", "redis", "5432", "6379", "Errno", "Error:")
"""What no answer about an outage may hold."""


@dataclass(frozen=True)
class Asked:
    """A question that is put to the stack during an outage, and the status that its answer must have."""

    name: str
    status: int
    ask: Callable[[], Answer]


@dataclass(frozen=True)
class Told:
    """Its answer, and how long that took."""

    asked: Asked
    answer: Answer
    took_s: float


@contextmanager
def away(stage: Stage, service: str) -> Iterator[Container]:
    """Have a service's container stopped while the block runs, which is given it."""
    container = stage.engine.service(service)
    container.stop(timeout=STOP_S)
    try:
        yield container
    finally:
        container.start()


def told(questions: Iterable[Asked]) -> list[Told]:
    """The answers to questions that are asked at the same moment, in their order."""
    asked = list(questions)
    with ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(_told, asked))


def _told(asked: Asked) -> Told:
    before = time.monotonic()
    return Told(asked, asked.ask(), time.monotonic() - before)


def check(each: Told) -> Check:
    """Whether it is the right answer, soon; one about the outage is a JSON object that tells nothing of the inside."""
    found, wanted = each.answer, each.asked.status
    wrong = [] if found.status == wanted else [f"expected {wanted}"]
    if each.took_s > SOON_S:
        wrong.append(f"after {each.took_s:.1f} s")
    if wanted in (429, 503):
        wrong += [] if found.document else ["no JSON"]
        wrong += [f"shows {sign!r}" for sign in INSIDES if sign.lower() in found.said.lower()][:1]
        wrong += (
            [] if found.headers.get("retry-after", "").isdigit() or _of_health(each) else ["no Retry-After"]
        )
    return Check(name=each.asked.name, ok=not wrong, detail=", ".join([said(found.status), *wrong]))


def _of_health(each: Told) -> bool:
    """Whether it is what a health check asks, which comes back by itself."""
    return each.asked.name == "/readyz"


def back_s(ask: Callable[[], int], *, service: Container) -> float | None:
    """The seconds from when the service is well until the question is answered by 200; None if it is not soon enough.

    Who asks earlier waits as long as the app does between two tries.

    Raises:
        OSError: the service is not well again, which is not the server's doing.
    """
    if not _within(WELL_S, lambda: _is_well(service)):
        raise OSError(f"the service is not well {WELL_S:g} s after it was started")
    began = time.monotonic()
    return time.monotonic() - began if _within(BACK_S, lambda: ask() == 200) else None


def _within(patience_s: float, happens: Callable[[], bool]) -> bool:
    """Whether it happens within the time."""
    give_up = time.monotonic() + patience_s
    while not happens():
        if time.monotonic() > give_up:
            return False
        time.sleep(POLL_S)
    return True


def _is_well(service: Container) -> bool:
    command = service.attrs["Config"]["Healthcheck"]["Test"][1:]
    return bool(service.exec_run(command).exit_code == 0)


def database_away(stage: Stage) -> Outcome:
    """PostgreSQL is stopped: whatever needs it is 503, whatever does not goes on; then the same token is good again."""
    access = stage.access
    bearer = stage.credential(access)
    credentials = {"username": "user01", "password": PASSWORD}
    with away(stage, "db") as service:
        during = told(
            [
                Asked("who am I", 503, lambda: stage.me(access)),
                Asked("a list", 503, lambda: stage.ask("GET", "/api/books/", headers=bearer)),
                Asked("log-in", 503, lambda: stage.post("jwt", "login", json=credentials)),
                Asked("/readyz", 503, lambda: stage.ask("GET", "/readyz")),
                Asked("/healthz", 200, lambda: stage.ask("GET", "/healthz")),
                Asked("the page", 200, lambda: stage.ask("GET", "/")),
            ]
        )
    back_after_s = back_s(lambda: stage.me(access).status, service=service)
    return _outcome(during, again="the same token", back_after_s=back_after_s)


def cache_away(stage: Stage) -> Outcome:
    """Redis is stopped, where sessions are and attempts to sign in are counted: tokens do not notice."""
    session, token = _signed_in(stage, "user02"), _signed_in(stage, "user03", "jwt")
    credentials = {"username": session.username, "password": session.password}
    with away(stage, "cache") as service:
        during = told(
            [
                Asked("a session", 503, lambda: _asked(session)),
                Asked("a list by session", 503, lambda: _asked(session, "/api/books/")),
                Asked("log-in", 429, lambda: stage.post("jwt", "login", json=credentials)),
                Asked("a token", 200, lambda: _asked(token)),
                Asked("a list by token", 200, lambda: _asked(token, "/api/books/")),
                Asked("/healthz", 200, lambda: stage.ask("GET", "/healthz")),
                Asked("the page", 200, lambda: stage.ask("GET", "/")),
            ]
        )
    again = Visitor(stage, username=session.username)
    back_after_s = back_s(lambda: again.log_in().status_code, service=service)
    return _outcome(during, again="a new session", back_after_s=back_after_s)


def _signed_in(stage: Stage, username: str, way: str = "session") -> Visitor:
    visitor = Visitor(stage, way=way, username=username)
    visitor.log_in().raise_for_status()
    return visitor


def _asked(visitor: Visitor, path: str = "") -> Answer:
    return visitor.stage.ask(
        "GET", path or f"/api/auth/{visitor.way}/me/", headers=dict(visitor.credentials())
    )


def _outcome(during: Iterable[Told], *, again: str, back_after_s: float | None) -> Outcome:
    """PASS if every answer was right, and ``again`` was answered by 200 in the end."""
    answers = list(during)
    measured = {"slowest_s": max(each.took_s for each in answers)}
    if back_after_s is not None:
        measured["back_s"] = back_after_s
    shown = "not back" if back_after_s is None else f"back after {back_after_s:.1f} s"
    statuses = sorted({each.asked.status for each in answers})
    return judged(
        [*map(check, answers), Check(name=again, ok=back_after_s is not None, detail=shown)],
        seen=f"{', '.join(map(str, statuses))}; then 200 again",
        measured=measured,
    )


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "W-10b",
        "the database is away",
        "503, JSON, soon; 200 when it is back",
        database_away,
        profile="services",
    ),
    Attack(
        "A4-09",
        "Redis is away, with the sessions and the limits",
        "sessions 503, log-ins 429, tokens 200",
        cache_away,
        profile="services",
    ),
)
