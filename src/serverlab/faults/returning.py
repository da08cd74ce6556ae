"""What was taken away is given back by the lab; what the stack makes of it is looked at and told, and is its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import docker.errors

from serverlab.compose import Container
from serverlab.errors import TrialFailed
from serverlab.faults.fault import NotUndone, Scene, await_undone
from serverlab.probe import wait_ready


def start(scene: Scene, containers: Iterable[Container]) -> None:
    """Have the engine start the containers, as far as they do not run: with that the cause is lifted.

    Raises:
        NotUndone: the engine refuses, which is no doing of what runs in them.
    """
    for container in containers:
        try:
            container.start()
        except docker.errors.APIError as refused:
            why = refused.explanation or refused
            raise NotUndone(f"the engine does not start {container.name} again: {why}") from None
    scene.lifted()


def await_ready(scene: Scene) -> bool:
    """Whether the stack is ready in time; where it is not that is noted, and the ledger shows what it means."""
    try:
        wait_ready(scene.engine, scene.settings)
    except TrialFailed as broke:
        scene.note(f"the fault is undone, but {broke.what}")
        return False
    return True


def await_return(
    scene: Scene, what: str, seen: Callable[[], str | None], *, within_s: float, pause_s: float
) -> bool:
    """Whether ``seen`` says anything in time; where it does not that is noted, as await_ready does."""
    try:
        await_undone(what, seen, within_s=within_s, pause_s=pause_s)
    except NotUndone as broke:
        scene.note(f"the fault is undone, but not this: {broke.what}")
        return False
    return True
