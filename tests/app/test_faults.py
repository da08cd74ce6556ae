"""Views that go wrong, each in its own way, and only where the lab has switched them on."""

import asyncio
import importlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from django.urls import clear_url_caches

import config.urls
from lab import fault_urls, faults

APP = Path(__file__).resolve().parents[2] / "app"
PATHS = [f"/lab/{each.pattern}" for each in fault_urls.urlpatterns if "<" not in str(each.pattern)]
ASK = """
import sys, django
django.setup()
from django.test import Client
Client().get(sys.argv[1])
"""


@pytest.fixture
def without_faults(settings):
    """Addresses as they are when the lab does not switch its faults on."""
    settings.LAB_FAULTS = False
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if each != "lab.echo.echo"]
    importlib.reload(config.urls)
    clear_url_caches()
    yield
    settings.LAB_FAULTS = True
    importlib.reload(config.urls)
    clear_url_caches()


@pytest.mark.parametrize("path", [*PATHS, "/lab/ledger/0b8e0a44-6a4b-4b5e-9d0a-1f2a3b4c5d6e", "/lab/echo"])
def test_nothing_of_it_is_there_unless_switched_on(client, without_faults, path):
    for answer in (client.get(path), client.post(path)):
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
    assert client.get("/lab/identity").status_code == 200


@pytest.fixture
def slept(monkeypatch):
    """What views wait for, instead of waiting."""
    found = []
    monkeypatch.setattr(faults.time, "sleep", found.append)
    return found


def test_sleep_waits(client, slept):
    assert client.get("/lab/sleep?s=2.5").json() == {"slept_s": 2.5}
    assert client.get("/lab/sleep").json() == {"slept_s": 1.0}
    assert slept == [2.5, 1.0]


def test_spin_computes_for_that_long(client):
    began, computed = time.monotonic(), time.thread_time()
    assert client.get("/lab/spin?s=0.05").json() == {"spun_s": 0.05}
    assert time.monotonic() - began >= 0.05
    assert time.thread_time() - computed > 0.01


def test_block_waits_on_the_event_loop_itself(monkeypatch):
    loops = []
    monkeypatch.setattr(faults.time, "sleep", lambda _: loops.append(asyncio.get_running_loop()))

    async def ask():
        answer = await AsyncClient().get("/lab/block?s=3")
        return answer.json(), asyncio.get_running_loop()

    told, loop = async_to_sync(ask)()
    assert (told, loops) == ({"blocked_s": 3.0}, [loop])


def test_block_waits_under_wsgi_as_well(client, slept):
    assert client.get("/lab/block?s=3").json() == {"blocked_s": 3.0}
    assert slept == [3.0]
    assert client.get("/lab/block?s=61").status_code == 400
    assert client.post("/lab/block").status_code == 405


def test_while_the_gil_is_held_no_other_thread_runs(client):
    stop, ticks = threading.Event(), [time.monotonic()]

    def tick():
        while not stop.is_set():
            ticks.append(time.monotonic())

    ticking = threading.Thread(target=tick)
    ticking.start()
    try:
        assert client.get("/lab/gil?s=0.2").json() == {"held_s": 0.2}
    finally:
        stop.set()
        ticking.join()
    assert max(later - earlier for earlier, later in itertools.pairwise(ticks)) >= 0.2


def test_what_leaks_is_kept(client, monkeypatch):
    monkeypatch.setattr(faults, "HELD", [])
    assert client.get("/lab/leak").json() == {"leaked_mb": 1, "held_mb": 1}
    assert client.get("/lab/leak?mb=2").json() == {"leaked_mb": 2, "held_mb": 3}
    assert [len(each) for each in faults.HELD] == [1 << 20, 2 << 20]


@pytest.mark.parametrize(
    ("path", "code"), [("/lab/exit", 1), ("/lab/exit?code=7", 7), ("/lab/segfault", -signal.SIGSEGV)]
)
def test_a_process_ends_as_it_is_asked_to(app_environment, path, code):
    environment = os.environ | app_environment
    ended = subprocess.run([sys.executable, "-c", ASK, path], cwd=APP, env=environment, check=False)
    assert ended.returncode == code


class Taken:
    def __init__(self):
        self.times = 0

    def acquire(self):
        self.times += 1


def test_dead_takes_a_lock_twice_and_never_gives_it_back(client, monkeypatch):
    monkeypatch.setattr(faults, "NEVER_RELEASED", Taken())
    client.get("/lab/dead")
    assert faults.NEVER_RELEASED.times == 2


def test_the_lock_of_dead_waits_for_itself():
    assert [faults.NEVER_RELEASED.acquire(blocking=False) for _ in range(2)] == [True, False]
    faults.NEVER_RELEASED.release()


def test_error_is_a_500(client):
    client.raise_request_exception = False
    answer = client.get("/lab/error")
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal server error."})


def test_big_is_as_big_as_asked_for(client):
    assert client.get("/lab/big").content == b"x" * (1 << 20)
    assert len(client.get("/lab/big?mb=3").content) == 3 << 20


@pytest.mark.parametrize(
    ("path", "bad", "told"),
    [
        *(
            (
                path,
                ["-1", "60.1", "nan", "inf", "x", "", "\N{ARABIC-INDIC DIGIT ONE}", "9" * 5000],
                "s must be",
            )
            for path in ("sleep", "spin", "gil", "block")
        ),
        ("leak", ["0", "513", "-1", "1.5", "x", "", "9" * 5000], "mb must be"),
        ("big", ["0", "65", "-1", "1.5", "x", "", "9" * 5000], "mb must be"),
        ("exit", ["256", "-1", "1.5", "x", ""], "code must be"),
    ],
)
def test_what_is_out_of_bounds_is_refused(client, path, bad, told):
    name = told.split()[0]
    for value in bad:
        answer = client.get(f"/lab/{path}", {name: value})
        assert answer.status_code == 400, value
        assert answer.json()["detail"].startswith(told)


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/lab/ledger/"])
def test_faults_are_asked_for_by_get_only(client, path):
    assert client.post(path).status_code == 405
