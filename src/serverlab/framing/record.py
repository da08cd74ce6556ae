"""What the app and the edge have on record of the lab's requests, read without asking them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serverlab.compose import Engine, StackSettings
from serverlab.model.framing import Logged

PYTHON = "/venv/bin/python"
DATABASE = "/data/db.sqlite3"
QUIET_S = 0.15
"""How long nothing may have changed in the app's table before it counts as settled."""

MOST_S = 5.0
"""How long that is waited for."""

READ = """
import contextlib, json, sqlite3, sys, time
path, awaited, quiet_s, most_s, last = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
rows, settled, changed_s = None, False, 0.0
give_up_s = time.monotonic() + most_s
with contextlib.closing(sqlite3.connect(path, timeout=20)) as database:
    while not settled and (rows is None or time.monotonic() < give_up_s):
        before, rows = rows, database.execute(
            "SELECT id, marker, method, path, body_bytes, body_sha256 FROM lab_echo WHERE id > ? ORDER BY id",
            [last]).fetchall()
        now_s = time.monotonic()
        changed_s = changed_s if rows == before else now_s
        settled = now_s - changed_s >= quiet_s and any(row[1] == awaited for row in rows)
        time.sleep(0 if settled else 0.02)
print(json.dumps([settled, rows]))
"""
"""Reads the rows after ``last`` once the awaited marker is among them and they have not changed for a while."""

EDGE_LINE = re.compile(r'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) \d+ (?P<upstream>\S+)')


@dataclass(frozen=True)
class Rows:
    """Token and request of each that the app has got; more may come where it had not ``settled`` within MOST_S."""

    requests: tuple[tuple[str, Logged], ...]
    settled: bool


@dataclass
class Record:
    """The app's table of what it was handed, and the edge's log of what it handed on, from one reading to the next."""

    engine: Engine
    settings: StackSettings
    _last: int = 0
    _since: float = 0.0

    def rows(self, awaited: str) -> Rows:
        """What the app has got since the last time, once it has the request with the ``awaited`` marker and is quiet.

        Raises:
            OSError: the table cannot be read.
        """
        container = self.engine.service("app")
        given = [DATABASE, awaited, str(QUIET_S), str(MOST_S), str(self._last)]
        done = container.exec_run([PYTHON, "-I", "-S", "-c", READ, *given])
        if done.exit_code:
            raise OSError(done.output.decode(errors="replace").strip().splitlines()[-1])
        settled, found = json.loads(done.output)
        self._last = max([self._last, *(row[0] for row in found)])
        return Rows(requests=tuple(map(logged, found)), settled=settled)

    def edge_lines(self) -> list[tuple[str, bool]]:
        """Request line and whether it was handed on, of each that the edge has logged since the last time."""
        if not self.settings.target.edge:
            return []
        since, self._since = self._since, time.time() - 1.0
        after = {"since": since} if since else {}
        text = self.engine.service("edge").logs(stdout=True, stderr=False, **after)
        return edge_lines(text.decode(errors="replace"))


def logged(row: Sequence[object]) -> tuple[str, Logged]:
    """Token and request of a row of the app's table."""
    _, marker, method, path, body_bytes, sha256 = row
    token, _, role = str(marker).rpartition("-")
    size = body_bytes if isinstance(body_bytes, int) else None
    return token, Logged(
        role=role, method=str(method), path=str(path), body_bytes=size, body_sha256=str(sha256 or "")
    )


def edge_lines(text: str) -> list[tuple[str, bool]]:
    """Request line and whether it was handed on, from lines of the edge's log."""
    found = (EDGE_LINE.search(line) for line in text.splitlines())
    return [(each["request"], each["upstream"] != "-") for each in found if each]


def handed_on(lines: Iterable[tuple[str, bool]], token: str) -> list[str]:
    """The roles of the requests with this token in their target that the edge handed on."""
    marker = re.compile(rf"marker={token}-(\w+)")
    found = (marker.search(request) for request, passed in lines if passed)
    return [each[1] for each in found if each]
