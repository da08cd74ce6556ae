"""A stack that stands for as long as something is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serverlab import compose, probe
from serverlab.compose import Engine, StackSettings
from serverlab.errors import TrialFailed
from serverlab.probe import Expectation
from serverlab.runner.ending import leaving_nothing
from serverlab.shell import Shell


@contextmanager
def running(shell: Shell, engine: Engine, root: Path, settings: StackSettings) -> Iterator[None]:
    """Start the stack and wait until it is ready; nothing of it is left when the block ends.

    Raises:
        TrialFailed: it did not start.
        Otherwise as leaving_nothing.
    """
    with leaving_nothing(engine):
        compose.up(shell, engine, root, settings)
        probe.wait_ready(engine, settings)
        yield


def refuse_unproven(engine: Engine, expected: Expectation) -> None:
    """Raise TrialFailed, with each check that failed, where the running stack is not what it should be."""
    if failed := probe.failed_checks(probe.prove(engine, expected)):
        raise TrialFailed(f"{expected.settings.target} is not what it should be: {'; '.join(failed)}")
