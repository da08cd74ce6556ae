"""Changes rows in an app's SQLite behind its back."""

from __future__ import annotations

from collections.abc import Sequence

from serverlab.attacks.talk import Talk
from serverlab.compose import Container

PYTHON = "/venv/bin/python"
SQL = """
import contextlib, json, sqlite3, sys
for line in sys.stdin:
    try:
        with contextlib.closing(sqlite3.connect("/data/db.sqlite3", timeout=20)) as database, database:
            found = {"rows": database.execute(*json.loads(line)).fetchall()}
    except sqlite3.Error as refused:
        found = {"refused": f"{type(refused).__name__}: {refused}"}
    print(json.dumps(found), flush=True)
"""
"""Does one statement after the other, each a line [text, values] in JSON, and answers each with a line."""


class Clerk(Talk):
    """A process in the app's container that does statements."""

    def __init__(self, container: Container) -> None:
        """Start when the first statement is to be done; the process ends with its container."""
        super().__init__(container, [PYTHON, "-I", "-S", "-u", "-c", SQL])

    def do(self, statement: str, values: Sequence[str | int | None]) -> list[list[object]]:
        """The rows that the statement gives.

        Raises:
            OSError: it was refused, or the process is gone.
        """
        found = self.ask([statement, values])
        if "refused" in found:
            raise OSError(found["refused"])
        rows: list[list[object]] = found["rows"]
        return rows
