"""What could not be answered in time is refused at the edge, for as long as the overload lasts."""

from __future__ import annotations

import importlib.util
import json
from contextlib import contextmanager
from dataclasses import replace

import pytest

from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.faults import FAULTS, flooding, memory, nginx, shedding
from serverlab.faults.fault import NotEffective, NotUndone
from serverlab.runner.breaking import why_not
from tests.fake_app import FakeApp, serving
from tests.fake_processes import FakeServer
from tests.fake_scene import FakeStack

FAULT = FAULTS["F-43"]
TARGET = "gunicorn:gthread+nginx"


class FakeSender:
    """40 requests/s are answered in turn; of 200 that are sent later, 36, and ``unavailable_rps`` get 503."""

    unavailable_rps = 160

    def __init__(self, per_s):
        self.per_s = per_s

    def last(self):
        return self._told(200 if self.per_s else 40, seconds=2)

    def stop(self):
        return self._told(200, seconds=10)

    def ended(self, *, within_s):
        assert within_s > 4
        return flooding.Told(4.0, self._counts(begun=165, ok=160), ended=True)

    def _told(self, sent_rps, *, seconds):
        unavailable = self.unavailable_rps * seconds
        counts = self._counts(begun=sent_rps * seconds, ok=36 * seconds, unavailable=unavailable)
        return flooding.Told(float(seconds), counts, ended=False)

    def _counts(self, **counted):
        return flooding.Counts(**({"due": 0, "taken": 0, "refused": 0, "most_open": 80} | counted))


class Stage:
    """A stack behind an edge that says what was written into its configuration, and when it was told of it."""

    def __init__(self, app, monkeypatch):
        self.stack, self.done = FakeStack(app), []
        self.stack.server.says[memory.KILLS] = lambda _: "0"
        self.edge = FakeServer(
            self.stack.client.add("edge"),
            rows=[
                [7, 1, "S", 20, "nginx: master process nginx"],
                [8, 7, "S", 30, "nginx: worker process"],
            ],
            says={
                nginx.REWRITE: lambda given: self.done.append(json.loads(given[1])) or "",
                nginx.RESTORE: lambda _: self.done.append("restored") or "",
            },
        )
        self.edge.does["SIGHUP 7"] = self._reload
        self.scene = replace(self.stack.scene(FAULT, TARGET), mark=lambda what: self.done.append(what.value))
        monkeypatch.setattr(flooding, "started", self._started)

    def _reload(self):
        self.done.append("reloaded")
        worker = self.edge.rows[-1][0]
        self.edge.replace(worker, worker + 1)

    @contextmanager
    def _started(self, _scene, wanted):
        self.done.append(f"sends {wanted.per_s:g}")
        yield FakeSender(wanted.per_s)


@pytest.fixture
def stage(monkeypatch):
    app = FakeApp()
    with serving(app):
        yield Stage(app, monkeypatch)


def test_the_limit_is_what_is_answered_in_a_second_and_is_gone_afterwards(stage):
    with FAULT.inject(stage.scene) as seen:
        assert seen == (
            "200 requests/s are sent, 5 times the 40 that were answered; the edge lets 40 at once to the app"
        )
    sends, written, *rest = stage.done
    assert (sends, written) == ("sends 0", shedding._limited(40))
    assert rest == ["reloaded", "acted", "sends 200", "lifted", "restored", "reloaded"]
    assert stage.stack.measured == {
        "let_in_at_once": 40,
        "capacity_rps": 40.0,
        "due_rps": 200.0,
        "sent_rps": 200.0,
        "answered_rps": 36.0,
        "answered_503_rps": 160.0,
        "capacity_lost_share": 0.1,
        "most_open": 80,
        "oom_kills": 0,
        "containers_ended": 0,
        "ended_for_memory": 0,
    }


def test_an_edge_that_sheds_nothing_makes_it_void(stage, monkeypatch):
    monkeypatch.setattr(FakeSender, "unavailable_rps", 0)
    with pytest.raises(NotEffective, match="the edge shed nothing"), FAULT.inject(stage.scene):
        pass
    assert stage.done[-2:] == ["restored", "reloaded"]


def test_an_edge_that_keeps_its_limit_is_not_undone(stage, monkeypatch):
    monkeypatch.setattr(nginx, "RELOADED_WITHIN_S", 0.05)
    injected = FAULT.inject(stage.scene)
    injected.__enter__()
    stage.edge.does["SIGHUP 7"] = lambda: None
    with pytest.raises(NotUndone, match="nginx has other workers: not seen"):
        injected.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("target", "reason"), [("gunicorn:gthread", "there is no edge in front of it"), (TARGET, None)]
)
def test_only_an_edge_can_shed(target, reason):
    catalog = load_catalog(CHECKOUT)
    assert why_not(catalog, catalog.target(target), FAULT, cpus=1) == reason


@pytest.mark.parametrize("upstream", ["http", "uwsgi"])
def test_what_is_rewritten_is_there_once_in_every_configuration_of_the_edge(upstream):
    spec = importlib.util.spec_from_file_location("nginx_start", CHECKOUT / "deploy" / "nginx" / "start.py")
    start = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(start)
    text = start.rendered({"LAB_UPSTREAM": upstream})
    assert [text.count(each) for each in shedding._limited(40)] == [1, 1]


def test_the_rule_is_that_of_the_overload_without_it():
    assert (FAULT.rule, FAULT.factor, FAULT.hold_s) == (
        FAULTS["F-40b"].rule,
        FAULTS["F-40b"].factor,
        FAULTS["F-40b"].hold_s,
    )
