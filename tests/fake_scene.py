"""A stack without containers for a fault to break: the scene, and what the fault measured and noted."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.compose import Engine
from serverlab.faults.direct import TAKEN
from serverlab.faults.fault import Fault, Scene
from serverlab.model.faults import Happening
from serverlab.runner.breaking import NO_CORES
from serverlab.runner.cell import cell_settings
from serverlab.runner.trial import expectation
from tests.fake_app import FakeApp
from tests.fake_engine import FakeClient
from tests.fake_processes import FakeServer
from tests.fakes import FakeShell

CATALOG = load_catalog(CHECKOUT)


@dataclass
class FakeStack:
    """One app container with a server in it, which ``app`` answers for."""

    app: FakeApp
    client: FakeClient = field(default_factory=FakeClient)
    measured: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    marks: list[Happening] = field(default_factory=list)

    def __post_init__(self) -> None:
        container = self.client.add("app", ports={8000: self.app.port})
        self.app.identity.update(pid=8)
        self.app.hostnames = [container.id[:12]]
        self.server = FakeServer(container, says={TAKEN: lambda arguments: str(len(arguments) - 1)})

    def scene(self, fault: Fault, target: str = "gunicorn:gthread", *, hold_s: float = 0.2) -> Scene:
        settings = cell_settings(CATALOG, CATALOG.target(target), fault, cpus=1, split=NO_CORES, label="run")
        return Scene(
            engine=Engine(self.client),
            shell=FakeShell({}),
            root=Path("/lab"),
            expected=expectation(CATALOG, settings),
            hold_s=hold_s,
            note=self.notes.append,
            measure=self.measured.update,
            mark=self.marks.append,
        )


class SlowApp(FakeApp):
    """Answers what begins with ``slow`` once ``released`` is set, and everything else at once."""

    slow: str = "/lab/sleep"
    says: int = 0

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def answer(self, method: str, path: str, token: str | None) -> tuple[int, dict[str, Any]]:
        if path.startswith(self.slow):
            self.released.wait(5)
            if self.says:
                return self.says, {}
        return super().answer(method, path, token)
