"""The database of a stack, looked at and changed from within its own container while it is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import docker.errors

from serverlab.compose import Container
from serverlab.errors import TrialFailed
from serverlab.faults import returning
from serverlab.faults.fault import Scene, await_undone

SERVICE = "db"
SOCKETS = "/run/postgresql"
NAME = "lab"
READY_WITHIN_S = 60.0
READY_PAUSE_S = 0.1


def container_of(scene: Scene) -> Container:
    """The database's container."""
    return scene.engine.service(SERVICE)


def sql(scene: Scene, *statements: str) -> str:
    """What psql prints for the statements, columns with "|", each in a transaction of its own.

    Raises:
        TrialFailed: the database did not take one of them.
    """
    code, said = _psql(scene, *statements)
    if code:
        raise TrialFailed(f"the database: {said[-300:]}")
    return said


def await_ready(scene: Scene) -> str:
    """Wait until the database takes statements again.

    Raises:
        NotUndone: it does not in time.
    """

    def ready() -> str | None:
        return "the database takes statements" if _psql(scene, "SELECT 1") == (0, "1") else None

    return await_undone(
        "the database takes statements", ready, within_s=READY_WITHIN_S, pause_s=READY_PAUSE_S
    )


def copies(scene: Scene, keys: Sequence[str]) -> list[int]:
    """How often an entry with each of these keys is there; the keys are UUIDs of ours."""
    chosen = f"SELECT key FROM lab_entry WHERE key IN ({_listed(keys)})"  # noqa: S608 - they are
    found = Counter(sql(scene, chosen).split())
    return [found[key] for key in keys]


def remove_entries(scene: Scene, keys: Sequence[str]) -> None:
    """Take entries of a fault's own away: the judge knows only those of the prober.

    Raises:
        NotUndone: one of them is still there.
    """
    chosen = f"SELECT id FROM lab_entry WHERE key IN ({_listed(keys)})"  # noqa: S608 - UUIDs of ours
    sql(
        scene,
        f"DELETE FROM lab_entrychild WHERE entry_id IN ({chosen})",  # noqa: S608 - the same
        f"DELETE FROM lab_entry WHERE key IN ({_listed(keys)})",  # noqa: S608 - the same
    )
    await_undone(
        "the fault's own entries are removed", lambda: None if any(copies(scene, keys)) else "removed"
    )


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(f"'{key}'" for key in keys)


def start_again(scene: Scene) -> None:
    """Have the database run and take statements, whatever was done to it."""
    container = container_of(scene)
    returning.start(scene, [container])
    await_ready(scene)


def _psql(scene: Scene, *statements: str) -> tuple[int, str]:
    words = [word for statement in statements for word in ("-c", statement)]
    command = ["psql", "-X", "-q", "-A", "-t", "-h", SOCKETS, "-U", NAME, "-d", NAME, *words]
    secret = {"PGPASSWORD": scene.settings.database_password, "PGCONNECT_TIMEOUT": "5"}
    try:
        done = container_of(scene).exec_run(command, environment=secret)
    except docker.errors.APIError as refused:  # it does not run
        return 1, str(refused.explanation or refused)
    return int(done.exit_code), done.output.decode(errors="replace").strip()
