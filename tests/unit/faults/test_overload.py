"""A stack is asked for a multiple of what it answered; who could not send so much says nothing about it."""

from __future__ import annotations

import pytest

from serverlab.analysis.bounds import bounded
from serverlab.errors import TrialFailed
from serverlab.faults import FAULTS, flooding, memory
from serverlab.faults.fault import NotEffective
from serverlab.faults.flooding import parse_told
from serverlab.faults.processes import CutOff
from serverlab.model.faults import Happening, Judgement, Rule, Verdict
from tests.fake_app import FakeApp, serving
from tests.fake_flood import NONE, opening, output
from tests.fake_scene import FakeStack
from tests.fakes import Answer, FakeShell
from tests.unit.test_ledger import chained


class Flooded:
    """A stack of which 40 requests/s are answered; later ``sends_rps`` are sent and ``ok_rps`` answered."""

    def __init__(self, app, monkeypatch):
        self.stack, self.sends_rps, self.ok_rps, self.marks = FakeStack(app), 400, 10, []
        self.given = []
        self.stack.server.says[memory.KILLS] = lambda _: "0"
        shell = FakeShell({"docker compose": Answer(does=lambda _argv: self._bring())})
        self.scene = self.stack.scene(FAULTS["F-40c"], hold_s=10.0)
        changes = {"shell": shell, "mark": self.marks.append}
        self.scene = type(self.scene)(**{**vars(self.scene), **changes})
        self.shell = shell
        monkeypatch.setattr(flooding, "SEEN_WITHIN_S", 0.1)

    def _bring(self):
        given = self.shell.environments[-1]
        self.given.append({name: given[name] for name in given if name.startswith("LAB_FLOOD_")})
        sender = self.stack.client.add("flood")
        if given["LAB_FLOOD_PER_S"] == "0":
            sender.status = "exited"
            done = {"ended_s": 104.0, "stopped": False, **NONE, "ok": 160, "begun": 165, "due": 165}
            sender.logs = lambda **_: output(opening(0.0), done)
            return
        lines = [opening(400.0), {"at_s": 102.0, **NONE, "due": 800, "begun": 2 * self.sends_rps}]
        sender.logs = lambda **_: output(*lines)

        def stop(signal=None):
            assert signal == "SIGTERM"
            sender.status = "exited"
            sent = {"due": 4000, "begun": 10 * self.sends_rps, "ok": 10 * self.ok_rps}
            sent |= {"most_open": 900, "unavailable": 25}
            lines.append({"ended_s": 110.0, "stopped": True, **NONE, **sent})

        sender.kill = stop


@pytest.fixture
def flooded(monkeypatch):
    app = FakeApp()
    with serving(app):
        yield Flooded(app, monkeypatch)


def senders(flooded):
    return [each.name for each in flooded.stack.client.containers.things if "flood" in each.name]


def test_ten_times_what_was_answered_is_sent_and_what_is_lost_of_it_measured(flooded):
    with FAULTS["F-40c"].inject(flooded.scene) as seen:
        assert seen == "400 requests/s are sent, 10 times the 40 that were answered"
    assert [each["LAB_FLOOD_PER_S"] for each in flooded.given] == ["0", "400"]
    assert flooded.stack.measured == {
        "capacity_rps": 40.0,
        "due_rps": 400.0,
        "sent_rps": 400.0,
        "answered_rps": 10.0,
        "answered_503_rps": 2.5,
        "capacity_lost_share": 0.75,
        "most_open": 900,
        "oom_kills": 0,
        "containers_ended": 0,
        "ended_for_memory": 0,
    }
    assert (senders(flooded), FAULTS["F-40c"].left_behind(flooded.scene)) == ([], None)


def test_what_the_stack_can_do_is_found_out_before_the_act(flooded):
    before = []
    scene = type(flooded.scene)(
        **{**vars(flooded.scene), "mark": lambda what: before.append((what, len(flooded.given)))}
    )
    with FAULTS["F-40c"].inject(scene):
        pass
    assert before == [(Happening.ACTED, 1), (Happening.LIFTED, 2)]


def test_what_is_not_sent_is_no_overload(flooded):
    flooded.sends_rps = 350
    with (
        pytest.raises(NotEffective, match="400 requests/s are sent: not seen within"),
        FAULTS["F-40c"].inject(flooded.scene),
    ):
        pass
    assert senders(flooded) == []


