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
READ = """
import json, sqlite3, sys
with sqlite3.connect("/data/db.sqlite3", timeout=20) as database:
    print(json.dumps(database.execute(
        "SELECT id, marker, method, path, body_bytes, body_sha256 FROM lab_echo WHERE id > ? ORDER BY id",
        [int(sys.argv[1])]).fetchall()))
"""
EDGE_LINE = re.compile(r'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) \d+ (?P<upstream>\S+)')


@dataclass
class Record:
    """The app's table of what it was handed, and the edge's log of what it handed on, from one reading to the next."""

    engine: Engine
    settings: StackSettings
    _last: int = 0
    _since: float = 0.0

    def rows(self) -> list[tuple[str, Logged]]:
        """Token and request of each that the app has got since the last time.

        Raises:
            OSError: the table cannot be read.
        """
        container = self.engine.service("app")
        done = container.exec_run([PYTHON, "-I", "-S", "-c", READ, str(self._last)])
        if done.exit_code:
            raise OSError(done.output.decode(errors="replace").strip().splitlines()[-1])
        found = json.loads(done.output)
        self._last = max([self._last, *(row[0] for row in found)])
        return [logged(row) for row in found]

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
