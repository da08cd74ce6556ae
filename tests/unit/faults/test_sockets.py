"""Idle WebSockets: what goes wrong while they are open is none of their own, and they are closed whatever it is."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
import requests

from serverlab.compose import StackDied
from serverlab.faults import FAULTS, nginx, sockets
from serverlab.faults.fault import NotEffective

RELOADED = replace(FAULTS["F-63b"], sockets=3)


class Feed:
    """What sockets are opened to; it takes ``most`` of them, and counts those that are open."""

    def __init__(self):
        self.most, self.open = 3, 0

    @contextmanager
    def opened(self, _url):
        if self.open == self.most:
            raise ConnectionRefusedError("full")
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


@pytest.fixture
def feed(monkeypatch):
    feed = Feed()
    monkeypatch.setattr(sockets, "_opened", feed.opened)
    monkeypatch.setattr(nginx, "container_of", lambda _scene: None)
    monkeypatch.setattr(nginx, "reload", lambda _edge, *, told: told() or "reloaded")
    return feed


@pytest.fixture
def scene():
    return SimpleNamespace(url="http://stack.test", acted=lambda: None, lifted=lambda: None)


def test_what_goes_wrong_while_sockets_are_open_is_told_as_it_is(feed, scene):
    def broken_off():
        with RELOADED.inject(scene):
            assert feed.open == 3
            raise OSError("the engine is gone")

    with pytest.raises(OSError, match="the engine is gone"):
        broken_off()
    assert feed.open == 0


def test_sockets_that_cannot_all_be_opened_make_it_void(feed, scene):
    feed.most = 2
    refused = pytest.raises(NotEffective, match="3 sockets could not be opened: ConnectionRefusedError")
    with refused, RELOADED.inject(scene):
        pass
    assert feed.open == 0


@pytest.fixture
def opens(feed, monkeypatch):
    """Says what asking for the stack's address brings, again and again until a socket is opened."""
    monkeypatch.setattr(sockets, "BACK_S", 0.05)
    answers = []

    def front(_engine, _settings):
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(sockets, "front_url", front)
    return answers


@pytest.fixture
def noting(scene):
    scene.engine = scene.settings = None
    scene.notes = []
    scene.note = scene.notes.append
    return scene


def test_an_engine_that_does_not_answer_is_no_socket_that_could_not_be_opened(opens, noting):
    opens.append(requests.exceptions.ConnectionError("no engine"))
    with pytest.raises(requests.exceptions.ConnectionError, match="no engine"):
        sockets._until_one_opens(noting, since=0)


def test_a_server_that_has_ended_lets_nobody_open_a_socket(opens, noting):
    opens.append(StackDied("container app publishes no port 8000"))
    assert sockets._until_one_opens(noting, since=time.monotonic()) >= 0.05
    (note,) = noting.notes
    assert "a socket is opened again: not seen within" in note


def test_a_server_that_takes_a_socket_again_is_back(opens, noting):
    opens.extend([StackDied("container app publishes no port 8000"), "http://stack.test:2"])
    assert sockets._until_one_opens(noting, since=time.monotonic()) < 5
    assert noting.notes == []


def test_how_long_nobody_could_connect_again_counts_from_when_the_server_was_told_to_start(
    opens, noting, monkeypatch
):
    opens.append("http://stack.test:2")
    now, measured = [0.0], {}

    class App:
        def stop(self, *, timeout):
            now[0] += 2

    def ready(_scene):
        now[0] += 7

    noting.measure = measured.update
    monkeypatch.setattr(sockets, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(sockets, "app_containers", lambda _: [App()])
    monkeypatch.setattr(sockets, "is_running", lambda _: False)
    monkeypatch.setattr(sockets, "_lost", len)
    monkeypatch.setattr(sockets.returning, "start", lambda *_: None)
    monkeypatch.setattr(sockets.returning, "await_ready", ready)
    with replace(FAULTS["F-63"], sockets=2).inject(noting) as seen:
        assert seen == "the server ended after 2.0 s, and 2 of 2 sockets with it"
        now[0] += 10
    assert measured == {
        "sockets": 2,
        "sockets_lost": 2,
        "stopped_after_s": 2.0,
        "reconnected_after_s": 7.0,
    }
