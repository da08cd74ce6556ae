"""A3: the life of tokens: rotation, revocation, races (RFC 9700, section 4.14; RFC 7009)."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from serverlab.attacks import race
from serverlab.attacks.forge import changed
from serverlab.attacks.inside import logged, run, sql
from serverlab.attacks.rows import both
from serverlab.attacks.stage import (
    WAYS,
    Attack,
    Outcome,
    Stage,
    Tokens,
    failed,
    not_applicable,
    passed,
    said,
)
from serverlab.probe import PASSWORD, claims_of

REUSED = "refresh token reused"
CONTENDERS = (2, 4, 16, 64)
CHAIN = 10
PURGE = ["manage.py", "purge"]
FIND = """
import pathlib, sys
wanted = [text.encode() for text in sys.argv[1:]]
for file in pathlib.Path("/data").rglob("*"):
    if file.is_file() and any(text in file.read_bytes() for text in wanted):
        print(file)
"""


@dataclass(frozen=True)
class Account:
    """Somebody who signed up for one row, so that what the row breaks is nobody else's."""

    stage: Stage
    way: str
    name: str

    def sign_in(self, password: str = PASSWORD) -> Tokens:
        """A new pair."""
        return self.stage.sign_in(self.name, way=self.way, password=password)

    def next(self, tokens: Tokens) -> Tokens:
        """The pair that follows; empty texts where there is none."""
        return self.stage.tokens_in(self.stage.refresh(tokens.refresh, way=self.way))

    def refresh(self, tokens: Tokens) -> int:
        """The status of spending the refresh token."""
        return self.stage.refresh(tokens.refresh, way=self.way).status

    def me(self, tokens: Tokens) -> int:
        """The status of using the access token."""
        return self.stage.me(tokens.access, way=self.way).status

    def post(self, what: str, tokens: Tokens, **fields: str) -> int:
        """The status of a request that needs the access token."""
        return self.stage.post(
            self.way, what, headers=self.stage.credential(tokens.access, way=self.way), json=fields
        ).status


def each_way(scene: Callable[[Account], Outcome]) -> Callable[[Stage], Outcome]:
    """Play the scene once for each way of signing in that hands out tokens, with an account of its own."""

    def run_it(stage: Stage) -> Outcome:
        return both(*(scene(account) for account in _accounts(stage)))

    return run_it


def _accounts(stage: Stage) -> Iterator[Account]:
    for way in WAYS:
        yield Account(stage, way, stage.sign_up(way=way))


def _expect(account: Account, **found_and_wanted: tuple[object, object]) -> Outcome:
    """PASS if what was found is what was wanted, for each pair by its name."""
    for name, (found, wanted) in found_and_wanted.items():
        if found != wanted:
            return failed(f"{account.way}: {name.replace('_', ' ')} {found}", f"expected {wanted}")
    return passed(
        ", ".join(f"{name.replace('_', ' ')} {found}" for name, (found, _) in found_and_wanted.items())
    )


