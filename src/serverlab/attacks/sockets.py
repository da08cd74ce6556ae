"""WebSockets under attack (rows A4-20 to A4-25, and A4-20s to A4-24s with Daphne beside the server)."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from serverlab.attacks.browser import lookalike
from serverlab.attacks.frames import DROPPED, FEED, LIVES, ODD_FRAMES, PATIENCE_S, raw_handshake
from serverlab.attacks.profiles import ACCESS_LIFETIME_S
from serverlab.attacks.stage import HARMLESS, Attack, Outcome, Stage, failed, not_applicable, passed
from serverlab.attacks.visitor import Visitor, deactivate, judged, newcomer
from serverlab.model.definitions import Interface
from serverlab.model.records import Check

PROTOCOL = "serverlab.feed.v1"
SWITCHED = 101
Steps: TypeAlias = Generator[float, None, Outcome]
"""An attack that pauses; see Attack."""

MEMORY_MIB = 64
"""How much a server may have grown by after all that was thrown at it."""


def served(attack: Callable[[Stage], Outcome | Steps]) -> Callable[[Stage], Outcome | Steps]:
    """The attack on stacks that serve WebSockets; N/A on all others."""

    def asked(stage: Stage) -> Outcome | Steps:
        if stage.expected.interface is Interface.WSGI and not stage.settings.realtime:
            return not_applicable("serves WSGI, no WebSocket")
        try:
            outcome = attack(stage)
        except WebSocketException as broke:
            return _refused(broke)
        return outcome if isinstance(outcome, Outcome) else _pausing(outcome)

    return asked


def _pausing(steps: Steps) -> Steps:
    try:
        return (yield from steps)
    except WebSocketException as broke:
        return _refused(broke)


def _refused(broke: WebSocketException) -> Outcome:
    return failed("the handshake failed", f"{type(broke).__name__}: {broke}")


def ticket_of(visitor: Visitor) -> str:
    """A ticket that has not been used."""
    response = visitor.send("POST", "/api/realtime/ticket/")
    response.raise_for_status()
    return str(response.json()["ticket"])


def opened(
    stage: Stage, *offered: str, origin: str | None = "", query: str = "", **headers: str
) -> AbstractContextManager[ClientConnection]:
    """A socket to the feed for a `with` block; its Origin is the stack's own unless another is given (None: has none).

    Entering the block raises InvalidStatus if the handshake is refused.
    """
    return connect(
        f"{stage.url.replace('http', 'ws', 1)}{FEED}{query}",
        origin=stage.url if origin == "" else origin,  # type: ignore[arg-type]
        subprotocols=[PROTOCOL, *offered],  # type: ignore[list-item]
        additional_headers=headers,
        open_timeout=PATIENCE_S,
        close_timeout=1.0,
        max_size=1 << 22,
        compression=None,
        proxy=None,
    )


def handshake(stage: Stage, *offered: str, **options: Any) -> int:  # noqa: ANN401 - those of `opened`
    """The status of a handshake, 101 if it succeeded."""
    try:
        with opened(stage, *offered, **options):
            return SWITCHED
    except InvalidStatus as refused:
        return refused.response.status_code


def close_code(link: ClientConnection, *, within_s: float = PATIENCE_S) -> int:
    """The code that the server closes with; LIVES if it does not within that time."""
    give_up = time.monotonic() + within_s
    try:
        while (left := give_up - time.monotonic()) > 0:
            link.recv(timeout=left)
    except TimeoutError:
        return LIVES
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else DROPPED
    return LIVES


CHECKED_EVERY_S = 5.0
"""How often an open socket's credential is looked up."""

SAID = {LIVES: "open", DROPPED: "dropped"}


def _is(name: str, found: int, *wanted: int) -> Check:
    return Check(name=name, ok=found in wanted, detail=str(SAID.get(found, found)))


def foreign_pages(stage: Stage) -> Outcome:
    """Handshakes with a good ticket from pages of another origin, as a hijacked browser would make them."""
    visitor = newcomer(stage, "jwt")
    origins = (
        None,
        "https://evil.example",
        "null",
        lookalike(stage.url),
        stage.url.replace("http", "https"),
    )
    checks = [
        _is(f"Origin {origin}", handshake(stage, f"ticket.{ticket_of(visitor)}", origin=origin), 403)
        for origin in origins
    ]
    return judged([*checks, _is("own Origin", handshake(stage, f"ticket.{ticket_of(visitor)}"), SWITCHED)])


