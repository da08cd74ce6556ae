"""Slow clients are started, counted, told off and gone, whatever happens meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.errors import TrialFailed
from serverlab.faults import FAULTS, clients, slow
from serverlab.faults.fault import NotEffective, NotUndone
from serverlab.model.faults import Happening
from serverlab.runner.breaking import why_not
from tests.fake_slow import HELD, OPENING, ROWS, SETTLED, Stage, ended, row


@pytest.fixture(scope="module")
def catalog():
    return load_catalog(CHECKOUT)


@pytest.fixture(autouse=True)
def _nobody_waits_long(monkeypatch):
    monkeypatch.setattr(slow, "STARTED_WITHIN_S", 0.05)
    monkeypatch.setattr(slow, "PAUSE_S", 0.001)
    monkeypatch.setattr(clients, "STOPPED_WITHIN_S", 0.05)
    monkeypatch.setattr(clients, "PAUSE_S", 0.001)


@pytest.fixture
def stage(catalog):
    return Stage(catalog, "S-01")


def test_clients_are_held_counted_and_gone(stage):
    stage.brings = lambda: stage.client_that_tells(*SETTLED, then=ended(*ROWS))
    with replace(stage.fault, connections=3).inject(stage.scene) as seen:
        assert seen == "3 connections held, 0 not taken, 0 closed by the server"
        assert stage.services() == ["serverlab-app-1", "serverlab-slow-1"]
    assert stage.services() == ["serverlab-app-1"]
    assert stage.fault.left_behind(stage.scene) is None
    assert stage.measured == {
        "memory_before_mib": 47.7,
        "memory_mib": 47.7,
        "connections": 3,
        "established": 3,
        "held_at_injection": 3,
        "held_to_the_end": 1,
        "never_taken": 0,
        "refused": 0,
        "closed_by_server": 2,
        "answers_to_slow": 1,
        "first_closed_after_s": 4.0,
        "last_closed_after_s": 15.0,
        "closed_without_answer": 1,
        "closed_with_408": 1,
    }


def test_behind_an_edge_its_memory_is_told_beside_that_of_the_app(catalog):
    stage = Stage(catalog, "S-01", "gunicorn:sync+nginx")
    stage.brings = lambda: stage.client_that_tells(*SETTLED, then=ended(*ROWS))
    stage.edge.memory = 8 << 20
    with replace(stage.fault, connections=3).inject(stage.scene):
        stage.edge.memory = 24 << 20
    told = {name: value for name, value in stage.measured.items() if "memory" in name}
    assert told == {
        "memory_before_mib": 47.7,
        "memory_mib": 47.7,
        "edge_memory_before_mib": 8.0,
        "edge_memory_mib": 24.0,
    }


def test_the_act_begins_before_they_are_started_and_is_over_when_they_have_let_go(stage):
    marks = []
    stage.brings = lambda: stage.client_that_tells(*SETTLED, then=ended(*ROWS))
    scene = replace(
        stage.scene,
        mark=lambda what: marks.append((what, len(stage.services()), "closed_by_server" in stage.measured)),
    )
    with replace(stage.fault, connections=3).inject(scene):
        pass
    assert marks == [(Happening.ACTED, 1, False), (Happening.LIFTED, 2, False)]


def test_they_are_told_what_to_do_and_end_by_themselves(stage):
    stage.brings = lambda: stage.client_that_tells(*SETTLED, then=ended(*ROWS))
    with replace(stage.fault, connections=3).inject(stage.scene):
        pass
    (call,), (environment,) = stage.shell.calls, stage.shell.environments
    assert call.endswith(
        "--file /lab/compose/slow.yml up --detach --no-build --pull never --no-deps --no-recreate slow"
    )
    assert {name: value for name, value in environment.items() if "SLOW" in name} == {
        "LAB_SLOW_URL": "http://app:8000",
        "LAB_SLOW_PATH": "/healthz",
        "LAB_SLOW_KIND": "header",
        "LAB_SLOW_CONNECTIONS": "3",
        "LAB_SLOW_PER_S": "100",
        "LAB_SLOW_PACE_S": "2",
        "LAB_SLOW_DURATION_S": "50",
        "LAB_SLOW_CLIENTS": "1",
    }


def test_clients_are_gone_when_the_user_interrupts(stage):
    stage.brings = lambda: stage.client_that_tells(*SETTLED)
    with pytest.raises(KeyboardInterrupt), replace(stage.fault, connections=3).inject(stage.scene):
        raise KeyboardInterrupt
    assert stage.services() == ["serverlab-app-1"]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ((OPENING,), "all connections are tried: not seen"),
        ((OPENING, HELD), "all connections are tried: not seen"),
        ((OPENING, *[HELD | {"held": 2}] * 2), "all connections are tried: not seen"),
        ((OPENING, *[HELD | {"held": 0, "ended": 3}] * 2), "no connection is held: 0 wait, 3 have ended"),
        ((OPENING, *[HELD | {"held": 0, "waiting": 3}] * 2), "no connection is held: 3 wait, 0 have ended"),
    ],
)
def test_connections_that_are_not_tried_or_not_held_are_no_fault(stage, told, why):
    stage.brings = lambda: stage.client_that_tells(*told)
    with pytest.raises(NotEffective, match=why), replace(stage.fault, connections=3).inject(stage.scene):
        pytest.fail("it was confirmed")
    assert stage.services() == ["serverlab-app-1"]


def test_a_server_that_closes_what_it_has_answered_lets_nobody_hoard(catalog):
    stage = Stage(catalog, "S-07")
    rows = [row(number, "eof", status=200, answers=1) for number in range(3)]
    told = (OPENING, *[HELD | {"held": 0, "ended": 3}] * 2)
    stage.brings = lambda: stage.client_that_tells(*told, then=ended(*rows))
    with replace(stage.fault, connections=3).inject(stage.scene) as seen:
        assert seen == "0 connections held, 0 not taken, 3 closed by the server"
    assert (stage.measured["closed_with_200"], stage.measured["held_to_the_end"]) == (3, 0)


def test_clients_that_ended_too_early_attacked_nobody(stage):
    stage.brings = lambda: stage.client_that_tells(*SETTLED, then=ended(*ROWS, stopped=False))
    with (
        pytest.raises(NotEffective, match="serverlab-slow-1 ended before it was told to"),
        replace(stage.fault, connections=3).inject(stage.scene),
    ):
        pass


def test_clients_that_do_not_let_go_are_not_undone_but_removed(stage):
    stage.brings = lambda: stage.client_that_tells(*SETTLED, obeys=False)
    with (
        pytest.raises(NotUndone, match="the slow clients have ended: not seen"),
        replace(stage.fault, connections=3).inject(stage.scene),
    ):
        assert stage.fault.left_behind(stage.scene) == "serverlab-slow-1: still holding connections"
    assert stage.services() == ["serverlab-app-1"]


def test_a_client_that_does_not_begin_is_told_with_its_last_words(stage):
    def bring():
        container = stage.client.add("slow", status="exited")
        container.logs = lambda **options: b"slow: LAB_SLOW_KIND=x\n" if options["stderr"] else b""

    stage.brings = bring
    with (
        pytest.raises(TrialFailed, match="serverlab-slow-1 ended before it began: slow: LAB_SLOW_KIND=x"),
        stage.fault.inject(stage.scene),
    ):
        pass


def test_a_fault_of_several_clients_needs_all_of_them(catalog):
    stage = Stage(catalog, "S-05", "gunicorn:sync+nginx")
    stage.brings = lambda: stage.client_that_tells(*SETTLED)
    with (
        pytest.raises(TrialFailed, match="1 slow clients were started, 3 were wanted"),
        stage.fault.inject(stage.scene),
    ):
        pass
    assert stage.services() == ["serverlab-app-1", "serverlab-edge-1"]


@pytest.mark.parametrize("before", [[], ["[crit] pwritev() failed (28: No space left on device)"]])
def test_answers_that_the_edge_has_no_room_for_hold_nobody(catalog, before):
    stage = Stage(catalog, "S-04", "gunicorn:sync+nginx")
    stage.edge.logged = before
    stage.brings = lambda: stage.client_that_tells(*SETTLED, then=ended(*ROWS))
    said = "[crit] 20#20: *6 pwritev() /tmp/nginx/proxy/1 failed (28: No space left on device)"
    with (
        pytest.raises(NotEffective, match="the edge gave up 2 answers: No space left on device in its log"),
        replace(stage.fault, connections=3).inject(stage.scene),
    ):
        stage.edge.logged = [*before, said, "[notice] signal", said]
    assert stage.services() == ["serverlab-app-1", "serverlab-edge-1"]


def test_what_the_edge_had_no_room_for_before_is_not_held_against_the_clients(catalog):
    stage = Stage(catalog, "S-04", "gunicorn:sync+nginx")
    stage.edge.logged = ["[crit] pwritev() failed (28: No space left on device)"]
    stage.brings = lambda: stage.client_that_tells(*SETTLED, then=ended(*ROWS))
    with replace(stage.fault, connections=3).inject(stage.scene) as seen:
        assert seen == "3 connections held, 0 not taken, 0 closed by the server"


def test_several_clients_are_counted_together(catalog):
    stage = Stage(catalog, "S-06", "gunicorn:sync+nginx")

    def bring():
        for _ in range(3):
            stage.client_that_tells(*SETTLED, then=ended(*ROWS))

    stage.brings = bring
    with replace(stage.fault, connections=3).inject(stage.scene) as seen:
        assert seen == "9 connections held, 0 not taken, 0 closed by the server"
    assert (stage.measured["connections"], stage.measured["closed_with_408"]) == (9, 3)


def test_no_hold_is_longer_than_the_clients_are_bounded(stage):
    longer = replace(stage.scene, hold_s=91.0)
    with (
        pytest.raises(TrialFailed, match="slow clients hold for 90 s at most, 91 are asked for"),
        stage.fault.inject(longer),
    ):
        pass


@pytest.mark.parametrize(
    ("fault", "target", "reason"),
    [
        ("S-01", "runserver", None),
        ("S-05", "gunicorn:sync", "there is no edge in front of it"),
        ("S-06", "gunicorn:sync+nginx", None),
        ("S-04r", "gunicorn:sync", "lacks the capability static"),
        ("S-04r", "apache:daemon", None),
        ("S-04r", "gunicorn:sync+nginx", None),
    ],
)
def test_a_fault_says_where_it_has_no_meaning(catalog, fault, target, reason):
    assert why_not(catalog, catalog.target(target), FAULTS[fault], cpus=1) == reason


def test_an_edge_has_little_room_where_that_is_wanted(catalog):
    roomy, narrow = (Stage(catalog, name, "gunicorn:sync+nginx").scene.settings for name in ("S-01", "S-05"))
    assert "LAB_EDGE_CONNECTIONS" not in roomy.variables()
    assert narrow.variables()["LAB_EDGE_CONNECTIONS"] == "512"


def test_no_attack_is_larger_or_longer_than_it_may_be():
    slow = {each.id: each for each in FAULTS.values() if each.id.startswith("S-")}
    sizes = {name: each.connections * getattr(each, "clients", 1) for name, each in slow.items()}
    assert {name for name, size in sizes.items() if size > 200} == {"S-05", "S-06"}
    assert max(sizes.values()) == 600
    assert max(each.hold_s for each in slow.values()) + clients.SPARE_S <= 120
