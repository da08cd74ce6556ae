"""A server is paused under a load that it could bear: whether the load's goodput returns is told in one sentence."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from serverlab.analysis.bounds import bounded
from serverlab.faults import FAULTS, fault, memory, metastable
from serverlab.faults.fault import NotEffective, NotUndone
from serverlab.model.faults import Happening, Judgement, Verdict
from tests.fake_app import FakeApp, serving
from tests.fake_flood import NONE, opening, output
from tests.fake_scene import FakeStack
from tests.fakes import Answer, FakeShell

FAULT = FAULTS["F-41"]
SENTENCE = "METASTABLE: 60 s after the trigger had ended, the load's goodput had not returned"


class Loaded:
    """A stack of which 50 requests/s are answered in turn, and of 40 that are sent later ``before_rps``.

    When its processes go on after they were stopped, ``after_rps`` are; the time until then takes none in fact.
    """

    def __init__(self, app):
        self.stack, self.given = FakeStack(app), []
        self.before_rps, self.after_rps, self.sends_rps, self.ends = 40, 40, 40, False
        shell = FakeShell({"docker compose": Answer(does=lambda _argv: self._bring())})
        self.shell, self.thawed_s = shell, None
        self.scene = replace(self.stack.scene(FAULT), shell=shell)
        self.server = self.stack.server
        self.server.says[memory.KILLS] = lambda _: "0"

    def senders(self):
        return [each.name for each in self.stack.client.containers.things if "flood" in each.name]

    def _bring(self):
        environment = self.shell.environments[-1]
        names = ("PER_S", "RETRIES", "BACKOFF_S", "RETRY_BUDGET", "DURATION_S")
        self.given.append({name: environment[f"LAB_FLOOD_{name}"] for name in names})
        sender = self.stack.client.add("flood")
        if environment["LAB_FLOOD_PER_S"] == "0":
            sender.status = "exited"
            done = {"ended_s": 104.0, "stopped": False, **NONE, "ok": 200, "begun": 205}
            sender.logs = lambda **_: output(opening(0.0), done)
            return
        began_s = time.monotonic() - 8

        def logs(**_):
            lines = [opening(40.0, began_s=began_s), *self._told(began_s)]
            if sender.status == "exited" or (self.ends and self.thawed_s):
                lines.append(
                    {"ended_s": time.monotonic() + 80, "stopped": not self.ends, **self._last(lines)}
                )
            return output(*lines)

        def stop(signal):
            assert signal == "SIGTERM"
            sender.status = "exited"

        sender.logs, sender.kill = logs, stop

    def _told(self, began_s):
        told = [self._counts(began_s, number / 2, self.before_rps * number / 2) for number in range(1, 17)]
        if self.server.signals[-1:] == ["SIGCONT 8"]:
            self.thawed_s = self.thawed_s or time.monotonic()
            since_s, before = self.thawed_s - began_s, told[-1]["ok"]
            told += [
                self._counts(began_s, since_s + number / 2, before + self.after_rps * number / 2)
                for number in range(1, 150)
            ]
        return told

    def _counts(self, began_s, after_s, ok):
        begun = round(self.sends_rps * after_s)
        return {
            "at_s": began_s + after_s,
            **NONE,
            "due": begun,
            "begun": begun,
            "ok": round(ok),
            "retried": round(120 * after_s) if self.after_rps < 40 else 0,
        }

    def _last(self, lines):
        return {name: count for name, count in lines[-1].items() if name != "at_s"}


@pytest.fixture
def loaded(monkeypatch):
    monkeypatch.setattr(fault, "CONFIRM_S", 0.1)
    monkeypatch.setattr(metastable, "SEEN_WITHIN_S", 0.1)
    monkeypatch.setattr(metastable, "WATCH_PAUSE_S", 0.001)
    app = FakeApp()
    with serving(app):
        yield Loaded(app)


def test_a_load_of_which_the_goodput_returns_is_not_metastable(loaded):
    with FAULT.inject(loaded.scene) as seen:
        assert seen == "40 requests/s are sent, 40 were answered; 2 processes are stopped"
        assert FAULT.left_behind(loaded.scene) == "process 7 is still frozen"
    assert loaded.server.signals == ["SIGSTOP 7", "SIGSTOP 8", "SIGCONT 7", "SIGCONT 8"]
    measured = loaded.stack.measured
    assert measured.pop("paused_s") < 1
    assert measured == {
        "capacity_rps": 50.0,
        "due_rps": 40.0,
        "answered_before_rps": 40.0,
        "answered_in_the_end_rps": 40.0,
        "sent_again_in_the_end_rps": 0.0,
        "retries": 0,
        "given_up": 0,
        "oom_kills": 0,
        "containers_ended": 0,
        "ended_for_memory": 0,
        "metastable": 0,
        "goodput_back_after_s": pytest.approx(0.5, abs=1.0),
    }
    assert (loaded.senders(), loaded.stack.notes, FAULT.left_behind(loaded.scene)) == ([], [], None)


def test_a_load_of_which_it_does_not_return_is_and_the_verdict_says_so(loaded):
    loaded.after_rps = 10
    with FAULT.inject(loaded.scene):
        pass
    measured = loaded.stack.measured
    told = {name: measured[name] for name in ("metastable", "answered_in_the_end_rps")}
    assert told == {"metastable": 1, "answered_in_the_end_rps": 10.0}
    assert measured["sent_again_in_the_end_rps"] == pytest.approx(120, abs=0.5)
    assert "goodput_back_after_s" not in measured
    found = bounded(Judgement(verdict=Verdict.PASS, reason=""), measured, FAULT.rule)
    assert (found.verdict, found.reason) == (Verdict.FAIL, SENTENCE)
    (note,) = loaded.stack.notes
    assert note.startswith(f"{SENTENCE}: after 7")
    assert note.endswith("s 25% of it were there")


def test_a_server_that_is_dead_is_not_called_metastable(loaded):
    loaded.after_rps = 0
    with FAULT.inject(loaded.scene):
        loaded.server.does["SIGCONT 8"] = lambda: loaded.server.end(137)
        loaded.server.container.state = {"OOMKilled": True, "ExitCode": 137}
    measured = loaded.stack.measured
    told = {name: measured[name] for name in ("oom_kills", "containers_ended", "ended_for_memory")}
    assert told == {"oom_kills": 1, "containers_ended": 1, "ended_for_memory": 1}
    assert "metastable" not in measured
    found = bounded(Judgement(verdict=Verdict.PASS, reason=""), measured, FAULT.rule)
    assert found.verdict is Verdict.FAIL
    assert found.reason == (
        "a container of the app has ended, and nothing starts one again here; "
        "the kernel had killed for want of memory in it"
    )
    (note,) = loaded.stack.notes
    assert note == "serverlab-app-1 ended with 137, the kernel had killed in it for want of memory"


def test_the_act_is_the_pause_and_it_is_lifted_when_the_load_has_gone(loaded):
    marks = []
    scene = replace(
        loaded.scene, mark=lambda what: marks.append((what, list(loaded.server.signals), len(loaded.given)))
    )
    with FAULT.inject(scene):
        pass
    (acted, before, begun), (lifted, after, _) = marks
    assert (acted, before, begun) == (Happening.ACTED, [], 2)
    assert (lifted, after[-1]) == (Happening.LIFTED, "SIGCONT 8")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("F-41", {"RETRIES": "3", "BACKOFF_S": "0", "RETRY_BUDGET": ""}),
        ("F-41b", {"RETRIES": "3", "BACKOFF_S": "1", "RETRY_BUDGET": "0.1"}),
    ],
)
def test_only_the_load_sends_again_and_as_the_fault_says(loaded, name, said):
    with FAULTS[name].inject(loaded.scene):
        pass
    never = {"RETRIES": "0", "BACKOFF_S": "0", "RETRY_BUDGET": ""}
    assert loaded.given[0] == {"PER_S": "0", "DURATION_S": "4", **never}
    assert loaded.given[1] == {"PER_S": "40", "DURATION_S": "102.2", **said}


@pytest.mark.parametrize("less", [{"before_rps": 30}, {"sends_rps": 30}])
def test_a_load_that_is_not_borne_before_the_trigger_shows_nothing(loaded, less):
    for name, value in less.items():
        setattr(loaded, name, value)
    with (
        pytest.raises(NotEffective, match="before the trigger, 40 requests/s were due"),
        FAULT.inject(loaded.scene),
    ):
        pass
    assert (loaded.server.signals, loaded.senders()) == ([], [])


def test_a_process_that_goes_on_all_the_same_makes_it_void(loaded):
    loaded.server.does["SIGSTOP 8"] = lambda: None
    with (
        pytest.raises(NotEffective, match="the server's processes are stopped: not seen"),
        FAULT.inject(loaded.scene),
    ):
        pass
    assert loaded.server.row(7)[2] == "S"


def test_a_process_that_stays_stopped_is_not_undone(loaded):
    loaded.server.does["SIGCONT 8"] = lambda: None
    with pytest.raises(NotUndone, match="the server's processes go on: not seen"), FAULT.inject(loaded.scene):
        pass
    assert loaded.senders() == []


def test_a_load_that_ends_by_itself_tells_nothing_of_its_goodput(loaded):
    loaded.ends, loaded.after_rps = True, 10
    with pytest.raises(NotEffective, match="the load ended by itself"), FAULT.inject(loaded.scene):
        pass


def test_whatever_ends_the_block_all_processes_go_on_and_the_sender_goes(loaded):
    with pytest.raises(KeyboardInterrupt), FAULT.inject(loaded.scene):
        raise KeyboardInterrupt
    assert [row[2] for row in loaded.server.rows] == ["S", "S", "S"]
    assert loaded.senders() == []
