"""A3: chains of refresh tokens: reuse, absolute end, spelling, rotated keys (RFC 9700, section 4.14)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

from serverlab.attacks import race
from serverlab.attacks.account import Account, accounts_of, each_way, expect
from serverlab.attacks.contention import refresh_request
from serverlab.attacks.forge import changed
from serverlab.attacks.inside import logged
from serverlab.attacks.rows import both
from serverlab.attacks.stage import HARMLESS, WAYS, Attack, Outcome, Stage, Tokens, failed, passed, said
from serverlab.model.security import Verdict
from serverlab.probe import claims_of

REUSED = "refresh token reused"
CHAIN = 10
AFTER_S = 0.02
SOON_S = 0.1
"""After its end a chain is asked so soon, or anew: a grace that is longer would be noticed."""

TRIES = 20
"""No more rounds than these: each of them is the same few requests again."""


def _reuse(account: Account) -> Outcome:
    """The same person is signed in by both ways before; the plain way keeps one chain for each user, so its is over."""
    others = [Account(account.stage, way, account.name) for way in WAYS]
    chains = [other.sign_in() for other in others]
    first = account.sign_in()
    second = account.next(first)
    third = account.next(second)
    replay = account.refresh(first)
    after = account.refresh(third)
    lines = logged(account.stage, str(claims_of(first.refresh)["fam"]))
    told = any(part in line for line in lines for part in first.refresh.split("."))
    jwt, plain = (other.refresh(tokens) for other, tokens in zip(others, chains, strict=True))
    return expect(
        account,
        spent_token=(replay, 401),
        its_successor=(after, 401),
        another_chain_by_jwt=(jwt, 200),
        another_chain_by_plain=(plain, 200 if account.way == "jwt" else 401),
        events_logged=(sum(REUSED in line for line in lines), 1),
        tokens_in_the_log=(told, False),
    )


def _long_chain(account: Account) -> Outcome:
    chain = [account.sign_in()]
    for _ in range(CHAIN - 1):
        chain.append(account.next(chain[-1]))
    replay = account.refresh(chain[2])
    alive = sum(account.refresh(tokens) != 401 for tokens in chain)
    lines = logged(account.stage, str(claims_of(chain[0].refresh)["fam"]))
    return expect(
        account,
        third_of_ten=(replay, 401),
        alive_afterwards=(alive, 0),
        events_logged=(sum(REUSED in line for line in lines), 1),
    )


def _lost_reply(account: Account) -> Outcome:
    """The client goes away without reading: its next try with the same token is the winner's or a clean refusal."""
    seen = set()
    for _ in range(min(account.stage.rounds, TRIES)):
        tokens = account.sign_in()
        with race.connected(account.stage.url) as connection:
            connection.sendall(refresh_request(account, tokens.refresh))
        again = account.stage.refresh(tokens.refresh, way=account.way)
        seen.add(again.status)
        if again.status not in (200, 401):
            return failed(f"{account.way}: {said(again.status)}", "expected 200 or 401")
        third = account.refresh(tokens)
        if third != 401:
            return failed(f"{account.way}: {said(third)} at the third try", "the token works twice")
    return passed(" or ".join(map(said, sorted(seen))))


@dataclass(frozen=True)
class _Ending:
    """A chain that ends at ``end``, and what its last token was spent for."""

    account: Account
    end: int
    tokens: Tokens


def _absolute_end(
    stage: Stage, *, now: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep
) -> Generator[float, None, Outcome]:
    """Chains whose end is a second or two away: what follows ends with it, however often it is refreshed.

    It is asked right after the end: where others kept the stack for too long meanwhile, once more without them.
    """
    chains = _ending_soon(accounts_of(stage), now)
    if (ends := both(*map(_ends_with_it, chains))).verdict is not Verdict.PASS:
        return ends
    yield chains[0].end + AFTER_S
    outcomes = [_asked(chain, now) for chain in chains]
    for at, chain in enumerate(chains):
        if outcomes[at].verdict is Verdict.UNKNOWN:
            (anew,) = _ending_soon([chain.account], now)
            sleep(max(0.0, anew.end + AFTER_S - now()))
            outcomes[at] = both(_ends_with_it(anew), _asked(anew, now))
    return both(ends, *outcomes)


def _ending_soon(accounts: Iterable[Account], now: Callable[[], float]) -> list[_Ending]:
    """A chain of each account; all end at the same moment."""
    chains = [(account, account.sign_in()) for account in accounts]
    end = int(now()) + 2
    return [
        _Ending(account, end, account.next(Tokens("", _ending_at(account, tokens, end))))
        for account, tokens in chains
    ]


