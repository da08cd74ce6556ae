"""Faults that a lab left on because it was killed: they went with their stacks, and their journals are ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from serverlab import store
from serverlab.compose import Engine
from serverlab.errors import LabError
from serverlab.model.faults import Happening


def end_journals(results: Path, engine: Engine, say: Callable[[str], None]) -> None:
    """Say of every fault that was journalled and never removed that it is gone, and write that down.

    To be called when all that is ours has been removed: a fault touches nothing else.

    Raises:
        LabError: something of its stack is still there.
    """
    for path, entry in store.left_on(results):
        if entry.label in engine.labels():
            raise LabError(
                f"{entry.fault} on {entry.target} is still on: {entry.label}", "Try `serverlab clean`."
            )
        say(f"{entry.fault} was left on {entry.target} by a lab that was killed; it is gone with its stack")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        ended = msgspec.structs.replace(
            entry, what=Happening.REMOVED, at=now, detail="by the lab's next start"
        )
        store.append_journal(path, ended)
