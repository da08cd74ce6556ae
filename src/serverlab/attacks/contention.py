"""A3: races for one refresh token, and workers that die while they hold it."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from serverlab.attacks import race
from serverlab.attacks.account import Account, accounts_of, each_way, expect
from serverlab.attacks.inside import run
from serverlab.attacks.stage import Attack, Outcome, Stage, Tokens, failed, not_applicable, passed, said
from serverlab.probe import PASSWORD

ENDINGS = 20
"""No more rounds than these, of each kind."""

CONTENDERS = (2, 4, 16, 64)
KILLS = 2
REPLACED_S = 8.0
"""Within which a worker that was killed is replaced; a request that it had is waited for no longer."""

CROWD = 16
"""More contenders than these are sent in a quarter of the rounds."""
LONGEST_CHAIN = 1000
LOST = (0, 200, 502, 504)
"""What may become of a request whose worker dies: no answer, one just before, or the edge says so."""
KILL = """
import os, re, signal, sys
found = {}
for name in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{name}/cmdline", "rb") as file:
            line = file.read().replace(b"\\0", b" ").decode(errors="replace").strip()
        with open(f"/proc/{name}/stat") as file:
            parent = int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        continue
    if re.search(sys.argv[1], line) and int(name) != os.getpid():
        found[int(name)] = parent
workers = [number for number, parent in found.items() if parent != 1 and number not in found.values()]
for number in workers if sys.argv[2] == "kill" else ():
    os.kill(number, signal.SIGKILL)
