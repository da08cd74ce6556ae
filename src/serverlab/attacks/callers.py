"""Asks a stack from addresses of the caller's choice: a program in the container in front, where each is its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serverlab.attacks.talk import Talk
from serverlab.compose import Engine, StackSettings

FRONTS = {"edge": ("/usr/bin/python3", 8080), "app": ("/venv/bin/python", 8000)}
"""Interpreter and port of each service that can be in front."""

PROGRAM = """
import concurrent.futures, functools, http.client, json, sys, time

def ask(began, port, attempt):
    time.sleep(max(0, began + attempt.get("after_s", 0) - time.perf_counter()))
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(attempt["address"], 0))
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

for line in sys.stdin:
    asked = json.loads(line)
    asking = functools.partial(ask, time.perf_counter(), asked["port"])
    with concurrent.futures.ThreadPoolExecutor(asked["at_once"]) as pool:
        answers = list(pool.map(asking, asked["attempts"]))
    print(json.dumps(answers), flush=True)
"""
"""Makes the attempts of each line, and prints a line with their answers; see crowd."""


class Callers(Talk):
    """A process beside what is in front of the stack."""

    def __init__(self, engine: Engine, settings: StackSettings) -> None:
        """Start when the first attempt is to be made; the process ends with its container."""
        service = "edge" if settings.target.edge else "app"
        python, self._port = FRONTS[service]
        super().__init__(engine.service(service), [python, "-I", "-S", "-u", "-c", PROGRAM])

    def call(self, attempts: Sequence[Mapping[str, Any]], *, at_once: int) -> list[dict[str, Any]]:
        """The answers to the attempts, in their order, so many ``at_once``.

        Raises:
            OSError: as `Talk.ask`.
        """
        return list(self.ask({"port": self._port, "attempts": list(attempts), "at_once": at_once}))
