"""A stack beside which slow clients, or slowhttptest, tell what a test wants."""

from __future__ import annotations

import json
from pathlib import Path

from serverlab.compose import Engine
from serverlab.faults import FAULTS
from serverlab.faults.fault import Scene
from serverlab.faults.processes import SIGNAL, TABLE
from serverlab.faults.slowhttptest import SAID, SERIES
from serverlab.runner.breaking import NO_CORES
from serverlab.runner.cell import cell_settings
from serverlab.runner.trial import expectation
from tests.fake_engine import ExecResult, FakeClient
from tests.fakes import Answer, FakeShell
from tests.unit.test_ledger import chained

CAPTURED = Path(__file__).parent / "unit" / "captured"
OPENING = {
    "slow": 1,
    "began_s": 100.0,
    "url": "http://app:8000",
    "path": "/healthz",
    "kind": "header",
    "connections": 3,
    "per_s": 100.0,
    "pace_s": 2.0,
    "duration_s": 50.0,
}
HELD = {"at_s": 100.5, "waiting": 0, "held": 3, "ended": 0}


def row(number, how="kept", **changes):
    plain = {
        "number": number,
        "begun_s": 100.0,
        "established_s": 100.1,
        "ended_s": 110.1,
        "how": how,
        "answers": 0,
        "status": None,
        "sent_bytes": 70,
        "received_bytes": 0,
    }
    return plain | changes


ROWS = (
    row(0),
    row(1, "eof", status=408, answers=1, ended_s=115.1),
    row(2, "reset", ended_s=104.1),
)


def ended(*rows, stopped=True):
    return [*rows, {"rows": len(rows), "ended_s": 120.0, "stopped": stopped}]


def lines(*told):
    return list(chained(*told))


SETTLED = (OPENING, HELD, HELD | {"at_s": 100.75})


class Stage:
    """A stack whose `docker compose up` brings what a test wants."""

    def __init__(self, catalog, fault, target="gunicorn:gthread"):
        self.client, self.measured, self.notes = FakeClient(), {}, []
        self.client.add("app")
        self.edge = self.client.add("edge") if "+" in target else None
        self.shell = FakeShell({"docker compose": Answer(does=self._bring)})
        self.brings = lambda: None
        self.fault = FAULTS[fault]
        settings = cell_settings(
            catalog, catalog.target(target), self.fault, cpus=1, split=NO_CORES, label="run"
        )
        self.scene = Scene(
            engine=Engine(self.client),
            shell=self.shell,
            root=Path("/lab"),
            expected=expectation(catalog, settings),
            hold_s=20.0,
            note=self.notes.append,
            measure=self.measured.update,
        )

    def _bring(self, argv):
        self.brings()

    def client_that_tells(self, *before, then=None, obeys=True):
        """A slow client; when it is stopped it tells ``then``."""
        container = self.client.add("slow")
        container.logs = lambda **_: "".join(f"{line}\n" for line in lines(*before, *told)).encode()
        told = []

        def stop(signal=None):
            container.signals.append(signal)
            if obeys:
                container.status = "exited"
                told.extend(then or [])

        container.kill = stop
        return container

    def services(self):
        return [each.name for each in self.client.containers.things]


class FakeWitness:
    """A container in which slowhttptest runs, says what was captured, and ends by SIGINT."""

    def __init__(self, container, name, *, runs=True, end=None):
        self.container, self.runs = container, runs
        self.files = {SERIES: captured(name, "csv"), SAID: end or captured(name, "txt")}
        self.words, self.signals = [], []
        container.exec_run = self._exec

    def _exec(self, argv, **options):
        if argv[0] == "sh":
            assert options == {"detach": True}
            self.words.append(argv[2])
            return ExecResult(None, b"")
        script, arguments = argv[4], list(argv[5:])
        if script == TABLE:
            slow = [[20, 0, "S", 20, "slowhttptest -H -u x"]] if self.runs else []
            return ExecResult(0, json.dumps([[1, 0, "S", 10, "sleep infinity"], *slow]).encode())
        if script == SIGNAL:
            self.signals.append(arguments)
            self.runs = False
            return ExecResult(0, b"")
        return ExecResult(0, self.files[arguments[0]].encode())


def captured(name, kind):
    return (CAPTURED / f"slowhttptest-{name}.{kind}").read_text(encoding="utf-8")
