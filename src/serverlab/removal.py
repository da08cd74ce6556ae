"""Removing what the engine holds, all at once and until nothing is left, whoever wants to stop it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

import docker.errors

from serverlab.errors import EnvironmentLacks

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DEADLINE_S = 30.0
PAUSE_S = 0.05
AT_ONCE = 4

Thing: TypeAlias = tuple[Any, dict[str, bool]]
"""A container, network or volume of docker-py, and the options that it is removed with."""

Look: TypeAlias = Callable[[], Iterable[list[Thing]]]
"""Looks for what is to be removed; a list is looked for when that before it is gone, those of one may go at once."""


def remove_all(look: Look, *, deadline_s: float = DEADLINE_S) -> list[str]:
    """Remove what there is until nothing is found any more, and return the names; no signal cuts it short.

    Raises:
        EnvironmentLacks: the engine still refuses after the deadline; with what it said.
    """
    removed: list[str] = []
    give_up = time.monotonic() + deadline_s
    with undisturbed():
        while True:
            gone, refused = _remove_once(look)
            removed += gone
            if not gone and not refused:
                return removed
            if refused and time.monotonic() > give_up:
                raise EnvironmentLacks("left behind: " + "; ".join(refused), "Try `serverlab clean`.")
            if not gone:
                time.sleep(PAUSE_S)


def _remove_once(look: Look) -> tuple[list[str], list[str]]:
    """What was removed, and what the engine would not remove yet, with its reasons."""
    removed: list[str] = []
    refused: list[str] = []
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for things in look():
            for name, refusal in threads.map(_removed, things):
                removed += [name] if name else []
                refused += [refusal] if refusal else []
    return removed, refused


def _removed(thing_and_how: Thing) -> tuple[str | None, str | None]:
    """The name of what was removed, or what the engine said instead; neither where somebody else was faster."""
    thing, options = thing_and_how
    try:
        thing.remove(**options)
    except docker.errors.NotFound:
        return None, None
    except docker.errors.APIError as busy:
        return None, f"{thing.name}: {busy.explanation or busy}"
    return str(thing.name), None


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C, SIGTERM and SIGHUP while the block runs (in the main thread, the only one that gets them)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
