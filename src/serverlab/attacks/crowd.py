"""Many clients from one machine: requests that a stack's front container sends to itself, each from its own address."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from serverlab.attacks.stage import Stage
from serverlab.compose import Container
from serverlab.errors import TrialFailed

FRONTS = {"edge": ("/usr/bin/python3", 8080), "app": ("/venv/bin/python", 8000)}
"""Interpreter and port of each service that can be in front."""

PROGRAM = """
import concurrent.futures, http.client, json, sys, time

asked = json.loads(sys.argv[1])

def ask(attempt):
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
        took = time.perf_counter() - before
        return {"status": answer.status, "headers": answer.getheaders(), "body": said, "took_s": took}
    except (OSError, http.client.HTTPException) as broken:
        return {"status": 0, "headers": [], "body": repr(broken), "took_s": time.perf_counter() - before}
    finally:
        link.close()

with concurrent.futures.ThreadPoolExecutor(asked["at_once"]) as pool:
    answers = list(pool.map(ask, asked["attempts"]))
print(json.dumps(answers))
"""


def attempts(
    stage: Stage, wanted: Sequence[Mapping[str, object]], *, at_once: int = 1
) -> list[dict[str, Any]]:
    """The answers to requests from addresses of their choice, asked one after the other or so many ``at_once``.

    Every address of 127.0.0.0/8 is a container's own. An attempt is ``{"address", "path", "headers", "body"}``, an
    answer ``{"status", "headers", "body", "took_s"}``; status 0 when there was none.

    Raises:
        TrialFailed: the container could not run the program; with what it said.
    """
    service = "edge" if stage.settings.target.edge else "app"
    python, port = FRONTS[service]
    argument = json.dumps({"port": port, "attempts": list(wanted), "at_once": at_once})
    container: Container = stage.engine.service(service)
    code, (printed, said) = container.exec_run([python, "-I", "-S", "-c", PROGRAM, argument], demux=True)
    if code:
        raise TrialFailed(
            f"attempts from {container.name} ended with {code}: {(said or b'').decode()[-300:]}"
        )
    return list(json.loads(printed))
