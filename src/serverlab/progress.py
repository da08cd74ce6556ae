"""Naming what is being done while it runs, in plain lines on standard error."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

Say = Callable[[str], None]
"""Takes one line for the user; it goes to standard error."""

HEARTBEAT_S = 10.0
"""How often a step that is still running says so."""


def say_on_stderr(line: str) -> None:
    """Print `line` to standard error at once; nothing is broken off because it can no longer be written there."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        write_no_more(sys.stderr)


def write_no_more(stream: TextIO) -> None:
    """Send nowhere what the stream still holds and all that follows.

    Else the interpreter tries once more at its end to write what could not be written, and ends with 120.
    """
    with suppress(OSError):  # which a stream without a file descriptor raises, too
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def step(say: Say, title: str, *, every_s: float = HEARTBEAT_S) -> Iterator[None]:
    """Say that `title` has begun, every `every_s` seconds that it still runs, and at its end how long it took."""
    began = time.monotonic()
    over = threading.Event()

    def beat() -> None:
        while not over.wait(every_s):
            say(f"{title}: {time.monotonic() - began:.0f} s so far")

    say(f"{title} ...")
    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield
    except BaseException:
        say(f"{title}: stopped after {time.monotonic() - began:.1f} s")
        raise
    else:
        say(f"{title}: done in {time.monotonic() - began:.1f} s")
    finally:
        over.set()
        heart.join()
