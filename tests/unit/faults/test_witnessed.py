"""slowhttptest is started beside a stack, ended and gone, and what it has seen is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.faults import witnessed as module
from serverlab.faults.fault import NotEffective
from serverlab.model.faults import Happening
from tests.fake_slow import FakeWitness, Stage


@pytest.fixture(scope="module")
def catalog():
    return load_catalog(CHECKOUT)


@pytest.fixture(autouse=True)
def _nobody_waits_long(monkeypatch):
    monkeypatch.setattr(module, "STARTED_WITHIN_S", 0.05)
    monkeypatch.setattr(module, "PAUSE_S", 0.001)
    monkeypatch.setattr(module, "STOPPED_WITHIN_S", 0.05)
    monkeypatch.setattr(module, "PAUSE_S", 0.001)


def witnessed(catalog, name, target="gunicorn:gthread", **options):
    stage = Stage(catalog, "S-01w", target)
    found = []
    stage.brings = lambda: found.append(FakeWitness(stage.client.add("witness"), name, **options))
    return stage, found


def test_the_witness_is_ended_and_its_word_is_kept(catalog):
    stage, found = witnessed(catalog, "cancelled")
    with stage.fault.inject(stage.scene) as seen:
        assert seen == "7 connections held, 33 not taken, 0 closed by the server"
        assert stage.fault.left_behind(stage.scene) == "serverlab-witness-1: still holding connections"
    assert found[0].signals == [["SIGINT", "20"]]
    assert "'-H' '-u' 'http://app:8000/healthz' '-c' '40'" in found[0].words[0]
    assert stage.notes == ["slowhttptest: service not available in 1 of 1 second; Cancelled by user"]
    assert stage.measured == {
        "connections": 40,
        "held_to_the_end": 7,
        "never_taken": 33,
        "closed_by_server": 0,
        "witness_seconds": 1,
        "witness_unavailable_share": 1.0,
    }
    assert stage.services() == ["serverlab-app-1"]


def test_the_act_is_what_slowhttptest_does_and_not_its_container(catalog):
    stage, found = witnessed(catalog, "cancelled")
    marks = []
    scene = replace(
        stage.scene,
        mark=lambda what: marks.append(
            (what, len(found[0].words), len(found[0].signals), bool(stage.measured))
        ),
    )
    with stage.fault.inject(scene):
        pass
    assert marks == [(Happening.ACTED, 0, 0, False), (Happening.LIFTED, 1, 1, False)]


def test_answers_that_the_edge_has_no_room_for_hold_nobody(catalog):
    stage, _ = witnessed(catalog, "cancelled", "gunicorn:gthread+nginx")
    with (
        pytest.raises(NotEffective, match="the edge gave up 1 answer: No space left on device in its log"),
        stage.fault.inject(stage.scene),
    ):
        stage.edge.logged = ["[crit] 20#20: *6 pwritev() failed (28: No space left on device)"]
    assert stage.services() == ["serverlab-app-1", "serverlab-edge-1"]


def test_a_witness_that_ended_before_it_was_told_to_attacked_nobody(catalog):
    stage, _ = witnessed(catalog, "served", runs=False)
    with (
        pytest.raises(NotEffective, match="ended before it was told to: Hit test time limit"),
        stage.fault.inject(stage.scene),
    ):
        pass
    assert stage.services() == ["serverlab-app-1"]


def test_a_witness_may_end_when_the_server_has_closed_all_its_connections(catalog):
    stage, found = witnessed(catalog, "served", runs=False, end="Exit status: No open connections left\n")
    with stage.fault.inject(stage.scene):
        pass
    assert found[0].signals == []
    assert stage.notes == ["slowhttptest: service not available in 0 of 6 seconds; No open connections left"]


def test_a_witness_that_finds_nobody_is_no_fault(catalog):
    stage, _ = witnessed(catalog, "refused")
    with (
        pytest.raises(NotEffective, match="slowhttptest has tried its connections: not seen"),
        stage.fault.inject(stage.scene),
    ):
        pass
    assert stage.services() == ["serverlab-app-1"]