def wrong_tickets(stage: Stage) -> Outcome:
    """Handshakes with no ticket, one that was used, and tokens in a ticket's place or in the address."""
    visitor = newcomer(stage, "jwt")
    tokens, used = visitor.tokens, ticket_of(visitor)
    checks = [_is("ticket", handshake(stage, f"ticket.{used}"), SWITCHED)]
    wrong = {
        "used ticket": (f"ticket.{used}",),
        "no ticket": (),
        "made-up ticket": ("ticket.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",),
        "access token as ticket": (f"ticket.{tokens['access']}",),
        "refresh token as ticket": (f"ticket.{tokens['refresh']}",),
        "two tickets": (f"ticket.{ticket_of(visitor)}", f"ticket.{ticket_of(visitor)}"),
    }
    checks += [_is(name, handshake(stage, *offered), 403) for name, offered in wrong.items()]
    for query in (f"?token={tokens['access']}", f"?ticket={ticket_of(visitor)}"):
        checks.append(_is(query.partition("=")[0], handshake(stage, query=query), 403))
    bearer = handshake(stage, Authorization=f"Bearer {tokens['access']}")
    return judged([*checks, _is("token in the header", bearer, 403)])


@dataclass(frozen=True)
class _Ending:
    """One way in which a credential ends, and how soon its socket must be closed with which code."""

    name: str
    way: str
    act: Callable[[Visitor], object]
    code: int
    within_s: float


AT_ONCE_S = 1.0
ENDINGS = (
    _Ending("log-out", "jwt", Visitor.log_out, 4403, AT_ONCE_S),
    _Ending("log-out everywhere", "jwt", Visitor.log_out_everywhere, 4403, AT_ONCE_S),
    _Ending("user deactivated", "session", deactivate, 4403, CHECKED_EVERY_S + 1.0),
    _Ending("end of life", "jwt", Visitor.me, 4401, ACCESS_LIFETIME_S + 1.0),
)


def ended_credentials(stage: Stage) -> Generator[float, None, Outcome]:
    """Sockets whose credential ends in every way, all at once; each is timed from what ends it.

    Those that are closed at once have the stack to themselves, and so have the others from a second before they are.
    """
    began = time.time()
    with ThreadPoolExecutor(len(ENDINGS)) as pool:
        closed = [pool.submit(_closed, stage, ending) for ending in ENDINGS]
        for ending, code_and_time in zip(ENDINGS, closed, strict=True):
            if ending.within_s <= AT_ONCE_S:
                code_and_time.result()
        yield began + ACCESS_LIFETIME_S - 1.0
        found = [each.result() for each in closed]
    checks = [
        Check(
            name=ending.name,
            ok=code == ending.code and took_s <= ending.within_s,
            detail=f"{ending.name} {SAID.get(code, code)} after {took_s:.1f} s",
        )
        for ending, (code, took_s) in zip(ENDINGS, found, strict=True)
    ]
    times = {
        f"{ending.name.replace(' ', '_').replace('-', '_')}_s": took_s
        for ending, (_, took_s) in zip(ENDINGS, found, strict=True)
    }
    return judged(checks, measured=times)


def _closed(stage: Stage, ending: _Ending) -> tuple[int, float]:
    """The code that the socket of a newcomer is closed with, and the seconds until then."""
    visitor = newcomer(stage, ending.way)
    with opened(stage, f"ticket.{ticket_of(visitor)}") as link:
        link.recv(timeout=PATIENCE_S)
        before = time.monotonic()
        ending.act(visitor)
        return close_code(link), time.monotonic() - before


def odd_frames(stage: Stage) -> Outcome:
    """Too large, too many, unmasked, broken; afterwards the server has not grown and takes the next one."""
    visitor = newcomer(stage, "jwt")
    before = _memory_mib(stage)
    codes = {name: _answer_to(stage, visitor, name) for name in ODD_FRAMES}
    grown = _memory_mib(stage) - before
    after = handshake(stage, f"ticket.{ticket_of(visitor)}")
    checks = [_is(name, code, *ODD_FRAMES[name][1]) for name, code in codes.items()]
    checks.append(Check(name="memory", ok=grown < MEMORY_MIB, detail=f"{grown:+.0f} MiB"))
    checks.append(_is("afterwards", after, SWITCHED))
    seen = ", ".join(f"{name} {SAID.get(code, code)}" for name, code in codes.items())
    return judged(checks, seen=f"{seen}; {grown:+.0f} MiB", measured={"grown_mib": grown})