def _reuse(account: Account) -> Outcome:
    other = account.sign_in() if account.way == "jwt" else None  # the plain way keeps one chain for each user
    first = account.sign_in()
    second = account.next(first)
    third = account.next(second)
    replay = account.refresh(first)
    after = account.refresh(third)
    lines = logged(account.stage, str(claims_of(first.refresh)["fam"]))
    told = any(part in line for line in lines for part in first.refresh.split("."))
    return _expect(
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
    return _expect(
        account,
        third_of_ten=(replay, 401),
        alive_afterwards=(alive, 0),
        events_logged=(sum(REUSED in line for line in lines), 1),
    )


def _race(account: Account) -> Outcome:
    """Of N parallel refreshes of one token one wins; the losers are reuse, so in the end the chain is dead."""
    raced = 0
    for contenders in CONTENDERS:
        for _ in range(account.stage.rounds):
            token = account.sign_in().refresh
            replies = race.together(account.stage.url, [_refresh_request(account, token)] * contenders)
            raced += contenders
            statuses = sorted(reply.status for reply in replies)
            if statuses != [200] + [401] * (contenders - 1):
                return failed(
                    f"{account.way}: {contenders} at once: {_counted(statuses)}",
                    "expected one winner, all others 401",
                )
            winner = next(str(reply.document["refresh"]) for reply in replies if reply.status == 200)
            if account.refresh(Tokens("", winner)) != 401:
                return failed(
                    f"{account.way}: {contenders} at once: a live successor", "the losers are reuse: all 401"
                )
    return passed(
        f"one winner of {', '.join(map(str, CONTENDERS))}", **{f"{account.way}_refreshes": float(raced)}
    )


def _counted(statuses: list[int]) -> str:
    return ", ".join(f"{statuses.count(status)} x {said(status)}" for status in sorted(set(statuses)))


def _refresh_request(account: Account, token: str) -> bytes:
    return race.post(account.stage.url, f"/api/auth/{account.way}/refresh/", {"refresh": token})


def _lost_reply(account: Account) -> Outcome:
    """The client goes away without reading: its next try with the same token is the winner's or a clean refusal."""
    seen = set()
    for _ in range(account.stage.rounds):
        tokens = account.sign_in()
        with race.connected(account.stage.url) as connection:
            connection.sendall(_refresh_request(account, tokens.refresh))
        again = account.stage.refresh(tokens.refresh, way=account.way)
        seen.add(again.status)
        if again.status not in (200, 401):
            return failed(f"{account.way}: {said(again.status)}", "expected 200 or 401")
        third = account.refresh(tokens)
        if third != 401:
            return failed(f"{account.way}: {said(third)} at the third try", "the token works twice")
    return passed(" or ".join(map(said, sorted(seen))))


def _killed_worker(stage: Stage) -> Outcome:
    expected = stage.expected
    if not expected.identity.supervisors:
        return not_applicable("one process without a supervisor: killed, the container ends")
    return each_way(_refreshing_through_kills)(stage)


def _refreshing_through_kills(account: Account) -> Outcome:
    """Workers die while a token is being spent: afterwards it is still good, or spent with a clean refusal."""
    stage, seen = account.stage, set()
    for _ in range(min(stage.rounds, 5)):
        tokens = account.sign_in()
        with race.connected(stage.url) as connection:
            connection.sendall(_refresh_request(account, tokens.refresh))
            if not _kill_workers(stage):
                return failed("no worker to kill", "the server's processes are not found")
            first = race.reply(connection).status
        _await(stage)
        again = account.refresh(tokens)
        seen.add((first, again))
        if again not in (200, 401) or (first == 200 and again == 200):
            return failed(f"{account.way}: {said(first)}, then {said(again)}", "expected either, never both")
    words = (f"{said(first)} then {said(again)}" for first, again in sorted(seen))
    return passed(", ".join(words))


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
    if re.search(sys.argv[1], line):
        found[int(name)] = parent
workers = [number for number, parent in found.items() if parent in found and number not in found.values()]
for number in workers:
    os.kill(number, signal.SIGKILL)
print(len(workers))
"""


def _kill_workers(stage: Stage) -> bool:
    code, output = run(stage, ["-I", "-S", "-c", KILL, stage.expected.identity.process])
    return code == 0 and output.strip() not in ("", "0")


def _await(stage: Stage, *, deadline_s: float = 20.0) -> None:
    """Wait until new workers answer.

    Raises:
        OSError: they do not.
    """
    give_up = time.monotonic() + deadline_s
    while stage.ask("GET", "/readyz").status != 200:
        if time.monotonic() > give_up:
            raise OSError("no worker came back")
        time.sleep(0.05)


def _race_to_the_end(account: Account) -> Outcome:
    """A refresh at the same moment as what ends the chain: whoever comes first, nothing lives in the end."""
    endings = {
        "log-out": lambda tokens: _ending(account, "logout", tokens, {"refresh": tokens.refresh}),
        "log-out everywhere": lambda tokens: _ending(account, "logout-everywhere", tokens, {}),
    }
    for name, ending in endings.items():
        for _ in range(account.stage.rounds):
            tokens = account.sign_in()
            refreshed, ended = race.together(
                account.stage.url, [_refresh_request(account, tokens.refresh), ending(tokens)]
            )
            if ended.status not in (204, 401) or refreshed.status not in (200, 401):
                return failed(
                    f"{account.way}: {name}: {ended.status}, refresh {refreshed.status}", "expected no other"
                )
            if (
                refreshed.status == 200
                and account.refresh(Tokens("", str(refreshed.document["refresh"]))) == 200
            ):
                return failed(
                    f"{account.way}: a refresh token outlives {name}", "nothing lives when both are done"
                )
            if account.refresh(tokens) != 401:
                return failed(
                    f"{account.way}: the old token outlives {name}", "nothing lives when both are done"
                )
    return both(_race_with_password(account), _race_with_deactivation(account))


def _ending(account: Account, what: str, tokens: Tokens, fields: dict[str, str]) -> bytes:
    path = f"/api/auth/{account.way}/{what}/"
    headers = account.stage.credential(tokens.access, way=account.way)
    return race.post(account.stage.url, path, fields, headers=headers)


def _race_with_password(account: Account) -> Outcome:
    tokens, new = account.sign_in(), f"{PASSWORD}-{secrets.token_hex(4)}"
    change = _ending(account, "password", tokens, {"old_password": PASSWORD, "new_password": new})
    refreshed, done = race.together(account.stage.url, [_refresh_request(account, tokens.refresh), change])
    successor = Tokens(str(refreshed.document.get("access", "")), str(refreshed.document.get("refresh", "")))
    statuses = {
        account.refresh(tokens),
        account.me(tokens),
        account.refresh(successor),
        account.me(successor),
    }
    restored = account.post("password", account.sign_in(new), old_password=new, new_password=PASSWORD)
    return _expect(
        account,
        password_changed=(done.status, 204),
        everything_older=(
            statuses - {400},
            {401},
        ),  # 400: the refresh had come too late, there is no successor
        changed_back=(restored, 204),
    )


def _race_with_deactivation(account: Account) -> Outcome:
    tokens = account.sign_in()
    _set_active(account, active=False)
    successor = account.next(tokens)
    statuses = (account.refresh(tokens), account.me(tokens), successor)
    _set_active(account, active=True)
    return _expect(account, deactivated=(statuses, (401, 401, Tokens("", ""))))


def _set_active(account: Account, *, active: bool) -> None:
    sql(account.stage, "UPDATE accounts_user SET is_active = ? WHERE username = ?", int(active), account.name)


def _log_out(account: Account) -> Outcome:
    tokens = account.sign_in()
    ended = account.stage.log_out(tokens.refresh, way=account.way).status
    # the plain way keeps nothing of access tokens: they last until they expire, as docs/auth.md says
    afterwards = 401 if account.way == "jwt" else 200
    return _expect(
        account,
        log_out=(ended, 204),
        refresh_afterwards=(account.refresh(tokens), 401),
        access_afterwards=(account.me(tokens), afterwards),
    )


def _password_changed(account: Account) -> Outcome:
    tokens, new = account.sign_in(), f"{PASSWORD}-{secrets.token_hex(4)}"
    changed_it = account.post("password", tokens, old_password=PASSWORD, new_password=new)
    return _expect(
        account,
        change=(changed_it, 204),
        old_access=(account.me(tokens), 401),
        old_refresh=(account.refresh(tokens), 401),
        old_password=(account.stage.log_in(account.name, way=account.way).status, 401),
        new_password=(account.stage.log_in(account.name, way=account.way, password=new).status, 200),
    )


def _deactivated(account: Account) -> Outcome:
    tokens = account.sign_in()
    wrong = account.stage.log_in(account.name, way=account.way, password="wrong")  # noqa: S106 - none
    _set_active(account, active=False)
    refused = account.stage.log_in(account.name, way=account.way)
    return _expect(
        account,
        access=(account.me(tokens), 401),
        refresh=(account.refresh(tokens), 401),
        log_in=((refused.status, refused.said), (401, wrong.said)),
    )


def _deleted(account: Account) -> Outcome:
    tokens = account.sign_in()
    for table, column in (("accounts_refreshfamily", "user_id"), ("accounts_user", "id")):
        whose = "SELECT id FROM accounts_user WHERE username = ?"
        sql(account.stage, f"DELETE FROM {table} WHERE {column} = ({whose})", account.name)  # noqa: S608 - ours
    return _expect(account, access=(account.me(tokens), 401), refresh=(account.refresh(tokens), 401))


def _absolute_end(account: Account) -> Outcome:
    """A chain whose end is a second away: what follows ends with it, however often it is refreshed."""
    forger = account.stage.forger(way=account.way)
    claims = claims_of(account.sign_in().refresh)
    end = int(time.time()) + 2
    late = forger.signed(changed(claims, end=end, exp=end))
    if account.way == "plain":
        digest = hashlib.sha256(late.encode()).hexdigest()
        sql(
            account.stage,
            "UPDATE accounts_user SET refresh_token_hash = ? WHERE username = ?",
            digest,
            account.name,
        )
    following = account.next(Tokens("", late))
    says = claims_of(following.refresh)
    time.sleep(max(0.0, end - time.time()) + 0.02)
    return _expect(
        account,
        successor_ends=((says.get("exp"), says.get("end")), (end, end)),
        refresh_after_the_end=(account.refresh(following), 401),
    )


def _spelt_otherwise(account: Account) -> Outcome:
    """At most one of a token's spellings buys anything, and a strange one harms nobody."""
    forger = account.stage.forger(way=account.way)
    for name, respell in {
        "with =": lambda token: f"{token}=",
        "with a blank": lambda token: f"{token} ",
        "jti in upper case": lambda token: _upper_jti(forger.signed, token),
    }.items():
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


def _dumped(account: Account) -> Outcome:
    """The files of the database are read as a thief would."""
    tokens = account.sign_in()
    signatures = [tokens.refresh.rpartition(".")[2], tokens.access.rpartition(".")[2]]
    _, found = run(account.stage, ["-I", "-S", "-c", FIND, *signatures])
    columns = "SELECT refresh_token_hash, refresh_family, id FROM accounts_user WHERE username = ?"
    digest, family, _ = sql(account.stage, columns, account.name)[0]
    stored = [str(value) for value in (digest, family, claims_of(tokens.refresh)["jti"]) if value]
    used = [account.refresh(Tokens("", value)) for value in stored]
    return _expect(
        account, files_with_a_token=(found.split(), []), what_is_stored_as_a_token=(set(used), {401})
    )


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


def _purged(account: Account) -> Outcome:
    tokens = account.sign_in()
    code, output = run(account.stage, PURGE)
    if code:
        return failed(
            f"purge ended with {code}", output.strip().splitlines()[-1] if output.strip() else "silently"
        )
    return _expect(account, access=(account.me(tokens), 200), refresh=(account.refresh(tokens), 200))


def _role_changed(account: Account) -> Outcome:
    tokens = account.sign_in()
    before = _write(account, tokens)
    _set_role(account, "editor")
    as_editor = _write(account, tokens)
    _set_role(account, "reader")
    return _expect(
        account,
        as_reader=(before, 403),
        as_editor=(as_editor, 201),
        reader_again=(_write(account, tokens), 403),
    )


def _set_role(account: Account, role: str) -> None:
    sql(account.stage, "UPDATE accounts_user SET role = ? WHERE username = ?", role, account.name)


def _write(account: Account, tokens: Tokens) -> int:
    headers = {"Authorization": f"Bearer {tokens.access}"}
    name = {"name": f"Author {secrets.token_hex(4)}", "born": 1900}
    return account.stage.ask("POST", "/api/authors/", headers=headers, json=name).status


def _beyond_rights(account: Account) -> Outcome:
    """Fields that nobody may set, methods in disguise, and what belongs to somebody else."""
    stage, tokens = account.stage, account.sign_in()
    own = {"Authorization": f"Bearer {tokens.access}"}
    editor = {"Authorization": f"Bearer {stage.access}"}
    name = f"upstart-{secrets.token_hex(6)}"
    greedy = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "role": "admin"}
    greedy |= {"is_staff": "true", "is_superuser": "true", "token_version": "7", "id": "1"}
    stage.post(account.way, "signup", json=greedy)
    columns = "SELECT role, is_staff, is_superuser, token_version FROM accounts_user WHERE username = ?"
    disguise = {**editor, "X-HTTP-Method-Override": "DELETE"}
    key = secrets.token_hex(8)
    made = {"name": f"Author {key}", "born": 1900}
    stage.ask("POST", "/api/authors/", headers={**editor, "Idempotency-Key": key}, json=made)
    patched = stage.ask(
        "PATCH", "/api/books/2/", headers=editor, json={"id": 1, "is_staff": True, "pages": 77}
    )
    return _expect(
        account,
        sign_up_with_rights=(sql(stage, columns, name), [["reader", 0, 0, 0]]),
        reader_deletes=(stage.ask("DELETE", "/api/books/1/", headers=own).status, 403),
        disguised_delete=(stage.ask("POST", "/api/books/1/", headers=disguise, json={}).status, 405),
        others_writes=(stage.ask("GET", f"/api/writes/?key={key}", headers=own).document.get("writes"), []),
        patched_id=((patched.status, patched.document.get("id")), (200, 2)),
    )


