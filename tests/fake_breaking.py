"""A lab without containers in which stacks are probed and broken: the prober's ledger is made up when it is stopped."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from serverlab.errors import TrialFailed
from serverlab.faults.fault import Fault, NotEffective, NotUndone, Scene
from serverlab.prober import BOOT_ID
from serverlab.runner.breaking import Machine
from serverlab.runner.cell import Clock
from serverlab.runner.noise import Work
from tests.checkout import write
from tests.fake_app import FakeApp
from tests.fake_engine import ExecResult
from tests.fake_lab import FakeLab

BREAKING = """\
format = 1
title = "Breaking"
question = "What do they lose?"
faults = ["F-00"]
targets = ["gunicorn", "runserver"]
seed = 7

[timeline]
settle_s = 1
baseline_s = 4
hold_s = 2
observe_s = 12
"""

QUIET = Work(at_s=0.0, busy_s=None, ours_s={})
PLENTY = Machine(
    free_disk_mib=lambda _path: 1e6, available_memory_mib=lambda: 1e6, work=lambda _engine: QUIET
)


@dataclass
class FastClock:
    """A steady clock that jumps where the lab would wait."""

    skipped_s: float = 0.0

    def now(self) -> float:
        return time.monotonic() + self.skipped_s

    def pause(self, seconds: float) -> None:
        self.skipped_s += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=self.now, pause=self.pause)


@dataclass(frozen=True, kw_only=True)
class StubFault(Fault):
    """Does what a test wants at each step; ``does`` maps a step (inject, hold, undo) to it."""

    id: str = "F-00"
    title: str = "a stub"
    what: str = "Nothing happens."
    does: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    refuses: str | None = None
    left: str | None = None
    marks: bool = False

    def applicable(self, expected: Any) -> str | None:
        return self.refuses if expected.settings.target.server == "runserver" else None

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        if self.marks:
            scene.acted()
        self.does.get("inject", lambda: None)()
        scene.measure(exit_code=0)
        scene.note("a note")
        try:
            yield "it is broken"
        finally:
            if self.marks:
                scene.lifted()
            self.does.get("undo", lambda: None)()

    def left_behind(self, scene: Scene) -> str | None:
        return self.left


def has_no_effect() -> None:
    raise NotEffective("it runs as before")


def is_not_undone() -> None:
    raise NotUndone("it is still broken")


def breaks_off() -> None:
    raise TrialFailed("a container is gone")


@dataclass
class FakeProber:
    """Writes down thirty attempts a second, every third a write, all of them right unless ``is_down`` says otherwise.

    ``is_down`` is asked with the seconds since it began.
    """

    clock: FastClock
    opening: dict[str, Any]
    is_down: Callable[[float], bool]
    acknowledged: list[str] = field(default_factory=list)

    def lines(self, *, ended: bool) -> Iterator[str]:
        rows = [self.opening]
        if ended:
            rows += self.attempts()
            rows.append({"rows": len(rows) - 1, "ended_s": self.clock.now()})
        digest = b""
        for row in rows:
            body = json.dumps(row, separators=(",", ":"))
            digest = hashlib.sha256(digest + body.encode()).digest()
            yield f'{body[:-1]},"chain":"{digest.hex()[:16]}"}}\n'

    def attempts(self) -> list[dict[str, Any]]:
        self.acknowledged.clear()
        lasts_s = self.clock.now() - self.opening["began_s"]
        return [self.attempt(number, number / 30) for number in range(int(lasts_s * 30))]

    def attempt(self, number: int, after_s: float) -> dict[str, Any]:
        is_write, down = number % 3 == 0, self.is_down(after_s)
        key = str(UUID(int=number if is_write else number - number % 3))
        if is_write and not down:
            self.acknowledged.append(key)
        due_s = self.opening["began_s"] + after_s
        return {
            "number": number,
            "kind": "write" if is_write else "read",
            "key": key,
            "due_s": due_s,
            "sent_s": due_s,
            "first_byte_s": None if down else due_s + 0.001,
            "ended_s": due_s + 0.001,
            "outcome": "fail" if down else "ok",
            "status": None if down else 201,
            "cause": "refused" if down else "",
        }


class BreakableLab(FakeLab):
    """A lab whose stacks are probed; ``stored`` turns the keys that were acknowledged into those that are kept."""

    def __init__(self, root: Path, app: FakeApp) -> None:
        super().__init__(root, app)
        self.time = FastClock()
        self.is_down: Callable[[float], bool] = lambda _after_s: False
        self.stored: Callable[[list[str]], list[str]] = list
        self.probers: list[FakeProber] = []
        self.volume: list[str] = []
        write(root, "experiments/breaking.toml", BREAKING)

    def _compose(self, argv: Sequence[str]) -> None:
        if argv[-1] == "prober":
            self._probe(self.shell.environments[-1])
        else:
            super()._compose(argv)
            self.acknowledged = self.volume
            self.app_container.exec_run = self._rows

    def _probe(self, given: Mapping[str, str]) -> None:
        self.time.skipped_s = 0.0  # the lab compares the prober's clock with its own
        opening = {
            "ledger": 1,
            "began_s": self.time.now(),
            "boot_id": BOOT_ID.read_text().strip(),
            "url": given["LAB_PROBE_URL"],
            "reads_per_s": float(given["LAB_PROBE_READS_PER_S"]),
            "writes_per_s": float(given["LAB_PROBE_WRITES_PER_S"]),
            "timeout_s": float(given["LAB_PROBE_TIMEOUT_S"]),
            "duration_s": float(given["LAB_PROBE_DURATION_S"]),
            "guarded": True,
        }
        prober = FakeProber(self.time, opening, self.is_down)
        self.probers.append(prober)
        self.acknowledged = prober.acknowledged
        container = self.client.add("prober", run=given["LAB_RUN"])
        container.logs = lambda **_options: "".join(
            prober.lines(ended="SIGTERM" in container.signals)
        ).encode()
        self._happens(f"probing {len(self.probers)}")

    def _rows(self, _argv: Sequence[str], **_options: Any) -> ExecResult:
        rows = [(key, 1, 2) for key in self.stored(self.acknowledged)]
        return ExecResult(exit_code=0, output=json.dumps(rows).encode() + b"\n")
