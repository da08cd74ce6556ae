"""What a process keeps of its database between requests."""

import sqlite3

import pytest
from django.apps import apps
from django.core.signals import request_started
from django.db import connection

from config.database import hold_open, let_go


@pytest.fixture
def database(tmp_path, monkeypatch):
    """An SQLite file with a log, in the place of the tests' database."""
    file = tmp_path / "db.sqlite3"
    monkeypatch.setitem(connection.settings_dict, "NAME", str(file))
    visit(file)
    yield file
    let_go()


def visit(file):
    """Connect, write, and leave: what a request does."""
    with sqlite3.connect(file) as opened:
        opened.execute("PRAGMA journal_mode=WAL")
        opened.execute("CREATE TABLE IF NOT EXISTS visits (at)")
        opened.execute("INSERT INTO visits VALUES (1)")
    opened.close()


def log_of(file):
    return file.with_name(f"{file.name}-wal")


def test_the_log_outlives_a_request_once_a_connection_is_held(database):
    """Without it, the last connection that closes removes the log."""
    assert not log_of(database).exists()
    hold_open()
    visit(database)
    assert log_of(database).stat().st_size > 0
    let_go()
    visit(database)
    assert not log_of(database).exists()


def test_the_held_connection_is_in_nobodys_way(database):
    """It holds no lock: others may write, take the file for themselves, and check the whole log in."""
    hold_open()
    visit(database)
    opened = sqlite3.connect(database, timeout=0)
    opened.execute("BEGIN EXCLUSIVE").execute("COMMIT")
    assert opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    opened.close()


def test_the_first_request_opens_it_and_the_second_opens_no_other(database, client, monkeypatch):
    """Not the start of the project: a server may fork after that."""
    opened = []
    really = sqlite3.connect

    def counting(*args, **options):
        opened.append(args)
        return really(*args, **options)

    apps.get_app_config("config").ready()
    monkeypatch.setattr("config.database.sqlite3.connect", counting)
    assert opened == []
    client.get("/healthz")
    client.get("/healthz")
    hold_open()
    assert opened == [(f"{database.as_uri()}?mode=ro",)]


@pytest.mark.parametrize("content", [None, b"no database"])
def test_a_file_that_is_none_fails_no_request(database, client, content):
    """What is wrong with it is told by the request that needs it."""
    database.unlink()
    if content:
        database.write_bytes(content)
    request_started.connect(hold_open)
    assert client.get("/healthz").status_code == 200


def test_any_other_database_is_left_alone(database, monkeypatch):
    """PostgreSQL has a pool."""
    monkeypatch.setattr(connection, "vendor", "postgresql")
    hold_open()
    visit(database)
    assert not log_of(database).exists()
