"""What each way of signing in is like, in numbers: how soon it ends, and what it needs replicas to share (rows T)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping

from serverlab.attacks.profiles import ACCESS_LIFETIME_S
from serverlab.attacks.stage import Attack, Outcome, Stage, not_applicable
from serverlab.attacks.visitor import Visitor, again, judged, newcomer
from serverlab.model.records import Check

TARGETS = ("gunicorn:gthread", "daphne:production")
TOKEN_WAYS = ("jwt", "plain")
WAYS = ("session", *TOKEN_WAYS)
POLL_S = 0.02
AT_ONCE_S = 1.0
"""What "at once" may take: a poll, and a server that has other things to do."""

LIFETIME_S = 600.0
"""Of an access token in the profile `open`."""

PASSWORD = "another-pass-phrase-7"  # noqa: S105 - of an account that lives as long as the stack
SEEDED = "user03"
QUESTIONS = 20
"""How often each way asks who it is; and refreshes, each time after a log-in of its own."""


def refused_after(visitors: Mapping[str, Visitor], *, within_s: float) -> dict[str, float | None]:
    """Seconds from now until each visitor's first refusal is there; None for those that are not refused in time."""
    found: dict[str, float | None] = dict.fromkeys(visitors)
    began = time.monotonic()
    while None in found.values() and time.monotonic() - began < within_s:
        for name in [name for name, known in found.items() if known is None]:
            if visitors[name].me().status_code == 401:
                found[name] = time.monotonic() - began
        time.sleep(POLL_S)
    return found


def on_two(question: Callable[[Stage], Outcome]) -> Callable[[Stage], Outcome]:
    """The question, asked on one target of each interface only."""

    def asked(stage: Stage) -> Outcome:
        if str(stage.settings.target) in TARGETS:
            return question(stage)
        return not_applicable(f"the same code on every server; asked on {' and '.join(TARGETS)}")

    return asked


def after_log_out(stage: Stage) -> Outcome:
    """The time from the log-out to the first refusal of the credential that was signed out, asked every 20 ms."""
    seen = {way: _ended(newcomer(stage, way), Visitor.log_out) for way in WAYS}
    plain = seen["plain"] is None
    checks = [*_at_once({way: seen[way] for way in ("session", "jwt")}), _lives_on("plain", lives=plain)]
    times = {f"{way}_s": took for way, took in seen.items() if took is not None}
    return judged(checks, measured=times)


def _ended(visitor: Visitor, end: Callable[[Visitor], object]) -> float | None:
    end(visitor)
    return refused_after({"": visitor}, within_s=AT_ONCE_S)[""]


def _at_once(seen: Mapping[str, float | None]) -> Iterator[Check]:
    for name, took in seen.items():
        shown = f"{name} after {took * 1000:.0f} ms" if took is not None else f"{name} still accepted"
        yield Check(name=name, ok=took is not None and took <= AT_ONCE_S, detail=shown)


def _lives_on(name: str, *, lives: bool) -> Check:
    return Check(name=name, ok=lives, detail=f"{name} when it expires ({LIFETIME_S:.0f} s)")


def after_everything_ended(stage: Stage) -> Outcome:
    """The time to refusal after log-out everywhere, and after a change of password at another machine."""
    return _all_at_once({name: took for way in WAYS for name, took in _everything_ended(stage, way).items()})


def after_session_in_cache(stage: Stage) -> Outcome:
    """The same of a session that is kept in the cache, and after its log-out, which has to take it out of there."""
    took = _ended(_reader(stage, "session"), Visitor.log_out)
    return _all_at_once({"session, log out": took, **_everything_ended(stage, "session")})


def _everything_ended(stage: Stage, way: str) -> dict[str, float | None]:
    everywhere = _ended(_reader(stage, way), Visitor.log_out_everywhere)
    here = _reader(stage, way)
    elsewhere = again(here)
    here.change_password(PASSWORD).raise_for_status()
    password = refused_after({"": elsewhere}, within_s=AT_ONCE_S)[""]
    return {f"{way}, everywhere": everywhere, f"{way}, password": password}


def _reader(stage: Stage, way: str) -> Visitor:
    """A newcomer whose account was made without touching a row by hand, which works in SQLite only."""
    visitor = Visitor(stage, way, username=stage.sign_up())
    visitor.log_in().raise_for_status()
    return visitor


def _all_at_once(seen: Mapping[str, float | None]) -> Outcome:
    times = {
        f"{name.replace(',', '').replace(' ', '_')}_s": took
        for name, took in seen.items()
        if took is not None
    }
    slowest = max(times.values(), default=0.0)
    return judged(_at_once(seen), seen=f"all at once, {slowest * 1000:.0f} ms at most", measured=times)


