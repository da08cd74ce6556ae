"""Many clients from one machine: requests that a stack's front container sends to itself, each from its own address."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from typing import Any

from serverlab.attacks.stage import Stage
from serverlab.compose import Container
from serverlab.errors import TrialFailed
from serverlab.stats import median

FRONTS = {"edge": ("/usr/bin/python3", 8080), "app": ("/venv/bin/python", 8000)}
"""Interpreter and port of each service that can be in front."""

PROGRAM = """
import concurrent.futures, http.client, json, sys, time

asked = json.loads(sys.argv[1])
began = time.perf_counter()

def ask(attempt):
    time.sleep(max(0, began + attempt.get("after_s", 0) - time.perf_counter()))
    link = http.client.HTTPConnection("127.0.0.1", asked["port"], timeout=60, source_address=(attempt["address"], 0))
    before = time.perf_counter()
    try:
        link.putrequest("POST", attempt["path"], skip_accept_encoding=True)
        body = json.dumps(attempt["body"]).encode()
        link.putheader("Content-Type", "application/json")
        link.putheader("Content-Length", str(len(body)))
        for name, value in attempt["headers"]:
            link.putheader(name, value)
        link.endheaders(body)
        answer = link.getresponse()
        said = answer.read().decode(errors="replace")
        found = {"status": answer.status, "headers": answer.getheaders(), "body": said}
    except (OSError, http.client.HTTPException) as broken:
        found = {"status": 0, "headers": [], "body": repr(broken)}
    finally:
        took = time.perf_counter() - before
        link.close()
    return found | {"took_s": took, "at": time.time()}

with concurrent.futures.ThreadPoolExecutor(asked["at_once"]) as pool:
    answers = list(pool.map(ask, asked["attempts"]))
print(json.dumps(answers))
"""

BATCH = 200
"""Attempts of one program: its argument may not hold 128 KiB."""

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
    """One attempt to sign in, for `attempts`; not sent before ``after_s``, from when the program has started."""
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
        TrialFailed: the container could not run the program; with what it said.
    """
    return [
        answer
        for start in range(0, len(wanted), BATCH)
        for answer in _batch(stage, wanted[start : start + BATCH], at_once=at_once)
    ]


def _batch(stage: Stage, wanted: Sequence[Try], *, at_once: int) -> list[Try]:
    service = "edge" if stage.settings.target.edge else "app"
    python, port = FRONTS[service]
    argument = json.dumps({"port": port, "attempts": list(wanted), "at_once": at_once})
    container: Container = stage.engine.service(service)
    code, (printed, told) = container.exec_run([python, "-I", "-S", "-c", PROGRAM, argument], demux=True)
    if code:
        raise TrialFailed(
            f"attempts from {container.name} ended with {code}: {(told or b'').decode()[-300:]}"
        )
    return list(json.loads(printed))


def unhashed_s(stage: Stage) -> float:
    """What a log-in takes, in seconds, that is refused before anything is counted or hashed."""
    asked = [attempt("", address=an_address()) for _ in range(15)]
    return median([each["took_s"] for each in attempts(stage, asked)])
