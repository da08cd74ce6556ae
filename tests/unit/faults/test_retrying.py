"""How often an edge has repeated requests: counted by keys, so that what is missing hides nothing."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest

from serverlab.cli.context import CHECKOUT
from serverlab.faults import FAULTS, nginx, postgres, retrying
from serverlab.faults.fault import NotEffective, NotUndone
from serverlab.faults.retrying import SENT, told_of


@pytest.fixture
def measured():
    return {}


@pytest.fixture
def scene(measured):
    return SimpleNamespace(measure=measured.update)


def test_entries_that_are_missing_do_not_hide_those_that_are_there_twice(scene, measured):
    said = told_of(scene, {"on": [1, 2, 0], "off": [3, 1, 0]}, [200, 201, 502, 201, 0, 201], writes_too=True)
    assert said == (
        "1 are there more than once with a key, 1 without; 2 are missing, the senders of 2 were not told"
    )
    assert measured == {
        "duplicates_with_key": 1,
        "duplicates_without_key": 1,
        "entries_missing": 2,
        "entries_untold": 2,
    }


@pytest.mark.parametrize("without_key", [[1, 1, 1], [0, 0, 1]])
def test_an_edge_that_repeats_nothing_makes_it_void(scene, without_key):
    with pytest.raises(NotEffective, match="the edge repeated nothing: no entry is there twice"):
        told_of(scene, {"on": [1, 1, 1], "off": without_key}, [201] * 6, writes_too=True)


def test_an_edge_that_repeats_no_write_leaves_senders_untold_and_writes_nothing_twice(scene, measured):
    told_of(scene, {"on": [1, 1], "off": [1, 1]}, [201, 502, 502, 201], writes_too=False)
    assert measured == {
        "duplicates_with_key": 0,
        "duplicates_without_key": 0,
        "entries_missing": 0,
        "entries_untold": 2,
    }


def test_where_every_sender_was_told_no_answer_was_lost(scene):
    with pytest.raises(NotEffective, match="every sender of an entry was told of it"):
        told_of(scene, {"on": [1, 1], "off": [1, 1]}, [201] * 4, writes_too=False)


@pytest.fixture
def removed(monkeypatch):
    """The keys of entries that were removed; the edge keeps its workers whatever it is told."""
    removed = []

    def keeps(_edge):
        raise NotUndone("nginx has other workers: not seen within 10 s")

    proxy = SimpleNamespace(traffic=lambda: SimpleNamespace(touched=0), harmed=lambda _: nullcontext())
    monkeypatch.setattr(retrying, "proxy_of", lambda *_: proxy)
    monkeypatch.setattr(retrying, "_sent", lambda *_: [201, 502])
    monkeypatch.setattr(nginx, "container_of", lambda _scene: None)
    monkeypatch.setattr(nginx, "rewritten", lambda *_: nullcontext())
    monkeypatch.setattr(nginx, "reload", lambda _edge: "reloaded")
    monkeypatch.setattr(nginx, "put_back", keeps)
    monkeypatch.setattr(postgres, "remove_entries", lambda _scene, keys: removed.extend(keys))
    return removed


def test_its_entries_are_removed_although_the_edge_keeps_its_workers(removed):
    scene = SimpleNamespace(engine=None, settings=None, acted=lambda: None)
    with pytest.raises(NotUndone, match="nginx has other workers"), FAULTS["F-42"].inject(scene):
        pass
    assert len(set(removed)) == 2 * SENT


def test_the_act_is_the_loss_of_answers_and_not_the_reloads_around_it(removed, monkeypatch):
    done = []
    proxy = SimpleNamespace(traffic=lambda: SimpleNamespace(touched=0), harmed=lambda _: harmed(done))
    monkeypatch.setattr(retrying, "proxy_of", lambda *_: proxy)
    monkeypatch.setattr(retrying, "touched_since", lambda *_: "they touched 40 pieces")
    monkeypatch.setattr(postgres, "copies", lambda _scene, keys: [2] * len(keys))
    monkeypatch.setattr(nginx, "reload", lambda _edge: done.append("reloaded"))
    monkeypatch.setattr(nginx, "put_back", lambda _edge: done.append("put back"))
    scene = SimpleNamespace(
        engine=None,
        settings=None,
        acted=lambda: done.append("acted"),
        lifted=lambda: done.append("lifted"),
        measure=lambda **_: None,
    )
    with FAULTS["F-42"].inject(scene):
        pass
    assert done == ["reloaded", "acted", "harmed", "whole", "lifted", "put back"]
    assert len(set(removed)) == 2 * SENT


@pytest.mark.parametrize(
    ("name", "repeats"), [("F-42", "error timeout non_idempotent"), ("F-42d", "error timeout")]
)
def test_the_edge_is_told_what_to_repeat_in_both_of_its_protocols(removed, monkeypatch, name, repeats):
    changed = []
    monkeypatch.setattr(nginx, "rewritten", lambda _edge, changes: changed.append(changes) or nullcontext())
    scene = SimpleNamespace(engine=None, settings=None, acted=lambda: None)
    with pytest.raises(NotUndone), FAULTS[name].inject(scene):
        pass
    (changes,) = changed
    for protocol in ("http", "uwsgi"):
        text = (CHECKOUT / f"deploy/nginx/pass-{protocol}.conf.in").read_text(encoding="utf-8")
        for old, new in changes.items():
            text = text.replace(old, new)
        assert f"_next_upstream {repeats};" in text
        assert "_next_upstream off" not in text


@contextmanager
def harmed(done):
    done.append("harmed")
    yield
    done.append("whole")
