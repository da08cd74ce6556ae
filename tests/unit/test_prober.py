"""The prober is started, its clock is compared, and its ledger is taken when it has ended."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests.exceptions

from serverlab import prober
from serverlab.compose import Engine
from serverlab.ledger import Opening
from serverlab.model.faults import Probing
from serverlab.prober import ProberBroke, check_clock, start_prober
from tests.fake_engine import FakeClient
from tests.fakes import Answer, FakeShell
from tests.unit.test_compose import stack_settings
from tests.unit.test_ledger import OPENING, chained, row


def opening(**changes):
    return Opening(**(OPENING | changes))


class Starts:
    """A shell whose `docker compose up` brings a prober that prints these lines."""

    def __init__(self, *lines, **changes):
        self.client = FakeClient()
        self.shell = FakeShell({"docker compose": Answer(does=self._start)})
        self.lines, self.changes = lines, changes

    def _start(self, argv):
        self.container = self.client.add("prober", **self.changes)
        self.container.logs = self.logs

    def logs(self, **_options):
        return "".join(self.lines).encode()

    def __call__(self, **options):
        wanted = {"probing": Probing(guarded=False), "duration_s": 60.0} | options
        return start_prober(self.shell, Engine(self.client), Path("/lab"), stack_settings(), **wanted)


def now(**changes):
    boot_id = prober.BOOT_ID.read_text().strip()
    return OPENING | {"began_s": time.monotonic(), "boot_id": boot_id} | changes


def lines_of(*rows):
    return [f"{line}\n" for line in chained(*rows)]


def test_it_is_started_beside_the_stack_with_what_it_is_to_send():
    started = Starts()
    started.lines = lines_of(now())
    started()
    (call,) = started.shell.calls
    assert call.endswith(
        "--file /lab/compose/stack.yml --file /lab/compose/direct.yml --file /lab/compose/prober.yml "
        "up --detach --no-build --pull never --no-deps --no-recreate prober"
    )
    (environment,) = started.shell.environments
    assert {name: value for name, value in environment.items() if "PROBE" in name} == {
        "LAB_PROBE_URL": "http://app:8000",
        "LAB_PROBE_READS_PER_S": "20.0",
        "LAB_PROBE_WRITES_PER_S": "10.0",
        "LAB_PROBE_TIMEOUT_S": "5.0",
        "LAB_PROBE_DURATION_S": "60.0",
        "LAB_PROBE_GUARDED": "off",
    }


def test_its_ledger_is_taken_when_it_was_stopped():
    started = Starts()
    started.lines = lines_of(now(), row(0), {"rows": 1, "ended_s": 109.0})
    ledger = started().stop()
    assert ([each.number for each in ledger.attempts], started.container.signals) == ([0], ["SIGTERM"])
    (patience_s,) = started.container.waited
    assert 70 < patience_s <= 75.1


def test_one_that_has_ended_by_itself_is_not_told_to():
    started = Starts(status="exited")
    started.lines = lines_of(now(), row(0), {"rows": 1, "ended_s": 109.0})
    at_work = started()
    assert not at_work.is_running()
    assert len(at_work.stop().attempts) == 1
    assert started.container.signals == []


def test_a_ledger_that_is_not_whole_breaks_the_cell():
    started = Starts(exit_code=137)
    started.lines = [*lines_of(now(), row(0)), '{"number": 1, "ki']
    with pytest.raises(ProberBroke, match="the ledger of serverlab-prober-1 ends after line 2 without"):
        started().ledger()


def test_a_prober_that_does_not_end_breaks_the_cell():
    started = Starts()
    started.lines = lines_of(now())
    at_work = started()

    def never(timeout):
        raise requests.exceptions.ReadTimeout

    started.container.wait = never
    with pytest.raises(ProberBroke, match="the prober did not end"):
        at_work.stop()


def test_a_prober_that_ends_before_it_begins_is_told_with_its_last_words():
    with pytest.raises(ProberBroke, match="the prober did not begin"):
        Starts(status="exited", exit_code=1)()


def test_another_kernel_has_another_clock():
    with pytest.raises(ProberBroke, match="runs on another machine"):
        check_clock(opening(boot_id="a"), not_before_s=99, not_after_s=101, boot_id=lambda: "b")


@pytest.mark.parametrize(("earlier_s", "later_s"), [(99.0, 101.0), (100.04, 101.0), (99.0, 99.96)])
def test_a_clock_that_shows_what_the_labs_shows_is_taken(earlier_s, later_s):
    check_clock(opening(), not_before_s=earlier_s, not_after_s=later_s, boot_id=lambda: "b")


@pytest.mark.parametrize(("earlier_s", "later_s"), [(100.06, 101.0), (99.0, 99.94)])
def test_a_clock_that_is_more_than_50_ms_away_is_not(earlier_s, later_s):
    with pytest.raises(ProberBroke, match=r"the prober's clock is 0\.060 s away from the lab's"):
        check_clock(opening(), not_before_s=earlier_s, not_after_s=later_s, boot_id=lambda: "b")