def _ends_with_it(chain: _Ending) -> Outcome:
    says = claims_of(chain.tokens.refresh)
    found = says.get("exp"), says.get("end")
    if found != (chain.end, chain.end):
        return failed(f"{chain.account.way}: successor ends {found}", f"expected {(chain.end, chain.end)}")
    return passed("the successor ends with it")


def _asked(chain: _Ending, now: Callable[[], float]) -> Outcome:
    """Whether the chain is refused after its end; unknown if that was asked so late that a grace could be over."""
    after_s = round(now() - chain.end, 3)
    status, way = chain.account.refresh(chain.tokens), chain.account.way
    measured = {f"{way}_asked_after_s": after_s}
    if status != 401:
        return failed(f"{way}: refresh after the end {said(status)}", "expected 401", **measured)
    if after_s > SOON_S:
        seen = f"{way}: 401, asked {after_s:g} s after the end"
        return Outcome(Verdict.UNKNOWN, seen, f"a grace shows within {SOON_S:g} s", measured)
    return passed("401 after the end", **measured)


def _ending_at(account: Account, tokens: Tokens, end: int) -> str:
    """The account's refresh token as if its chain had to end then; the plain way has it on record."""
    forger = account.stage.forger(way=account.way)
    late = forger.signed(changed(claims_of(tokens.refresh), end=end, exp=end))
    if account.way == "plain":
        account.set("refresh_token_hash", hashlib.sha256(late.encode()).hexdigest())
    return late


def _spelt_otherwise(account: Account) -> Outcome:
    """At most one of a token's spellings buys anything, and a strange one harms nobody."""
    forger = account.stage.forger(way=account.way)
    respellings: dict[str, Callable[[str], str]] = {
        "with =": lambda token: f"{token}=",
        "with a blank": lambda token: f"{token} ",
        "jti in upper case": lambda token: _upper_jti(forger.signed, token),
    }
    for name, respell in respellings.items():
        tokens = account.sign_in()
        odd = account.refresh(Tokens("", respell(tokens.refresh)))
        right = account.refresh(tokens)
        if sorted((odd, right)) != [200, 401]:
            return failed(
                f"{account.way}: {name} {said(odd)}, then as issued {said(right)}",
                "expected one 200, one 401",
            )
    return passed("one spelling works, once")


def _upper_jti(signed: Callable[[object], str], token: str) -> str:
    claims = claims_of(token)
    return signed(changed(claims, jti=str(claims["jti"]).upper()))


def _rotated_keys(stage: Stage) -> Outcome:
    for way in WAYS:
        forger = stage.forger(way=way)
        _, previous = forger.keys
        overlap = stage.me(forger.signed(header=previous.header, key=previous), way=way).status
        wrongly = stage.me(forger.signed(header=forger.header, key=previous), way=way).status
        retired = stage.me(
            forger.signed(header={**previous.header, "kid": "retired"}, key=previous), way=way
        ).status
        if (overlap, wrongly, retired) != (200, 401, 401):
            return failed(
                f"{way}: {overlap}, {wrongly}, {retired}", "expected 200 by its name, 401 by another or none"
            )
    return passed("previous key 200, under another name 401, retired 401")


ATTACKS = (
    Attack(
        "A3-01",
        "a spent refresh token comes back",
        "401, its chain revoked, one event without it",
        each_way(_reuse),
        beside=HARMLESS,
    ),
    Attack(
        "A3-02",
        "the third token of a chain of ten comes back",
        "the chain dead, one event",
        each_way(_long_chain),
        beside=HARMLESS,
    ),
    Attack(
        "A3-04",
        "the winner's answer is lost, the client tries again",
        "200 once or 401",
        each_way(_lost_reply),
        beside=HARMLESS,
    ),
    Attack(
        "A3-12",
        "a refresh token in another spelling",
        "never two successes",
        each_way(_spelt_otherwise),
        beside=HARMLESS,
    ),
    Attack(
        "A3-15",
        "tokens of the previous signing key",
        "200 while it is kept, then 401",
        _rotated_keys,
        "guarded",
        beside=HARMLESS,
    ),
)

FIRST = (
    Attack(
        "A3-11",
        "refreshing beyond the absolute end of the chain",
        "the successor ends with it",
        _absolute_end,
    ),
)
"""What pauses, so it comes before those that are quick."""
