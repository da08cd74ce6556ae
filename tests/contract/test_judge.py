"""Prober, ledger, database and judge together, on a server with planted mistakes: each is found, with its number.

Cells have to last: what is waited for here is the time in which a stack is probed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from serverlab import compose, host, probe
from serverlab.analysis.judging import course, judge
from serverlab.compose import Database, Engine, StackSettings
from serverlab.ledger import Ledger
from serverlab.lock import only_lab
from serverlab.model.definitions import Target
from serverlab.model.faults import (
    Event,
    Happening,
    Judgement,
    Kind,
    Outcome,
    Probing,
    Rule,
    Timeline,
    Verdict,
)
from serverlab.prober import start_prober
from serverlab.shell import HostShell
from serverlab.stored import stored_rows
from tests.contract.calibration import SERVER, Calibration, make_checkout

pytestmark = pytest.mark.contract
SHORT = Timeline(settle_s=1, baseline_s=4, hold_s=1, observe_s=3)
"""For mistakes that need no fault."""
WHOLE = Timeline(settle_s=1, baseline_s=4, hold_s=1, observe_s=11.5)
"""Long enough to see ten seconds that are well."""
UNDISTURBED = Rule(recovers=False, failures_at_most=0, longest_gap_s=1.0, goodput_at_least=0.8)
EARLY_S = 1.0
KILL = """
import os, pathlib, signal, time
def parent(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
def serves(pid):
    return b"/lab/serve.py" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
pids = [int(each.name) for each in pathlib.Path("/proc").iterdir() if each.name.isdigit()]
(worker,) = [pid for pid in pids if serves(pid) and parent(pid) > 1 and serves(parent(pid))]
os.kill(worker, signal.SIGKILL)
print(time.monotonic())
"""


@dataclass(frozen=True)
class Judged:
    """A cell: what came of it, its ledger, and when the fault, if there was one, struck."""

    judgement: Judgement
    ledger: Ledger
    struck_s: float | None

    def acknowledged(self) -> list[float]:
        """When each write was acknowledged."""
        return [
            each.ended_s
            for each in self.ledger.attempts
            if each.kind is Kind.WRITE and each.outcome is Outcome.OK
        ]


@pytest.fixture(scope="module")
def lab(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    return Calibration(engine, make_checkout(tmp_path_factory.mktemp("judge")))


@contextmanager
def running(lab: Calibration, variant: str, database: Database = Database.SQLITE) -> Iterator[StackSettings]:
    target = Target(server=SERVER, variant=variant, edge=None)
    settings = StackSettings(
        target=target,
        protocol=lab.catalog.variant(target).protocol,
        cpus=1,
        replicas=1,
        split=host.assign_cores(1, host.cores_of(lab.engine)),
        label="contract",
        database=database,
        app={"LAB_FAULTS": "on"},
    )
    with only_lab():
        try:
            compose.up(HostShell(), lab.engine, lab.root, settings)
            probe.wait_ready(lab.engine, settings)
            yield settings
        finally:
            lab.engine.remove_all()


def wait_until(moment_s: float) -> None:
    time.sleep(max(0.0, moment_s - time.monotonic()))


def nothing(_: Engine) -> None:
    """No fault."""


def kill_worker(engine: Engine) -> float:
    """When the worker was killed."""
    done = engine.service("app").exec_run(["/venv/bin/python", "-I", "-c", KILL])
    assert done.exit_code == 0, done.output
    return float(done.output)


def cell(
    lab: Calibration,
    settings: StackSettings,
    *,
    timeline: Timeline = SHORT,
    probing: Probing | None = None,
    rule: Rule = UNDISTURBED,
    strike: Callable[[Engine], float | None] = nothing,
) -> Judged:
    """One cell of a stack that runs, made as a runner makes it."""
    probing = probing or Probing()
    events = []

    def note(what: Happening) -> None:
        events.append(Event(at_s=time.monotonic(), what=what))

    duration_s = timeline.settle_s + timeline.baseline_s + timeline.hold_s + timeline.observe_s + 5
    prober = start_prober(HostShell(), lab.engine, lab.root, settings, probing=probing, duration_s=duration_s)
    began_s = prober.opening.began_s
    wait_until(began_s + timeline.settle_s + timeline.baseline_s)
    note(Happening.JOURNALLED)
    struck_s = strike(lab.engine)
    note(Happening.INJECTED)
    wait_until(time.monotonic() + timeline.hold_s)
    note(Happening.REMOVED)
    wait_until(time.monotonic() + timeline.observe_s)
    ledger = prober.stop()
    wait_until(time.monotonic() + EARLY_S)  # what was acknowledged early is made by then
    stored = stored_rows(lab.engine, settings)
    judgement = judge(ledger.attempts, events, stored, rule=rule, timeline=timeline, probing=probing)
    assert sum(each.ok + each.failed for each in course(ledger.attempts, events)) == len(ledger.attempts)
    return Judged(judgement, ledger, struck_s)


def shown(judgement: Judgement) -> dict[str, int]:
    """What was counted that should be nothing."""
    assert judgement.toll is not None
    names = ("lost", "phantom", "duplicate", "torn", "stale", "recovered")
    return {name: value for name in names if (value := getattr(judgement.toll, name))}


@pytest.mark.parametrize("name", ["sqlite", "sqlite again", "postgres"])
def test_where_nothing_is_broken_nothing_is_shown(lab: Calibration, name: str) -> None:
    """Twice the same, and once on the other database: all was answered, all is there, once."""
    database = Database(name.split(maxsplit=1)[0])
    with running(lab, "instant", database) as settings:
        found = cell(lab, settings)
        assert (found.judgement.verdict, found.judgement.reason) == (Verdict.PASS, "")
        assert shown(found.judgement) == {}
        assert found.judgement.toll is not None
        assert found.judgement.toll.failed_by == {}
        rows = stored_rows(lab.engine, settings)
        assert len(rows) == len(found.acknowledged()) > 80
        lab.engine.service("app").kill()
        assert stored_rows(lab.engine, settings) == rows


def test_a_server_that_is_killed_and_makes_no_mistake_loses_nothing(lab: Calibration) -> None:
    """Answers take 100 ms, so that what is late on a busy machine does not pass for a p99 that has grown by half."""
    with running(lab, "unhurried") as settings:
        found = cell(lab, settings, timeline=WHOLE, rule=Rule(), strike=kill_worker)
    assert (found.judgement.verdict, found.judgement.reason) == (Verdict.PASS, "")
    assert found.judgement.toll is not None
    assert found.judgement.toll.to_success_s is not None
    assert found.judgement.toll.to_success_s < 5
    assert {name for name in shown(found.judgement) if name != "recovered"} == set()


def test_what_was_acknowledged_before_it_was_made_is_lost_by_a_kill(lab: Calibration) -> None:
    """What the last second had acknowledged: ten writes, and one more or less at its ends."""
    with running(lab, "hasty") as settings:
        found = cell(lab, settings, timeline=WHOLE, rule=Rule(), strike=kill_worker)
    assert found.struck_s is not None
    last = [each for each in found.acknowledged() if found.struck_s - EARLY_S < each <= found.struck_s]
    toll = found.judgement.toll
    assert toll is not None
    assert toll.lost == pytest.approx(len(last), abs=1)
    assert 9 <= toll.lost <= 12
    assert found.judgement.verdict is Verdict.FAIL
    assert found.judgement.reason.startswith(f"{toll.lost} acknowledged writes are lost")
    assert (toll.phantom, toll.duplicate, toll.torn) == (0, 0, 0)


def test_of_a_thousand_writes_the_two_that_were_never_made_are_missed(lab: Calibration) -> None:
    with running(lab, "losing") as settings:
        longer = Timeline(settle_s=1, baseline_s=4, hold_s=1, observe_s=6)
        found = cell(lab, settings, timeline=longer, probing=Probing(reads_per_s=10, writes_per_s=100))
    writes = sum(each.kind is Kind.WRITE for each in found.ledger.attempts)
    toll = found.judgement.toll
    assert toll is not None
    assert 1000 < writes < 1500
    assert (toll.lost, toll.phantom, toll.duplicate, toll.torn) == (2, 0, 0, 0)
    assert found.judgement.verdict is Verdict.FAIL
    assert found.judgement.reason.startswith("2 acknowledged writes are lost")


def test_every_fiftieth_write_that_was_made_twice_is_found(lab: Calibration) -> None:
    with running(lab, "doubling") as settings:
        found = cell(lab, settings)
    writes = sum(each.kind is Kind.WRITE for each in found.ledger.attempts)
    assert writes // 50 > 0
    assert shown(found.judgement) == {"duplicate": writes // 50}
    assert (found.judgement.verdict, found.judgement.reason) == (
        Verdict.FAIL,
        f"{writes // 50} writes are there more than once",
    )