def after_log_out_stateless(stage: Stage) -> Outcome:
    """The same where access tokens are believed without a query: they end when they expire, refreshing ends at once."""
    ends = {"log_out": Visitor.log_out, "everywhere": Visitor.log_out_everywhere}
    sessions = {f"session_{name}": _ended(newcomer(stage, "session"), end) for name, end in ends.items()}
    tokens: dict[str, float | None] = {}
    refreshed: dict[str, int] = {}
    for name, end in ends.items():
        for way in TOKEN_WAYS:
            visitor = newcomer(stage, way)
            ended = time.monotonic()
            end(visitor).raise_for_status()
            refreshed[f"{way}_{name} refreshing"] = visitor.refresh().status_code
            asked = time.monotonic()
            took = refused_after({"": visitor}, within_s=ACCESS_LIFETIME_S + 1.0)[""]
            tokens[f"{way}_{name}"] = None if took is None else asked - ended + took
    checks = list(_at_once(sessions))
    checks += [
        Check(name=name, ok=took is not None, detail=f"{took} s, at most {ACCESS_LIFETIME_S}")
        for name, took in tokens.items()
    ]
    checks += [Check(name=name, ok=code == 401, detail=str(code)) for name, code in refreshed.items()]
    longest = max(took or 0.0 for took in tokens.values())
    return judged(
        checks,
        seen=f"session at once, tokens after {longest:.1f} s of {ACCESS_LIFETIME_S}; refreshing at once",
        measured={f"{name}_s": took for name, took in {**sessions, **tokens}.items() if took is not None},
    )


def surviving(stage: Stage) -> dict[str, float]:
    """Of each way, the shares of questions and of refreshes that two replicas answer after one signed somebody in."""
    chance = random.Random(1)  # noqa: S311 - for coincidence, not for secrets
    shares: dict[str, float] = {}
    for way in WAYS:
        visitor = _seeded(stage, way)
        shares[f"{way}_me_share"] = _share(visitor.me().status_code for _ in range(QUESTIONS))
        if way != "session":
            shares[f"{way}_refresh_share"] = _share(
                _refreshed(stage, way, chance=chance) for _ in range(QUESTIONS)
            )
    return shares


def _share(statuses: Iterator[int]) -> float:
    found = list(statuses)
    if broken := [code for code in found if code not in (200, 401)]:
        raise ValueError(f"answered {broken[0]}, which is neither 200 nor 401")
    return found.count(200) / len(found)


def _refreshed(stage: Stage, way: str, *, chance: random.Random) -> int:
    visitor = _seeded(stage, way)
    for _ in range(
        chance.randint(0, 1)
    ):  # replicas take turns: without it the refresh would always meet the same one
        stage.client.get("/api/ping/")
    return visitor.refresh().status_code


def _seeded(stage: Stage, way: str) -> Visitor:
    """Somebody whom each replica's database has known from the start, signed in as a browser does."""
    visitor = Visitor(stage, way, username=SEEDED)
    visitor.log_in().raise_for_status()
    return visitor


def unshared(stage: Stage) -> Outcome:
    """What is left of signing in when replicas share nothing; measured, not judged."""
    shares = surviving(stage)
    return judged([Check(name="asked", ok=True, detail=_shown(shares))], measured=shares)


def shared(stage: Stage) -> Outcome:
    """With one store for both, nothing must be lost."""
    shares = surviving(stage)
    checks = [Check(name=name, ok=share == 1.0, detail=f"{share:.0%}") for name, share in shares.items()]
    return judged(checks, seen=_shown(shares), measured=shares)


def _shown(shares: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name.removesuffix('_share').replace('_', ' ')} {share:.0%}" for name, share in shares.items()
    )


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "T-01",
        "Time from log-out to refusal, user read",
        "session and jwt at once, plain when it expires",
        on_two(after_log_out),
    ),
    Attack(
        "T-02",
        "Time from log-out everywhere or a new password to refusal",
        "at once",
        on_two(after_everything_ended),
    ),
    Attack(
        "T-05",
        "Time from log-out to refusal, stateless",
        f"session at once, tokens within their {ACCESS_LIFETIME_S} s",
        on_two(after_log_out_stateless),
        profile="guarded",
    ),
    Attack(
        "T-07",
        "Time from log-out to refusal, session in the cache",
        "at once",
        on_two(after_session_in_cache),
        profile="services",
    ),
    Attack("T-04", "Two replicas with a shared store", "all answered", shared, profile="replicated"),
    Attack("T-03", "Two replicas without a shared store", "measured", unshared, profile="unshared"),
    Attack(
        "T-06",
        "The same, tokens stateless, sessions in the cache",
        "measured",
        unshared,
        profile="unshared-stateless",
    ),
)