ATTACKS = (
    Attack(
        "A3-01",
        "a spent refresh token comes back",
        "401, its chain revoked, one event without it",
        each_way(_reuse),
    ),
    Attack(
        "A3-02",
        "the third token of a chain of ten comes back",
        "the chain dead, one event",
        each_way(_long_chain),
    ),
    Attack(
        "A3-03",
        "2, 4, 16, 64 parallel refreshes of one token",
        "exactly one winner, then none",
        each_way(_race),
    ),
    Attack(
        "A3-04",
        "the winner's answer is lost, the client tries again",
        "200 once or 401",
        each_way(_lost_reply),
    ),
    Attack(
        "A3-06",
        "a refresh races with what ends the chain",
        "nothing lives when both are done",
        each_way(_race_to_the_end),
    ),
    Attack("A3-07", "log-out", "refresh 401; access 401 (jwt), until it expires (plain)", each_way(_log_out)),
    Attack("A3-08", "password change", "older access and refresh tokens 401", each_way(_password_changed)),
    Attack("A3-09", "user deactivated", "401, log-in as with a wrong password", each_way(_deactivated)),
    Attack("A3-10", "user deleted", "401", each_way(_deleted)),
    Attack(
        "A3-11",
        "refreshing beyond the absolute end of the chain",
        "the successor ends with it",
        each_way(_absolute_end),
    ),
    Attack("A3-12", "a refresh token in another spelling", "never two successes", each_way(_spelt_otherwise)),
    Attack(
        "A3-13", "the database is stolen", "no token in it, nothing in it works as one", each_way(_dumped)
    ),
    Attack(
        "A3-14",
        "timing of the comparison of stored hashes",
        "looked up, not compared",
        lambda _: not_applicable(
            "an index finds the whole SHA-256 or id; tests/app/test_plain.py holds the statement"
        ),
    ),
    Attack(
        "A3-15",
        "tokens of the previous signing key",
        "200 while it is kept, then 401",
        _rotated_keys,
        "guarded",
    ),
    Attack(
        "A3-16",
        "the clock jumps by ten minutes",
        "expired earlier or later by exactly that",
        lambda _: not_applicable(
            "the images hold nothing that fakes a clock; A2-01 and A2-04 ask the boundary"
        ),
    ),
    Attack("A3-17", "expired rows are purged", "no live token is lost", each_way(_purged)),
    Attack("A3-18", "a role changes while a token lives", "counts at once", each_way(_role_changed)),
    Attack(
        "A3-19",
        "rights by extra fields, disguised methods, others' records",
        "refused or ignored",
        each_way(_beyond_rights),
    ),
    Attack("A3-05", "workers are killed while a token is spent", "spent or not, never both", _killed_worker),
)
