"""tests/calibration: what each request is answered as planted, without containers."""

import importlib.util
import socket
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from serverlab.catalog import load_catalog

ROOT = Path(__file__).resolve().parents[2] / "calibration"
CATALOG = load_catalog(ROOT)
VARIANTS = CATALOG.servers["calibration"].variants


@pytest.fixture(scope="module")
def planted():
    """The module of the calibration server."""
    spec = importlib.util.spec_from_file_location("planted", ROOT / "deploy/calibration/planted.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["planted"] = module  # where its dataclass looks for its own types
    spec.loader.exec_module(module)
    yield module
    del sys.modules["planted"]


@pytest.fixture
def pair():
    """Both ends of a connection; reading never waits."""
    server, client = socket.socketpair()
    client.setblocking(False)
    with server, client:
        yield server, client


def answers(planted, pair, truths, *, requests):
    """The status lines and Nones (no answer) that so many requests get, and how often each."""
    server, client = pair
    truth = planted.Truth(planted.Planted.read(truths), first=True)
    found = Counter()
    for _ in range(requests):
        kept = truth.answer(server)
        found[client.recv(4096).split(b"\r\n")[0].decode() if kept else None] += 1
    return found


def test_the_definition_has_no_mistake():
    assert CATALOG.mistakes == ()


@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_variant_plants_what_the_server_knows(planted, name):
    text = VARIANTS[name].environment.get("LAB_PLANTED", "")
    stated = planted.Planted.read(text)
    assert all(getattr(stated, key) for key in (pair.split("=")[0] for pair in text.split()))


@pytest.mark.parametrize("text", ["nothing=1", "service_ms=soon", "service_ms"])
def test_what_the_server_does_not_know_cannot_be_planted(planted, text):
    with pytest.raises((TypeError, ValueError, KeyError)):
        planted.Planted.read(text)


def test_nothing_planted_is_a_right_answer(planted, pair):
    assert answers(planted, pair, "", requests=3) == {"HTTP/1.1 200 OK": 3}


def test_of_a_thousand_requests_five_percent_fail_and_three_are_dropped(planted, pair):
    assert answers(planted, pair, "fail=5 drop=3", requests=1000) == {
        "HTTP/1.1 500 Internal Server Error": 50,
        None: 30,
        "HTTP/1.1 200 OK": 920,
    }


def test_of_a_thousand_requests_seven_percent_get_nothing_until_the_client_has_gone(planted, pair):
    _, client = pair
    client.shutdown(socket.SHUT_WR)
    assert answers(planted, pair, "hang=7", requests=1000) == {None: 70, "HTTP/1.1 200 OK": 930}


def test_who_hangs_is_kept_as_long_as_the_client_stays(planted, pair):
    server, client = pair
    server.settimeout(0.01)
    truth = planted.Truth(planted.Planted.read("hang=100"), first=True)
    assert [truth.answer(server) for _ in range(8)] == [True] * 8
    with pytest.raises(TimeoutError):
        truth.answer(server)
    assert len(client.recv(4096).split(b"HTTP/1.1 200 OK")) == 9


def test_the_first_request_which_the_lab_looks_at_is_answered_rightly(planted, pair):
    assert answers(planted, pair, "fail=5 drop=3", requests=1) == {"HTTP/1.1 200 OK": 1}


def test_what_is_computed_is_cpu_time_of_the_thread(planted):
    before = time.thread_time()
    planted.burn(0.02)
    assert 0.02 <= time.thread_time() - before < 0.03


def test_what_leaks_is_kept_and_written_to(planted, pair):
    planted.HELD.clear()
    answers(planted, pair, "leak_kib=64", requests=3)
    assert planted.HELD == [b"x" * 65536] * 3
    planted.HELD.clear()


def written(planted, truths, *, writes):
    """What the app was asked to make, and what was answered."""
    made, plan = [], planted.Writes(planted.Planted.read(truths))

    def make(key):
        return lambda query: made.append(key + query) or b"the app's answer"

    answered = [plan.answer(b'{"key": "%d"}' % number, make(str(number))) for number in range(1, writes + 1)]
    return made, answered


def test_without_a_mistake_each_write_is_made_once(planted):
    assert written(planted, "", writes=3) == (["1", "2", "3"], [b"the app's answer"] * 3)


def test_every_nth_write_is_acknowledged_and_never_made(planted):
    made, answered = written(planted, "lose_nth=3", writes=7)
    assert made == ["1", "2", "4", "5", "7"]
    assert [each.startswith(b"HTTP/1.1 201 ") for each in answered] == [False, False, True] * 2 + [False]
    assert answered[2].endswith(b'\r\n\r\n{"key": "3"}')


def test_every_nth_write_is_made_twice_past_its_guard(planted):
    made, answered = written(planted, "double_nth=2", writes=3)
    assert made == ["1", "2?key=off", "2?key=off", "3"]
    assert answered == [b"the app's answer"] * 3


def test_an_early_acknowledgement_comes_before_the_write(planted, monkeypatch):
    later = []
    monkeypatch.setattr(planted, "_later", lambda delay_s, make, query: later.append((delay_s, make, query)))
    made, answered = written(planted, "early_ms=250", writes=1)
    assert (made, answered[0].startswith(b"HTTP/1.1 201 ")) == ([], True)
    ((delay_s, make, query),) = later
    make(query)
    assert (delay_s, made) == (0.25, ["1"])