def _answer_to(stage: Stage, visitor: Visitor, name: str) -> int:
    """The code that these frames are answered with."""
    sent, wanted = ODD_FRAMES[name]
    with opened(stage, f"ticket.{ticket_of(visitor)}") as link:
        link.recv(timeout=PATIENCE_S)
        with suppress(OSError):  # closed while they are still sent
            link.socket.sendall(sent)
        return close_code(link, within_s=1.0 if LIVES in wanted else PATIENCE_S)


def _memory_mib(stage: Stage) -> float:
    container = stage.engine.service("realtime" if stage.settings.realtime else "app")
    top = container.top(ps_args="-eo pid,rss")
    column = top["Titles"].index("RSS")
    return sum(int(row[column]) for row in top["Processes"]) / 1024


ODD_BYTES = (b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x85")
"""What Python's splitlines() takes for the end of a line, and HTTP does not."""


def split_headers(stage: Stage) -> Outcome:
    """A header whose value holds what only Python takes for a new line, and behind it a header of an insider."""
    visitor = newcomer(stage, "jwt")
    checks = []
    for odd in ODD_BYTES:
        planted = b"X-Note: a" + odd + b"Origin: " + stage.url.encode()
        protocols = f"{PROTOCOL}, ticket.{ticket_of(visitor)}".encode()
        extra = (planted, b"Sec-WebSocket-Protocol: " + protocols)
        found = raw_handshake(stage.url, *extra)
        checks.append(_is(f"{odd!r}, Origin only behind it", found, 400, 403))
    return judged(checks)


def no_sockets_here(stage: Stage) -> Outcome:
    """A handshake where only WSGI is served."""
    if stage.expected.interface is not Interface.WSGI:
        return not_applicable("serves WebSockets")
    before = time.monotonic()
    try:
        found = raw_handshake(stage.url, b"Sec-WebSocket-Protocol: " + PROTOCOL.encode())
    except TimeoutError:
        return failed("no answer", "a handshake must not hang")
    took_s = time.monotonic() - before
    alive = stage.me(stage.access).status
    if found in (400, 404, 426, 501) and took_s < 2.0 and alive == 200:
        return passed(f"{found}: not supported", took_s=took_s)
    return failed(f"{found} after {took_s:.1f} s, then {alive}", "expected a clean 404, 400, 426 or 501")


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "A4-20",
        "WebSocket from a foreign page",
        "403 before it is accepted",
        served(foreign_pages),
        beside=HARMLESS,
    ),
    Attack(
        "A4-21",
        "WebSocket with no, used or wrong ticket, token in the URL",
        "403",
        served(wrong_tickets),
        beside=HARMLESS,
    ),
    Attack(
        "A4-23",
        "WebSocket frames: large, many, unmasked, broken",
        "closed or dropped; no growth",
        served(odd_frames),
    ),
    Attack(
        "A4-24",
        "WebSocket header split by \\x0b, \\x85 ...",
        "400 or 403",
        served(split_headers),
        beside=HARMLESS,
    ),
    Attack("A4-25", "WebSocket where there is none", "a clean 4xx or 501, no hang", no_sockets_here),
)

PATIENT: tuple[Attack, ...] = (
    Attack(
        "A4-22",
        "Credential ends while a WebSocket is open",
        "closed: 4403 at once (user deactivated: 5 s), 4401 at its end",
        served(ended_credentials),
        profile="guarded",
    ),
)
"""What pauses, so it comes before those that are quick."""

SPLIT: tuple[Attack, ...] = tuple(
    replace(
        each,
        id=f"{each.id}s",
        title=f"{each.title}; Daphne beside the server",
        profile="split",
        beside=None,  # tokens are short-lived there
    )
    for each in (*ATTACKS, *PATIENT)
    if each.id != "A4-25"
)
