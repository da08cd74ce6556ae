"""Life signs, identity, waiting, and errors that say nothing about the inside."""

import importlib
import os
import sys
import threading
from importlib import metadata
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django.db import DatabaseError, connection
from django.test import AsyncClient
from django.urls import clear_url_caches

import config.urls


def test_health_and_ping_need_no_database(client):
    """Both work in a test that has no database."""
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/api/ping/").json() == {"ping": "pong"}


def test_ready_asks_the_database(client, db, monkeypatch):
    """Ready means that the database answers; the reason of a failure stays inside."""
    assert client.get("/readyz").json() == {"status": "ok", "database": "ok"}

    def failing(*args):
        raise DatabaseError("planted")

    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", failing)
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert b"planted" not in answer.content


def command_line(pid):
    """Return a process's command line, read independently of the app."""
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0 ").replace("\0", " ")


def test_identity_tells_the_truth_about_this_process(client):
    """Every fact is what this process knows of itself, or what the server said of it."""
    given = {"REMOTE_ADDR": "192.0.2.7", "SERVER_SOFTWARE": "test/1", "wsgi.multithread": True}
    given |= {"wsgi.multiprocess": False, "mod_wsgi.process_group": "lab"}
    body = client.get("/lab/identity", **given).json()
    distributions = body.pop("distributions")
    assert body.pop("process") == command_line("self")
    assert body.pop("parent") == command_line(os.getppid())
    assert distributions["django"] == metadata.version("django")
    assert "djangorestframework-simplejwt" in distributions
    assert body == {
        "interface": "wsgi",
        "server_software": "test/1",
        "multithread": True,
        "multiprocess": False,
        "process_group": "lab",
        "pid": os.getpid(),
        "ppid": os.getppid(),
        "thread_id": threading.get_native_id(),
        "hostname": os.uname().nodename,
        "debug": False,
        "autoreload": False,
        "django": metadata.version("django"),
        "python": ".".join(map(str, sys.version_info[:3])),
        "variant": "",
        "workers": 1,
        "threads": 1,
        "cpus": 1,
        "scheme": "http",
        "client": "192.0.2.7",
        "database": "sqlite",
        "password_hasher": "md5",
        "session_store": "database",
        "jwt_verify": "user",
        "jwt_algorithm": "HS256",
        "plain_tokens": "header",
        "cache": "database",
        "login_limits": True,
        "static_files": "none",
        "realtime": False,
    }


def test_identity_sees_the_reloader(client, monkeypatch):
    """Django's own mark of the reloader's child is reported."""
    monkeypatch.setenv("RUN_MAIN", "true")
    assert client.get("/lab/identity").json()["autoreload"] is True


def test_identity_over_asgi():
    """The same view knows the other interface."""
    body = async_to_sync(AsyncClient().get)("/lab/identity").json()
    assert (body["interface"], body["server_software"], body["pid"]) == ("asgi", None, os.getpid())
    assert (body["multithread"], body["multiprocess"], body["process_group"]) == (None, None, None)


@pytest.fixture
def without_identity(settings):
    """Addresses as they are when the lab does not switch its views on."""
    settings.LAB_IDENTITY = False
    importlib.reload(config.urls)
    clear_url_caches()
    yield
    settings.LAB_IDENTITY = True
    importlib.reload(config.urls)
    clear_url_caches()


@pytest.mark.parametrize("path", ["/lab/identity", "/lab/wait?ms=0", "/api/schema/", "/api/docs/"])
def test_the_lab_is_absent_unless_switched_on(client, without_identity, path):
    """Neither its views nor the schema answer in production."""
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not found."}
    assert client.get("/healthz").status_code == 200


def test_wait_waits(client, monkeypatch):
    """As long as asked for, 100 ms if nobody says how long."""
    slept = []
    monkeypatch.setattr("lab.views.time.sleep", slept.append)
    assert client.get("/lab/wait?ms=250").json() == {"waited_ms": 250}
    assert client.get("/lab/wait").json() == {"waited_ms": 100}
    assert slept == [0.25, 0.1]


@pytest.mark.parametrize("ms", ["-1", "10001", "x", "", "1.5", "\N{ARABIC-INDIC DIGIT ONE}", "9" * 5000])
def test_wait_refuses_what_is_no_time(client, ms):
    """Anything but a whole number in range is refused, not guessed."""
    assert client.get("/lab/wait", {"ms": ms}).status_code == 400


def test_an_unknown_host_gets_a_json_400(client):
    """Django's own refusals are JSON as well."""
    answer = client.get("/api/ping/", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()) == (400, {"detail": "Bad request."})


def test_a_crash_gets_a_json_500_without_its_reason(client, monkeypatch):
    """The reason goes to the log, never to the client."""

    def crash(*args):
        raise RuntimeError("secret reason")

    monkeypatch.setattr("lab.views.identity_of", crash)
    client.raise_request_exception = False
    answer = client.get("/lab/identity")
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal server error."})


def test_only_the_known_origin_may_read(client):
    """A name that merely begins like a known origin is a stranger."""

    def allowed(origin):
        return client.get("/api/ping/", headers={"Origin": origin}).get("Access-Control-Allow-Origin")

    assert allowed("https://front.example.org") == "https://front.example.org"
    assert allowed("https://front.example.org.evil.example") is None


def test_browsers_are_told_to_be_strict(client, settings):
    """The security headers are on an ordinary answer."""
    answer = client.get("/api/ping/", secure=True)
    assert answer["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains; preload"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
