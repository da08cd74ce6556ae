"""A3: what ends tokens: log-out, password, deactivation, roles; what a thief of the database has (RFC 7009)."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

from serverlab.attacks.account import Account, accounts_of, each_way, expect
from serverlab.attacks.contention import refreshed_until
from serverlab.attacks.inside import run, sql
from serverlab.attacks.rows import both
from serverlab.attacks.stage import HARMLESS, Attack, Outcome, Stage, Tokens, failed, not_applicable
from serverlab.attacks.visitor import Visitor, newcomer
from serverlab.probe import PASSWORD, claims_of

PURGE = ["manage.py", "purge"]
LONG_AGO = "2001-01-01 00:00:00"
PAUSE_S = 0.03
"""Between refreshes beside the purge, which has the same core: without it, that alone would take several seconds."""
FIND = """
import pathlib, sys
wanted = [text.encode() for text in sys.argv[1:]]
for file in pathlib.Path("/data").rglob("*"):
    if file.is_file() and any(text in file.read_bytes() for text in wanted):
        print(file)
"""


def _log_out(account: Account) -> Outcome:
    tokens = account.sign_in()
    ended = account.stage.log_out(tokens.refresh, way=account.way).status
    # the plain way keeps nothing of access tokens: they last until they expire, as docs/auth.md says
    afterwards = 401 if account.way == "jwt" else 200
    return expect(
        account,
        log_out=(ended, 204),
        refresh_afterwards=(account.refresh(tokens), 401),
        access_afterwards=(account.me(tokens), afterwards),
    )


def _password_changed(account: Account) -> Outcome:
    tokens, new = account.sign_in(), f"{PASSWORD}-{secrets.token_hex(4)}"
    changed_it = account.post("password", tokens, old_password=PASSWORD, new_password=new)
    return expect(
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
    account.set("is_active", 0)
    refused = account.stage.log_in(account.name, way=account.way)
    return expect(
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
    return expect(account, access=(account.me(tokens), 401), refresh=(account.refresh(tokens), 401))


def _dumped(account: Account) -> Outcome:
    """The files of the database are read as a thief would."""
    tokens = account.sign_in()
    signatures = [tokens.refresh.rpartition(".")[2], tokens.access.rpartition(".")[2]]
    _, found = run(account.stage, ["-I", "-S", "-c", FIND, *signatures])
    columns = "SELECT refresh_token_hash, refresh_family, id FROM accounts_user WHERE username = ?"
    digest, family, _ = sql(account.stage, columns, account.name)[0]
    stored = [str(value) for value in (digest, family, claims_of(tokens.refresh)["jti"]) if value]
    used = [account.refresh(Tokens("", value)) for value in stored]
    return expect(
        account, files_with_a_token=(found.split(), []), what_is_stored_as_a_token=(set(used), {401})
    )


def _purged(stage: Stage) -> Outcome:
    """Rows that expired long ago are removed while chains are refreshed, and no others."""
    accounts = list(accounts_of(stage))
    old, spent = (accounts[0].sign_in() for _ in range(2))
    left, here = newcomer(stage), newcomer(stage)
    _chain_expired(stage, old, LONG_AGO)
    # its last access token outlives it by up to ten minutes
    _chain_expired(stage, spent, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}")
    sql(stage, "UPDATE django_session SET expire_date = ? WHERE session_key = ?", LONG_AGO, left.session[1])
    planted = _rows(stage, old, left)
    with ThreadPoolExecutor(max_workers=1 + len(accounts)) as aside:
        chains = [account.sign_in() for account in accounts]
        purged = aside.submit(run, stage, PURGE)
        refreshed = list(aside.map(partial(refreshed_until, purged, pause_s=PAUSE_S), accounts, chains))
    code, output = purged.result()
    if code:
        return failed(f"purge ended with {code}", (output.strip().splitlines() or ["it said nothing"])[-1])
    return both(
        expect(
            accounts[0],
            expired_rows=((planted, _rows(stage, old, left)), ([1, 1], [0, 0])),
            access_of_a_chain_just_expired=(accounts[0].me(spent), 200),
            live_session=(here.me().status_code, 200),
        ),
        *map(_goes_on, accounts, chains, refreshed),
    )


def _chain_expired(stage: Stage, tokens: Tokens, when: str) -> None:
    """Let the family of the tokens have expired then (UTC, as SQLite has it)."""
    family = str(claims_of(tokens.refresh)["fam"])
    sql(stage, "UPDATE accounts_refreshfamily SET expires_at = ? WHERE id = ?", when, family)


def _rows(stage: Stage, tokens: Tokens, visitor: Visitor) -> list[object]:
    """How many rows there are of the family, and of the session."""
    family = str(claims_of(tokens.refresh)["fam"])
    counted = (
        ("SELECT count(*) FROM accounts_refreshfamily WHERE id = ?", family),
        ("SELECT count(*) FROM django_session WHERE session_key = ?", visitor.session[1]),
    )
    return [sql(stage, statement, value)[0][0] for statement, value in counted]


def _goes_on(account: Account, first: Tokens, last: tuple[Tokens, int]) -> Outcome:
    """Whether a chain was refreshed while rows were removed, and lives."""
    tokens, status = last
    return expect(
        account,
        refreshed_meanwhile=((tokens != first, status), (True, 200)),
        access=(account.me(tokens), 200),
        refresh=(account.refresh(tokens), 200),
    )


def _role_changed(account: Account) -> Outcome:
    tokens = account.sign_in()
    before = _write(account, tokens)
    account.set("role", "editor")
    as_editor = _write(account, tokens)
    account.set("role", "reader")
    return expect(
        account,
        as_reader=(before, 403),
        as_editor=(as_editor, 201),
        reader_again=(_write(account, tokens), 403),
    )


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
    return expect(
        account,
        sign_up_with_rights=(sql(stage, columns, name), [["reader", 0, 0, 0]]),
        reader_deletes=(stage.ask("DELETE", "/api/books/1/", headers=own).status, 403),
        disguised_delete=(stage.ask("POST", "/api/books/1/", headers=disguise, json={}).status, 405),
        others_writes=(stage.ask("GET", f"/api/writes/?key={key}", headers=own).document.get("writes"), []),
        patched_id=((patched.status, patched.document.get("id")), (200, 2)),
    )


ATTACKS = (
    Attack(
        "A3-07",
        "log-out",
        "refresh 401; access 401 (jwt), until it expires (plain)",
        each_way(_log_out),
        beside=HARMLESS,
    ),
    Attack(
        "A3-08",
        "password change",
        "older access and refresh tokens 401",
        each_way(_password_changed),
        beside=HARMLESS,
    ),
    Attack(
        "A3-09",
        "user deactivated",
        "401, log-in as with a wrong password",
        each_way(_deactivated),
        beside=HARMLESS,
    ),
    Attack("A3-10", "user deleted", "401", each_way(_deleted), beside=HARMLESS),
    Attack(
        "A3-13",
        "the database is stolen",
        "no token in it, nothing in it works as one",
        each_way(_dumped),
        beside=HARMLESS,
    ),
    Attack(
        "A3-14",
        "timing of the comparison of stored hashes",
        "nobody chooses what is compared",
        lambda _: not_applicable(
            "an UPDATE looks for the SHA-256 or the id; /api/auth/plain/verify/ alone compares, and of a token that we "
            "signed: its SHA-256, not its text, and nobody can choose the bytes of a hash"
        ),
    ),
    Attack(
        "A3-16",
        "the clock jumps by ten minutes",
        "expired earlier or later by exactly that",
        lambda _: not_applicable(
            "a choice: the images are those that people deploy, and no clock is faked in them; A2-01 and A2-04 ask the "
            "boundary by moving exp instead"
        ),
    ),
    Attack(
        "A3-17",
        "expired rows are purged while chains are refreshed",
        "they are gone, no live token is lost",
        _purged,
        beside=HARMLESS,
        waits_s=1.0,
    ),
    Attack(
        "A3-18",
        "a role changes while a token lives",
        "counts at once",
        each_way(_role_changed),
        beside=HARMLESS,
    ),
    Attack(
        "A3-19",
        "rights by extra fields, disguised methods, others' records",
        "refused or ignored",
        each_way(_beyond_rights),
        beside=HARMLESS,
    ),
)