def test_what_is_not_sent_in_the_end_is_no_overload(flooded):
    injected = FAULTS["F-40c"].inject(flooded.scene)
    injected.__enter__()
    flooded.sends_rps = 350
    with pytest.raises(NotEffective, match="350 requests/s were sent, 400 were due: at most 900 were open"):
        injected.__exit__(None, None, None)


def test_whatever_ends_the_overload_the_sender_goes(flooded):
    with pytest.raises(KeyboardInterrupt), FAULTS["F-40c"].inject(flooded.scene):
        raise KeyboardInterrupt
    assert senders(flooded) == []


def dies(server, *, for_memory):
    """The app's container ends under the overload."""
    server.end(137)
    server.container.state = {"OOMKilled": for_memory, "ExitCode": 137}


MEMORY = "the kernel had killed for want of memory in it"
ENDED = "a container of the app has ended, and nothing starts one again here"


@pytest.mark.parametrize(("for_memory", "why"), [(True, [ENDED, MEMORY]), (False, [ENDED])])
def test_a_container_that_did_not_live_through_it_is_told_and_does_not_pass(flooded, for_memory, why):
    flooded.ok_rps = 40
    with FAULTS["F-40c"].inject(flooded.scene):
        dies(flooded.stack.server, for_memory=for_memory)
    measured = flooded.stack.measured
    told = {name: measured[name] for name in ("oom_kills", "containers_ended", "ended_for_memory")}
    assert told == {"oom_kills": for_memory, "containers_ended": 1, "ended_for_memory": for_memory}
    (note,) = flooded.stack.notes
    assert note.startswith("serverlab-app-1 ended with 137")
    assert ("for want of memory" in note) is for_memory
    found = bounded(Judgement(verdict=Verdict.PASS, reason=""), measured, FAULTS["F-40c"].rule)
    assert (found.verdict, found.reason) == (Verdict.FAIL, "; ".join(why))


def test_a_worker_that_the_kernel_killed_and_somebody_replaced_is_counted_and_passes(flooded):
    flooded.ok_rps = 40
    flooded.stack.server.says[memory.KILLS] = lambda _: "3"
    with FAULTS["F-40c"].inject(flooded.scene):
        pass
    measured = flooded.stack.measured
    assert (measured["oom_kills"], measured["containers_ended"]) == (3, 0)
    found = bounded(Judgement(verdict=Verdict.PASS, reason=""), measured, FAULTS["F-40c"].rule)
    assert found.verdict is Verdict.PASS


def test_who_counts_the_kills_may_be_killed_as_well(flooded, monkeypatch):
    def killed(container, script, *arguments):
        raise CutOff("a script ended with 137")

    monkeypatch.setattr(memory, "run", killed)
    with FAULTS["F-40c"].inject(flooded.scene):
        pass
    assert "oom_kills" not in flooded.stack.measured
    assert flooded.stack.measured["containers_ended"] == 0


def test_the_same_is_asked_at_every_overload():
    asked = [FAULTS[name].rule for name in ("F-40", "F-40b", "F-40c", "F-43")]
    most = {"capacity_lost_share": 0.6, "containers_ended": 0, "ended_for_memory": 0}
    said = {"containers_ended": ENDED, "ended_for_memory": MEMORY}
    assert asked == [Rule(measured_at_most=most, said=said)] * 4


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (chained(opening(1.0) | {"flood": 1}), "speaks format 1"),
        (chained(opening(1.0), {"other": 1}), "line 2"),
        (chained(opening(1.0), NONE), "has no time"),
        ([chained(opening(1.0))[0][:-8]], "line 1: it is cut short"),
    ],
)
def test_what_a_sender_told_is_taken_only_if_it_is_whole(told, why):
    with pytest.raises(TrialFailed, match=why):
        parse_told(told)


def test_what_was_told_twice_a_second_is_kept_in_its_order():
    counted = [{"at_s": 100.5, **NONE, "ok": 5}, {"at_s": 101.0, **NONE, "ok": 9}]
    told = parse_told(chained(opening(1.0), *counted, {"ended_s": 101.2, "stopped": True, **NONE, "ok": 11}))
    assert [(each.at_s, each.ok) for each in told.course] == [(100.5, 5), (101.0, 9)]
    assert (told.ended, told.counts.ok, round(told.seconds, 3)) == (True, 11, 1.2)


@pytest.mark.parametrize("told", [[], chained(opening(1.0))])
def test_before_anything_is_counted_there_is_nothing_to_tell(told):
    assert parse_told(told) is None
