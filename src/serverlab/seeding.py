"""Seeded rows: passwords as the stack's own hasher stores them, and a look whether the rows are those of the seed."""

from __future__ import annotations

from serverlab.compose import Database, Engine, StackSettings
from serverlab.errors import TrialFailed

PYTHON = "/venv/bin/python"
SEED = [PYTHON, "/app/manage.py", "seed"]
AGAIN = "See what it said, then build the images again: `make images`."

KINDS = {
    "author": "id || ' ' || name || ' ' || born FROM catalogue_author",
    "publisher": "id || ' ' || name || ' ' || city FROM catalogue_publisher",
    "book": "id || ' ' || title || ' ' || isbn || ' ' || published || ' ' || pages || ' ' || author_id "
    "FROM catalogue_book",
    "edition": "book_id || ' ' || publisher_id FROM catalogue_book_publishers",
    "user": "username || ' ' || role FROM accounts_user",
    "write": "key || ' ' || path FROM catalogue_write",
}
"""What the load reads and writes: each row as one line of text, alike in both databases."""

SEEDED = """\
author 50 be6228394fab282f
publisher 20 825b6aa8bfe6a331
book 500 d4a6653483a0311b
edition 999 a09d9b712a8d7d47
user 10 02a3de6b14339107
write 0 e3b0c44298fc1c14
"""
"""Of each kind its rows and the digest of their sorted lines, as `manage.py seed` makes them."""

SQLITE = f"""
import contextlib, hashlib, sqlite3
with contextlib.closing(sqlite3.connect("/data/db.sqlite3", timeout=20)) as database:
    for kind, text in {KINDS!r}.items():
        lines = sorted(line for line, in database.execute("SELECT " + text))
        print(kind, len(lines), hashlib.sha256("\\n".join(lines).encode()).hexdigest()[:16])
"""

POSTGRES = " UNION ALL ".join(  # no input of anybody is in it
    f"SELECT '{kind} ' || count(*) || ' ' || "  # noqa: S608
    """left(encode(sha256(convert_to(coalesce(string_agg(line, chr(10) ORDER BY line COLLATE "C"), ''), """
    f"""'UTF8')), 'hex'), 16) FROM (SELECT {text.replace(" FROM", " AS line FROM")}) AS lines"""
    for kind, text in KINDS.items()
)
PSQL = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "lab", "-d", "lab", "-c", POSTGRES]


def store_passwords(engine: Engine, settings: StackSettings) -> None:
    """Hash the seeded users' passwords anew where they are of no use to the stack; else do nothing.

    The SQLite file comes from the image, with cheap hashes, which an app with the real hasher does not know. Signing in
    then proves that the real hasher was at work. PostgreSQL is seeded by a container that is set as the app is.

    Raises:
        TrialFailed: the command failed; with what it said.
    """
    if settings.app.get("LAB_CHEAP_HASHER") != "off" or settings.database is not Database.SQLITE:
        return
    container = engine.containers("app")[0]  # replicas share the file
    done = container.exec_run(SEED)
    if done.exit_code != 0:
        said = done.output.decode(errors="replace").strip()
        raise TrialFailed(f"{container.name}: seeding again ended with {done.exit_code}: {said}", AGAIN)


def check_rows(engine: Engine, settings: StackSettings) -> None:
    """Look, past the app, whether the database holds what the seed made: each row, and nothing of an earlier load.

    Raises:
        TrialFailed: it does not; with the kinds of rows that differ, or with why it cannot be told.
    """
    if settings.database is Database.POSTGRES:
        container, command = engine.service("db"), PSQL
    else:
        container, command = engine.containers("app")[0], [PYTHON, "-I", "-c", SQLITE]
    done = container.exec_run(command, environment={"PGPASSWORD": settings.database_password})
    said = done.output.decode(errors="replace").strip()
    if done.exit_code != 0:
        raise TrialFailed(f"{container.name}: counting its rows ended with {done.exit_code}: {said}", AGAIN)
    if said.split("\n") != SEEDED.splitlines():
        wrong = [f"{line!r}" for line in said.splitlines() if line not in SEEDED.splitlines()]
        raise TrialFailed(
            f"the database is not as it was seeded: {', '.join(wrong) or repr(said)} (kind, rows, digest)",
            "Something is left over, or the image is older than the lab: `serverlab clean`, `make images`.",
        )
