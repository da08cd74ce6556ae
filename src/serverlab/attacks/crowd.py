"""Many clients from one machine: requests that a stack's front container sends to itself, each from its own address."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

from serverlab.attacks.stage import Stage
from serverlab.stats import median

TOKEN = "A" * 32
CSRF = [["X-CSRFToken", TOKEN], ["Cookie", f"csrftoken={TOKEN}; __Host-csrftoken={TOKEN}"]]
"""Cookie and header are the client's own; what CSRF protection asks is that a foreign page cannot set both."""

_numbers = itertools.count(1)

Try = dict[str, Any]


def attempt(
    username: str,
    *,
    address: str,
    password: str = "not the password",  # noqa: S107 - a wrong one on purpose
    way: str = "jwt",
    headers: Sequence[Sequence[str]] = (),
    after_s: float = 0.0,
) -> Try:
    """One attempt to sign in, for `attempts`; not sent before ``after_s``, from when the first of them is begun."""
    return {
        "address": address,
        "after_s": after_s,
        "path": f"/api/auth/{way}/login/",
        "headers": [*CSRF, *map(list, headers)],
        "body": {"username": username, "password": password},
    }


def an_address() -> str:
    """A client that no other attack is."""
    return str(f"127.77.{next(_numbers) % 250}.{next(_numbers) % 250}")


def a_name() -> str:
    """A name that nobody has, asked for once."""
    return f"nobody{next(_numbers)}-{time.time_ns()}"


def attempts(stage: Stage, wanted: Sequence[Try], *, at_once: int = 1) -> list[Try]:
    """The answers to requests from addresses of their choice, asked one after the other or so many ``at_once``.

    Every address of 127.0.0.0/8 is a container's own. An answer is ``{"status", "headers", "body", "took_s",
    "at"}``, with status 0 when there was none; ``at`` is the time of day (seconds of `time.time`) when it was there.

    Raises:
        OSError: the program is gone, or broke off; with what it said.
    """
    return stage.callers.call(wanted, at_once=at_once)


def unhashed_s(stage: Stage) -> float:
    """What a log-in takes, in seconds, that is refused before anything is counted or hashed."""
    asked = [attempt("", address=an_address()) for _ in range(15)]
    return median([each["took_s"] for each in attempts(stage, asked)])
