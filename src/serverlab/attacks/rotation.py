"""A3: chains of refresh tokens: reuse, absolute end, spelling, rotated keys (RFC 9700, section 4.14)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from serverlab.attacks import race
from serverlab.attacks.account import Account, accounts_of, each_way, expect
from serverlab.attacks.contention import refresh_request
from serverlab.attacks.forge import changed
from serverlab.attacks.inside import logged
from serverlab.attacks.rows import both
from serverlab.attacks.stage import HARMLESS, WAYS, Attack, Outcome, Stage, Tokens, failed, passed, said
from serverlab.probe import claims_of

REUSED = "refresh token reused"
CHAIN = 10
TRIES = 20
"""No more rounds than these: each of them is the same few requests again."""


def _reuse(account: Account) -> Outcome:
    other = account.sign_in() if account.way == "jwt" else None  # the plain way keeps one chain for each user
    first = account.sign_in()
    second = account.next(first)
    third = account.next(second)
    replay = account.refresh(first)
    after = account.refresh(third)
    lines = logged(account.stage, str(claims_of(first.refresh)["fam"]))
    told = any(part in line for line in lines for part in first.refresh.split("."))
    return expect(
        account,
        spent_token=(replay, 401),
        its_successor=(after, 401),
        another_chain=(account.refresh(other) if other else 200, 200),
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


def _absolute_end(stage: Stage) -> Outcome:
    """Chains whose end is a second or two away: what follows ends with it, however often it is refreshed."""
    chains = [(account, account.sign_in()) for account in accounts_of(stage)]
    end = int(time.time()) + 2
    successors = [
        (account, account.next(Tokens("", _ending_at(account, tokens, end)))) for account, tokens in chains
    ]
    time.sleep(max(0.0, end - time.time()) + 0.02)
    return both(
        *(
            expect(
                account,
                successor_ends=(_ends(tokens), (end, end)),
                refresh_after_the_end=(account.refresh(tokens), 401),
            )
            for account, tokens in successors
        )
    )


def _ending_at(account: Account, tokens: Tokens, end: int) -> str:
    """The account's refresh token as if its chain had to end then; the plain way has it on record."""
    forger = account.stage.forger(way=account.way)
    late = forger.signed(changed(claims_of(tokens.refresh), end=end, exp=end))
    if account.way == "plain":
        account.set("refresh_token_hash", hashlib.sha256(late.encode()).hexdigest())
    return late


def _ends(tokens: Tokens) -> tuple[object, object]:
    says = claims_of(tokens.refresh)
    return says.get("exp"), says.get("end")


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
        "A3-11",
        "refreshing beyond the absolute end of the chain",
        "the successor ends with it",
        _absolute_end,
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
