"""What the lab does within a stack's containers while it attacks: rows changed by hand, logs read, commands run."""

from __future__ import annotations

from collections.abc import Mapping

from serverlab.attacks.clerk import PYTHON
from serverlab.attacks.stage import Stage
from serverlab.compose import Database


def sql(stage: Stage, statement: str, *values: str | int | None) -> list[list[object]]:
    """The rows that a statement gives; it is done behind the app's back, as an administrator would.

    Raises:
        OSError: the stack keeps its rows elsewhere than in SQLite, or the statement was refused.
    """
    if stage.settings.database is not Database.SQLITE:
        raise OSError("rows are changed by hand in SQLite only")
    return stage.clerk.do(statement, values)


def run(
    stage: Stage, arguments: list[str], *, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Exit code and output of a Python command in the app's container."""
    container = stage.engine.service("app")
    done = container.exec_run([PYTHON, *arguments], workdir="/app", environment=dict(environment or {}))
    return int(done.exit_code), done.output.decode(errors="replace")


def logged(stage: Stage, text: str) -> list[str]:
    """The lines with a text in the logs of all app containers."""
    return [
        line
        for container in stage.engine.containers("app")
        for line in container.logs().decode(errors="replace").splitlines()
        if text in line
    ]