print(len(workers))
"""


def _race(account: Account) -> Outcome:
    most = account.stage.rounds
    return one_winner(account, {each: most if each <= CROWD else max(1, most // 4) for each in CONTENDERS})


def one_winner(account: Account, rounds: Mapping[int, int]) -> Outcome:
    """Of N parallel refreshes of one token one wins; the losers are reuse, so in the end the chain is dead.

    ``rounds`` is how often that is tried, for each N.
    """
    raced = lost = 0
    for contenders, times in rounds.items():
        for _ in range(times):
            tokens = account.sign_in()
            request = refresh_request(account, tokens.refresh)
            replies = race.together(account.stage.url, [request] * contenders)
            raced, lost = raced + contenders, lost + sum(_is_lost(account.stage, reply) for reply in replies)
            if wrong := _wrong_race(account, tokens, replies):
                return failed(
                    f"{account.way}: {contenders} at once: {wrong}", "expected one winner, all others 401"
                )
    counts = {f"{account.way}_refreshes": float(raced), f"{account.way}_answers_lost": float(lost)}
    return passed(f"one winner of {', '.join(map(str, rounds))}", **counts)


def _wrong_race(account: Account, tokens: Tokens, replies: Sequence[race.Reply]) -> str | None:
    """What is wrong with the outcome of a race, if anything; an answer that the edge lost may have been any."""
    statuses = sorted(reply.status for reply in replies if not _is_lost(account.stage, reply))
    won = statuses.count(200)
    if won > 1 or set(statuses) - {200, 401} or (won == 0 and len(statuses) == len(replies)):
        return _counted(sorted(reply.status for reply in replies))
    successors = [Tokens("", str(reply.document["refresh"])) for reply in replies if reply.status == 200]
    alive = [each for each in (*successors, tokens) if account.refresh(each) != 401]
    return f"{len(alive)} alive afterwards" if alive else None


def _is_lost(stage: Stage, reply: race.Reply) -> bool:
    """Whether the edge could not hand on the answer: the server had just closed the connection that the edge kept."""
    return stage.settings.target.edge is not None and reply.status == 502


def _counted(statuses: list[int]) -> str:
    return ", ".join(f"{statuses.count(status)} x {said(status)}" for status in sorted(set(statuses)))


def refresh_request(account: Account, token: str) -> bytes:
    """What spends the token, for a race."""
    return race.post(account.stage.url, f"/api/auth/{account.way}/refresh/", {"refresh": token})


def _killed_worker(stage: Stage) -> Outcome:
    """Workers die while chains of both ways are refreshed as fast as they can be."""
    if not _workers(stage):
        return not_applicable("one process without a supervisor: killed, the container ends")
    accounts, seen = list(accounts_of(stage)), Counter[str]()
    for _ in range(min(stage.rounds, KILLS)):
        with ThreadPoolExecutor(max_workers=2 + len(accounts)) as aside:
            chains = [account.sign_in() for account in accounts]
            killed = aside.submit(_workers, stage, then="kill")
            replaced = aside.submit(_comes_back, stage, killed)
            refreshed = list(aside.map(partial(refreshed_until, killed), accounts, chains))
        if not killed.result():
            return failed("no worker to kill", "the server's processes are not found")
        if not replaced.result():
            return failed("no worker came back", "a worker that died is replaced")
        ready = stage.ask("GET", "/readyz", timeout=REPLACED_S).status
        if ready != 200:
            return failed(f"/readyz {said(ready)} in the end", "a worker that died is replaced for good")
        for account, (tokens, status) in zip(accounts, refreshed, strict=True):
            again, third = account.refresh(tokens), account.refresh(tokens)
            if wrong := _wrong_retry(status, again, third):
                return failed(f"{account.way}: {wrong}", "expected it to work once or not at all")
            seen[f"{said(status)}, then {said(again)}"] += 1
    return passed("; ".join(sorted(seen)))


def refreshed_until(
    done: Future[Any], account: Account, tokens: Tokens, *, pause_s: float = 0.0
) -> tuple[Tokens, int]:
    """The chain's tokens and the last status, when one was not 200 or ``done`` is: then the last pair is not spent.

    ``pause_s`` is left between an answer and the next refresh, unless it is done before.
    """
    status = 200
    while status == 200 and not done.done():
        answer = account.stage.refresh(tokens.refresh, way=account.way, timeout=REPLACED_S)
        status = answer.status
        tokens = account.stage.tokens_in(answer) if status == 200 else tokens
        wait([done], timeout=pause_s)
    return tokens, status


def _wrong_retry(status: int, again: int, third: int) -> str | None:
    """What is wrong with the token whose answer is lost: it may still be good, or be spent and refused, never both."""
    if status in LOST and again in (200, 401) and third == 401:
        return None
    return f"{said(status)}, {said(again)}, {said(third)}"


def _workers(stage: Stage, *, then: str = "leave") -> int:
    """How many processes of the server somebody else started, who can start them again; ``then`` may be "kill".

    Raises:
        OSError: they cannot be counted.
    """
    code, output = run(stage, ["-I", "-S", "-c", KILL, stage.expected.identity.process, then])
    if code:
        raise OSError(output.strip())
    return int(output)


def _comes_back(stage: Stage, killed: Future[int]) -> bool:
    """Whether somebody starts a worker in the place of the one that was ``killed``, soon after that."""
    killed.result()
    give_up = time.monotonic() + REPLACED_S
    while stage.ask("GET", "/readyz", timeout=2.0).status != 200:
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


def _endings(account: Account) -> Outcome:
    """A refresh at the same moment as what ends the chain: whoever comes first, nothing lives when both are done."""
    for what in ("logout", "logout-everywhere", "password"):
        for _ in range(min(account.stage.rounds, ENDINGS)):
            if wrong := _outlived(account, what):
                return failed(f"{account.way}: {what}: {wrong}", "nothing lives when both are done")
    return _deactivation(account)


def _outlived(account: Account, what: str) -> str | None:
    """What outlives the ending in a race of it with a refresh, or what neither should have answered."""
    tokens = account.sign_in()
    fields = _fields(what, tokens)
    url, headers = account.stage.url, account.stage.credential(tokens.access, way=account.way)
    ending = race.post(url, f"/api/auth/{account.way}/{what}/", fields, headers=headers)
    refreshed, ended = race.together(url, [refresh_request(account, tokens.refresh), ending])
    if (refreshed.status, ended.status) not in ((200, 204), (401, 204)):
        return f"answered {said(ended.status)}, the refresh {said(refreshed.status)}"
    if what == "password":
        new = fields["new_password"]
        account.post(what, account.sign_in(new), old_password=new, new_password=PASSWORD)
    return _alive(account, tokens, refreshed.document, spare=what == "logout")


def _fields(what: str, tokens: Tokens) -> dict[str, str]:
    if what == "password":
        return {"old_password": PASSWORD, "new_password": f"{PASSWORD}-{secrets.token_hex(4)}"}
    return {"refresh": tokens.refresh} if what == "logout" else {}


def _alive(account: Account, old: Tokens, document: Mapping[str, object], *, spare: bool) -> str | None:
    """What can still be used of a pair and its successor; ``spare`` the access tokens that log-out leaves alone."""
    following = Tokens(str(document.get("access", "")), str(document.get("refresh", "")))
    for name, tokens in (("the successor", following), ("the old pair", old)):
        if tokens.refresh and account.refresh(tokens) != 401:
            return f"{name}'s refresh token"
        if not spare and tokens.access and account.me(tokens) != 401:
            return f"{name}'s access token"
    return None


def _deactivation(account: Account) -> Outcome:
    """The account is deactivated while its chain is refreshed as fast as it can be."""
    tokens, length = account.sign_in(), 0
    with ThreadPoolExecutor(max_workers=1) as aside:
        done = aside.submit(account.set, "is_active", 0)
        while length < LONGEST_CHAIN and (following := account.next(tokens)).refresh:
            tokens, length = following, length + 1
        done.result()
    statuses = account.refresh(tokens), account.me(tokens)
    account.set("is_active", 1)
    return expect(account, ended_when_deactivated=(statuses, (401, 401)))


ATTACKS = (
    Attack(
        "A3-03",
        "2, 4, 16, 64 parallel refreshes of one token",
        "exactly one winner, then none",
        each_way(_race),
    ),
    Attack(
        "A3-06",
        "a refresh races with what ends the chain",
        "nothing lives when both are done",
        each_way(_endings),
    ),
)

LAST = (
    Attack("A3-05", "workers are killed while a token is spent", "spent or not, never both", _killed_worker),
)
"""What may leave a stack dead, so it comes after all others."""
