"""The generator that was started with its stack and is held: it sleeps, loads its code when told to, and waits again.

Each step is told by an event on its output and ended by a signal. It asks nobody before it is let go.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http import HTTPStatus

import docker.errors

from serverlab.compose import Container, Engine, follow, tails
from serverlab.errors import TrialFailed

ASLEEP, LOADED = "asleep", "loaded"
WAKE, GO = "SIGUSR1", "SIGUSR2"
DEADLINE_S = 20.0
"""How long either step may take before the generator is stopped."""


def wake(engine: Engine) -> None:
    """Have the generator load its code; it does so beside what follows.

    Raises:
        TrialFailed: it has ended, or did not start in time; with its last lines.
    """
    container = engine.service("load")
    _await(container, ASLEEP)
    _send(container, WAKE)


def await_loaded(engine: Engine, *, deadline_s: float = DEADLINE_S) -> None:
    """Return when the generator has loaded its code and is idle again.

    Raises:
        TrialFailed: it ended instead, or took too long and was stopped; with its last lines.
    """
    _await(engine.service("load"), LOADED, deadline_s=deadline_s)


def let_go(engine: Engine) -> None:
    """Have the generator ask, from now on; one that has ended is found out by who waits for its result."""
    _send(engine.service("load"), GO)


def _send(container: Container, signal: str) -> None:
    try:
        container.kill(signal)
    except docker.errors.APIError as refused:
        if refused.status_code != HTTPStatus.CONFLICT:  # it does not run any more
            raise


def _await(container: Container, event: str, *, deadline_s: float = DEADLINE_S) -> None:
    too_late = threading.Event()

    def stop_it() -> None:
        too_late.set()
        with suppress(docker.errors.APIError):  # it has ended by itself meanwhile
            container.kill()

    stop = threading.Timer(deadline_s, stop_it)
    stop.start()
    try:
        for line in follow(container):
            if _event(line) == event:
                return
    finally:
        stop.cancel()
    container.wait(timeout=30)
    container.reload()
    if too_late.is_set():
        how, hint = "took too long and was stopped", "End what else runs on the machine, then measure again."
    else:
        how, hint = "ended", "See its last lines for why."
    raise TrialFailed(f"the generator {how} before it was {event}{tails([container])}", hint)


def _event(line: str) -> str | None:
    try:
        said = json.loads(line)
    except json.JSONDecodeError:
        return None
    return said.get("event") if isinstance(said, dict) else None
