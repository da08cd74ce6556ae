"""Seeded users whose passwords are stored as the stack's own hasher stores them."""

from __future__ import annotations

from serverlab.compose import Database, Engine, StackSettings
from serverlab.errors import TrialFailed

SEED = ["/venv/bin/python", "/app/manage.py", "seed"]


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
        raise TrialFailed(f"{container.name}: seeding again ended with {done.exit_code}: {said}")
