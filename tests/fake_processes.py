"""A container without processes that says it has some, and what signals do to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from serverlab.faults.processes import SIGNAL, TABLE
from tests.fake_engine import ExecResult, FakeContainer

INIT = [1, 0, "S", 10, "/sbin/docker-init"]


@dataclass
class FakeServer:
    """An init, a master and workers; ``does`` maps "SIGNAL PID" (or "SIGNAL", sent to the container) to its effect.

    ``says`` maps a script to what it prints, given its arguments. A worker that is killed comes back under a new id
    where ``respawns``; where the master is killed the container ends, and with it what ran in it: the engine notices
    that when it is asked for the ``noticed_after``-th time. A signal ``breaks`` the script that sent it.
    """

    container: FakeContainer
    respawns: bool = True
    rows: list[list[Any]] = field(
        default_factory=lambda: [INIT, [7, 1, "S", 20, "master"], [8, 7, "S", 30, "worker"]]
    )
    does: dict[str, Callable[[], None]] = field(default_factory=dict)
    signals: list[str] = field(default_factory=list)
    starts: int = 0
    noticed_after: int = 0
    breaks: bool = False
    says: dict[str, Callable[[list[str]], str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.container.exec_run = self._exec
        self.container.kill = self._kill
        self.container.start = self._start
        self.container.reload = self._reload

    def row(self, pid: int) -> list[Any]:
        return next(row for row in self.rows if row[0] == pid)

    def replace(self, pid: int, new: int) -> None:
        """The process is gone and another one has come in its place."""
        old = self.row(pid)
        self.rows.remove(old)
        self.rows.append([new, old[1], "S", old[3] + 100, old[4]])

    def end(self, code: int) -> None:
        self.container.exit_code = code
        self.breaks = self.noticed_after > 0
        if not self.breaks:
            self.container.status = "exited"

    def _reload(self) -> None:
        if self.breaks and self.noticed_after:
            self.noticed_after -= 1
            if not self.noticed_after:
                self.container.status = "exited"

    def _exec(self, argv: Sequence[str], **_options: Any) -> ExecResult:
        script, arguments = argv[4], list(argv[5:])
        if self.breaks and self.noticed_after:
            return ExecResult(137, b"")
        if script == TABLE:
            return ExecResult(0, json.dumps(self.rows).encode())
        if script in self.says:
            return ExecResult(0, self.says[script](arguments).encode())
        assert script == SIGNAL
        name, *pids = arguments
        for pid in map(int, pids):
            self.signals.append(f"{name} {pid}")
            self.does.get(f"{name} {pid}", lambda name=name, pid=pid: self._takes(name, pid))()
        return ExecResult(137 if self.breaks else 0, b"")

    def _takes(self, name: str, pid: int) -> None:
        if name == "SIGSTOP":
            self.row(pid)[2] = "T"
        elif name == "SIGCONT":
            self.row(pid)[2] = "S"
        elif self.row(pid)[1] == 1:
            self.end(137)
        elif self.respawns:
            self.replace(pid, pid + 100)
        else:
            self.rows.remove(self.row(pid))

    def _kill(self, signal: str = "SIGKILL") -> None:
        self.signals.append(signal)
        self.does.get(signal, lambda: self.end(0))()

    def _start(self) -> None:
        self.starts += 1
        self.container.status = "running"
