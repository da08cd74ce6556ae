"""The rows of the lab's ledger as the database itself holds them, read past the app."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TypeAlias
from uuid import UUID

from serverlab.compose import ENGINE_ERRORS, LABEL, Container, Database, Engine, StackSettings
from serverlab.errors import TrialFailed
from serverlab.model.faults import StoredRow

PYTHON = "/venv/bin/python"
DATA = "/data"
ROWS = (
    "SELECT entry.key, count(DISTINCT entry.id), count(child.id) FROM lab_entry AS entry "
    "LEFT JOIN lab_entrychild AS child ON child.entry_id = entry.id GROUP BY entry.key"
)
SQLITE = f"""
import contextlib, json, sqlite3
with contextlib.closing(sqlite3.connect("{DATA}/db.sqlite3", timeout=20)) as database:
    print(json.dumps(database.execute("{ROWS}").fetchall()))
"""
PSQL = [
    "psql",
    "-X",
    "-q",
    "-A",
    "-t",
    "-F",
    ",",
    "-v",
    "ON_ERROR_STOP=1",
    "-U",
    "lab",
    "-d",
    "lab",
    "-c",
    ROWS,
]


Found: TypeAlias = tuple[str, int, int]
"""Key, rows under it, and rows that belong to them."""


class Unreadable(TrialFailed):
    """The database could not be asked what it holds, so that nothing can be said of what was lost."""


def stored_rows(
    engine: Engine, settings: StackSettings, *, note: Callable[[str], None] = lambda _: None
) -> tuple[StoredRow, ...]:
    """What the stack's database holds of the ledger, sorted by key, whatever became of its app.

    SQLite is read in the app's container and, where that is no longer possible, in one of the same image that is made
    for it on the same volume (its log is then applied to the file, as the next start of the app would); ``note`` is
    then told why the app's containers could not be asked. PostgreSQL is asked in its own container, which has to run.

    Raises:
        Unreadable: nobody answered, or each replica has data of its own; with what each said.
    """
    if settings.database is Database.POSTGRES:
        return _rows(_postgres(engine, settings.database_password))
    if not settings.shared_data:
        raise Unreadable("each replica has data of its own: there is no one database to read")
    return _rows(_sqlite(engine, note))


def _sqlite(engine: Engine, note: Callable[[str], None]) -> list[Found]:
    containers = engine.containers("app")
    if not containers:
        raise Unreadable("the stack has no app container, so that its volume is not known")
    refusals: list[str] = []
    for container in containers:
        try:
            return _within(container)
        except Unreadable as refused:
            refusals.append(refused.what)
    why = "; ".join(refusals)
    try:
        found = _beside(engine, containers[0])
    except Unreadable as refused:
        raise Unreadable(f"{refused.what}; {why}") from None
    note(f"the database was read beside its app: {why}")
    return found


def _within(container: Container) -> list[Found]:
    """What the SQLite of the running container says.

    Raises:
        Unreadable: it does not run, or does not answer; with what it said.
    """
    if container.status != "running":
        raise Unreadable(f"{container.name} is {container.status}")
    try:
        done = container.exec_run([PYTHON, "-I", "-c", SQLITE])
    except ENGINE_ERRORS as refused:
        raise Unreadable(f"{container.name} could not be asked: {refused}") from None
    said = done.output.decode(errors="replace")
    if done.exit_code != 0:
        raise Unreadable(f"{container.name}: reading ended with {done.exit_code}: {_last_line(said)}")
    return _parsed(said, where=str(container.name))


def _beside(engine: Engine, dead: Container) -> list[Found]:
    """What a container says that is made on the dead one's volume, and removed again.

    Raises:
        Unreadable: it cannot be started, or does not answer; with what it said.
    """
    mounted = [each["Name"] for each in dead.attrs["Mounts"] if each["Destination"] == DATA]
    try:
        output: bytes = engine.client.containers.run(
            dead.attrs["Config"]["Image"],
            ["-I", "-c", SQLITE],
            entrypoint=[PYTHON],
            labels={LABEL: dead.labels[LABEL]},
            volumes={name: {"bind": DATA, "mode": "rw"} for name in mounted},
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            mem_limit="256m",
            pids_limit=16,
            remove=True,
        )
    except ENGINE_ERRORS as refused:
        raise Unreadable(f"the volume of {dead.name} could not be read: {refused}") from None
    return _parsed(output.decode(errors="replace"), where=f"the volume of {dead.name}")


def _postgres(engine: Engine, password: str) -> list[Found]:
    container = engine.service("db")
    try:
        done = container.exec_run(PSQL, environment={"PGPASSWORD": password})
    except ENGINE_ERRORS as refused:
        raise Unreadable(f"{container.name} could not be asked: {refused}") from None
    said = done.output.decode(errors="replace").strip()
    if done.exit_code != 0:
        raise Unreadable(f"{container.name}: psql ended with {done.exit_code}: {said}")
    try:
        rows = [line.split(",") for line in said.splitlines()]
        return [(key, int(copies), int(children)) for key, copies, children in rows]
    except ValueError:
        raise Unreadable(f"{container.name}: no rows were told: {_last_line(said)}") from None


def _parsed(text: str, *, where: str) -> list[Found]:
    try:
        return [(str(key), int(copies), int(children)) for key, copies, children in json.loads(text)]
    except ValueError:
        raise Unreadable(f"{where}: no rows were told: {_last_line(text)}") from None


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def _rows(found: Iterable[Found]) -> tuple[StoredRow, ...]:
    """Keys are written alike, whichever way the database keeps a UUID."""
    rows = [
        StoredRow(key=str(UUID(key)), copies=copies, children=children) for key, copies, children in found
    ]
    return tuple(sorted(rows, key=lambda row: row.key))
