"""What an attack does from inside of a stack's containers: programs of one file, run by the Python that is there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from serverlab.attacks.stage import Stage
from serverlab.compose import Container
from serverlab.errors import TrialFailed

PYTHONS = {"app": "/venv/bin/python", "edge": "/usr/bin/python3"}
"""The interpreter of each service's image."""

SQL = """
import json, sqlite3, sys
with sqlite3.connect("/data/db.sqlite3", timeout=10) as database:
    for statement, values in json.loads(sys.argv[1]):
        database.execute(statement, values)
print("null")
"""


def run(stage: Stage, service: str, program: str, argument: object) -> Any:  # noqa: ANN401 - what JSON can be
    """What the program prints (JSON), given an argument (JSON) and run in the service's first container.

    Raises:
        TrialFailed: it ended with an error; with what it said.
    """
    container: Container = stage.engine.service(service)
    argv = [PYTHONS[service], "-I", "-S", "-c", program, json.dumps(argument)]
    code, output = container.exec_run(argv, demux=True)
    printed, said = output
    if code:
        raise TrialFailed(
            f"a program run in {container.name} ended with {code}: {(said or b'').decode()[-300:]}"
        )
    return json.loads(printed)


def execute(stage: Stage, *statements: tuple[str, Sequence[object]]) -> None:
    """Change rows behind the app's back, in one transaction: SQL statements with their values.

    Only where the database is the stack's SQLite file, as on every stack that is attacked.
    """
    run(stage, "app", SQL, statements)


ATTEMPTS = """
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
    """The answers to requests that are sent from the front container to itself, each from an address of its choice.

    Every address of 127.0.0.0/8 is that container's own, so one machine can be many clients: an attempt is
    ``{"address", "path", "headers", "body"}``, an answer ``{"status", "headers", "body", "took_s"}``.
    """
    service, port = ("edge", 8080) if stage.settings.target.edge else ("app", 8000)
    return list(run(stage, service, ATTEMPTS, {"port": port, "attempts": list(wanted), "at_once": at_once}))
