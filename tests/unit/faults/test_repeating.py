"""A deploy is repeated while half of what a stack answered is asked of it; what is lost of that is counted."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from serverlab.faults import flooding, repeating, returning
from serverlab.faults.fault import Fault, NotEffective
from serverlab.model.faults import Happening, Rule
from serverlab.runner import cell
from tests.fake_app import FakeApp, serving
from tests.fake_flood import NONE, opening, output
from tests.fake_scene import FakeStack
from tests.fakes import Answer, FakeShell

RELOADED, ROLLED, LIGHT = repeating.FAULTS


@dataclass(frozen=True, kw_only=True)
class Deploy(Fault):
    """Notes that it was done; ``ill`` is what it measures, one number for each time."""

    ill: list[int]
    done: list[str] = field(default_factory=list)

    def stack(self):
        return {"replicas": 2}

    @contextmanager
    def inject(self, scene):
        scene.acted()
        scene.measure(replicas_ill=self.ill[len(self.done)], took_s=1.0)
        self.done.append("begun")
        scene.lifted()
        yield f"number {len(self.done)}"
        self.done[-1] = "over"

    def left_behind(self, scene):
        return "a replica is ill" if self.done == ["begun"] else None


def deploy(*, ill=(0, 0, 0)):
    return Deploy(id="D", title="", what="", ill=list(ill), rule=Rule(measured_at_most={"replicas_ill": 0}))


def repeated(each, **changes):
    return replace(ROLLED, each=each, times=3, **changes)


class Loaded:
    """A stack of which 40 requests/s are answered in turn; then ``sends_rps`` are sent, and ``failed`` are lost."""

    def __init__(self, app):
        self.stack, self.given = FakeStack(app), []
        self.stack.client.add("edge", ports={8080: app.port})
        self.sends_rps, self.failed, self.answered, self.ends = 20, 0, 160, False
        self.shell = FakeShell({"docker compose": Answer(does=lambda _argv: self._bring())})

    def scene(self, fault):
        return replace(self.stack.scene(fault, "gunicorn:gthread+nginx"), shell=self.shell)

    def senders(self):
        return [each.name for each in self.stack.client.containers.things if "flood" in each.name]

    def _bring(self):
        environment = self.shell.environments[-1]
        given = {name: environment[f"LAB_FLOOD_{name}"] for name in ("PATH", "PER_S", "USERS", "DURATION_S")}
        self.given.append(given)
        sender = self.stack.client.add("flood")
        lines = [opening(float(given["PER_S"]))]
        sender.logs = lambda **_: output(*lines)
        if given["PER_S"] == "0":
            sender.status = "exited"
            lines.append({"ended_s": 104.0, "stopped": False, **NONE, "ok": self.answered, "begun": 165})
            return
        lines.append({"at_s": 102.0, **NONE, "due": 40, "begun": 2 * self.sends_rps})

        def stop(signal):
            assert signal == "SIGTERM"
            sender.status = "exited"
            counted = {**NONE, "due": 200, "begun": 10 * self.sends_rps, "failed": self.failed}
            lines.append({"ended_s": 110.0, "stopped": not self.ends, **counted})

        sender.kill = stop


@pytest.fixture
def loaded(monkeypatch):
    monkeypatch.setattr(flooding, "SEEN_WITHIN_S", 0.1)
    app = FakeApp()
    with serving(app):
        yield Loaded(app)


def test_it_is_repeated_while_half_of_what_was_answered_is_asked(loaded):
    each = deploy()
    fault = repeated(each)
    scene = loaded.scene(fault)
    assert scene.settings.replicas == 2
    with fault.inject(scene) as seen:
        assert seen == ("3 times, the last one: number 3; 20 requests/s were asked, 40 had been answered")
        assert each.done == ["over", "over", "over"]
        assert fault.left_behind(scene) == "the sender still runs"
    asked = {"PATH": "/lab/ledger/", "USERS": "8"}
    assert loaded.given == [
        {**asked, "PER_S": "0", "DURATION_S": "4"},
        {**asked, "PER_S": "20", "DURATION_S": "240"},
    ]
    assert (loaded.senders(), fault.left_behind(scene)) == ([], None)


def test_what_was_lost_of_the_load_is_measured(loaded):
    loaded.failed = 7
    fault = repeated(deploy())
    with fault.inject(loaded.scene(fault)):
        pass
    measured = loaded.stack.measured
    assert measured.pop("slowest_s") < 5
    assert measured == {
        "times": 3,
        "replicas_ill": 0,
        "capacity_rps": 40.0,
        "load_rps": 20.0,
        "load_sent": 200,
        "load_failed": 7,
    }


def test_it_counts_from_the_first_act_to_the_end_of_the_load(loaded):
    fault, marks = repeated(deploy()), []
    scene = replace(loaded.scene(fault), mark=lambda what: marks.append((what, len(loaded.senders()))))
    with fault.inject(scene):
        pass
    assert marks == [*[(Happening.ACTED, 1), (Happening.LIFTED, 1)] * 3, (Happening.LIFTED, 1)]


def test_one_that_fails_by_itself_is_the_last(loaded):
    each = deploy(ill=(0, 1, 0))
    fault = repeated(each)
    with fault.inject(loaded.scene(fault)) as seen:
        assert seen.startswith("2 times, the last one: number 2;")
    assert (loaded.stack.measured["times"], loaded.stack.measured["replicas_ill"]) == (2, 1)


def test_a_stack_that_does_not_come_back_ends_it(loaded, monkeypatch):
    monkeypatch.setattr(returning, "await_ready", lambda _scene: False)
    each = deploy()
    fault = repeated(each)
    with fault.inject(loaded.scene(fault)):
        assert each.done == ["over"]


def test_what_takes_too_long_makes_it_void(loaded, monkeypatch):
    monkeypatch.setattr(repeating, "WITHIN_S", -1.0)
    fault = repeated(deploy())
    with (
        pytest.raises(NotEffective, match="0 of 3 could be done within -1 s"),
        fault.inject(loaded.scene(fault)),
    ):
        pass
    assert loaded.senders() == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sends_rps": 17}, "20 requests/s are sent: not seen within 0.1 s"),
        ({"answered": 0}, "/lab/ledger/ was not answered before anything was done"),
    ],
)
def test_a_load_that_cannot_be_had_makes_it_void(loaded, changes, why):
    vars(loaded).update(changes)
    each = deploy()
    fault = repeated(each)
    with pytest.raises(NotEffective, match=why), fault.inject(loaded.scene(fault)):
        pass
    assert (each.done, loaded.senders()) == ([], [])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sends_rps": 17}, "17 requests/s were sent, 20 were due"),
        ({"ends": True}, "the load ended by itself after 10 s, before all was done"),
    ],
)
def test_a_load_that_was_less_in_the_end_makes_it_void(loaded, changes, why):
    fault = repeated(deploy())
    injected = fault.inject(loaded.scene(fault))
    injected.__enter__()
    vars(loaded).update(changes)
    with pytest.raises(NotEffective, match=why):
        injected.__exit__(None, None, None)


def test_whatever_ends_it_the_load_goes(loaded):
    fault = repeated(deploy())
    with pytest.raises(KeyboardInterrupt), fault.inject(loaded.scene(fault)):
        raise KeyboardInterrupt
    assert loaded.senders() == []


def test_it_leaves_what_the_fault_leaves(loaded):
    each = deploy()
    each.done.append("begun")
    fault = repeated(each)
    assert fault.left_behind(loaded.scene(fault)) == "a replica is ill"


@pytest.mark.parametrize(
    ("fault", "target", "reason"),
    [
        (RELOADED, "gunicorn:gthread", None),
        (RELOADED, "daphne:production", "lacks the capability reload"),
        (ROLLED, "runserver+nginx", None),
        (ROLLED, "gunicorn:gthread", "there is no edge in front of it"),
    ],
)
def test_it_has_a_meaning_where_the_fault_has(loaded, fault, target, reason):
    assert fault.applicable(loaded.stack.scene(fault, target).expected) == reason


def test_nothing_may_fail_in_the_ledger_or_of_the_load():
    bounds = [
        (each.times, each.rule.failures_at_most, each.rule.measured_at_most) for each in (RELOADED, ROLLED)
    ]
    assert bounds == [(5, 0, {"load_failed": 0}), (5, 0, {"load_failed": 0, "replicas_ill": 0})]


@pytest.mark.parametrize("fault", [RELOADED, ROLLED])
def test_the_prober_goes_on_until_the_longest_load_is_over(fault):
    before_s = fault.measured_s + flooding.MARGIN_S
    assert before_s + repeating.LOAD_S < cell.INJECTION_S


def test_a_light_replacement_differs_from_the_other_in_the_weight_of_who_starts():
    assert (ROLLED.each.starting_weight, LIGHT.each.starting_weight) == (1024, 102)
    assert replace(LIGHT.each, starting_weight=1024) == ROLLED.each
    assert LIGHT.rule == ROLLED.rule
