"""What the database itself holds is read past the app, whatever became of it."""

from __future__ import annotations

import sqlite3

import docker.errors
import pytest

from serverlab.compose import Database, Engine
from serverlab.model.faults import StoredRow
from serverlab.stored import PSQL, ROWS, SQLITE, Unreadable, stored_rows
from tests.fake_engine import ExecResult, FakeClient
from tests.unit.test_compose import stack_settings

FIRST, SECOND = "0b8e0a44-6a4b-4b5e-9d0a-1f2a3b4c5d6e", "ffffffff-ffff-4fff-8fff-ffffffffffff"
FOUND = (StoredRow(key=FIRST, copies=1, children=2), StoredRow(key=SECOND, copies=2, children=3))
SAID = f'[["{SECOND.replace("-", "")}", 2, 3], ["{FIRST.replace("-", "")}", 1, 2]]\n'.encode()
REFUSED = docker.errors.APIError("409 Client Error", explanation="the container is paused")


def read(client, *, note=lambda _: None, **changes):
    return stored_rows(Engine(client), stack_settings(**changes), note=note)


def client_with(**changes):
    client = FakeClient()
    client.add("app", mounts={"serverlab_data": "/data"}, **changes)
    return client


def test_the_statement_counts_copies_and_children():
    database = sqlite3.connect(":memory:")
    database.executescript(
        """
        CREATE TABLE lab_entry (id INTEGER PRIMARY KEY, key TEXT);
        CREATE TABLE lab_entrychild (id INTEGER PRIMARY KEY, entry_id INTEGER);
        INSERT INTO lab_entry (id, key) VALUES (1, 'a'), (2, 'b'), (3, 'b'), (4, 'c');
        INSERT INTO lab_entrychild (entry_id) VALUES (1), (1), (2), (2), (3), (3), (9);
        """
    )
    assert sorted(database.execute(ROWS)) == [("a", 1, 2), ("b", 2, 4), ("c", 1, 0)]
    database.close()


def test_sqlite_is_read_in_a_container_of_the_app_that_runs():
    client = client_with(executes=ExecResult(exit_code=0, output=SAID))
    assert read(client) == FOUND
    assert client.executed == [["/venv/bin/python", "-I", "-c", SQLITE]]
    assert client.containers.ran == []


LOCKED = b"Traceback (most recent call last):\nsqlite3.OperationalError: database is locked\n"
UNASKED = [
    ({"status": "exited"}, "serverlab-app-1 is exited"),
    ({"status": "paused"}, "serverlab-app-1 is paused"),
    (
        {"executes": ExecResult(exit_code=137, output=b"")},
        "serverlab-app-1: reading ended with 137: it said nothing",
    ),
    (
        {"executes": ExecResult(exit_code=1, output=LOCKED)},
        "serverlab-app-1: reading ended with 1: sqlite3.OperationalError: database is locked",
    ),
    (
        {"executes": ExecResult(exit_code=0, output=b"a warning\n")},
        "serverlab-app-1: no rows were told: a warning",
    ),
    ({"executes": REFUSED}, "serverlab-app-1 could not be asked: 409 Client Error"),
]


@pytest.mark.parametrize(("changes", "why"), UNASKED)
def test_where_that_is_not_possible_its_volume_is_read_beside_it_and_it_is_noted_why(changes, why):
    client = client_with(**changes)
    client.containers.prints = SAID
    notes: list[str] = []
    assert read(client, note=notes.append) == FOUND
    (note,) = notes
    assert note.startswith(f"the database was read beside its app: {why}")
    (ran,) = client.containers.ran
    assert (ran["image"], ran["command"], ran["entrypoint"]) == (
        "serverlab/gunicorn:dev",
        ["-I", "-c", SQLITE],
        ["/venv/bin/python"],
    )
    assert ran["volumes"] == {"serverlab_data": {"bind": "/data", "mode": "rw"}}
    assert (ran["labels"], ran["remove"], ran["network_mode"]) == ({"org.serverlab": "run"}, True, "none")


def test_of_several_replicas_one_that_answers_is_enough():
    client = client_with(status="exited")
    client.add("app", executes=ExecResult(exit_code=0, output=SAID))
    notes: list[str] = []
    assert (read(client, note=notes.append), notes) == (FOUND, [])


@pytest.mark.parametrize(("changes", "why"), UNASKED)
def test_where_nobody_answers_it_is_told_why_the_app_did_not_either(changes, why):
    client = client_with(**changes)
    client.containers.prints = REFUSED
    with pytest.raises(Unreadable) as unread:
        read(client)
    assert unread.value.what.startswith("the volume of serverlab-app-1 could not be read: 409 Client Error")
    assert f"; {why}" in unread.value.what


def test_a_volume_that_cannot_be_read_is_told():
    client = client_with(status="exited")
    client.containers.prints = REFUSED
    with pytest.raises(Unreadable, match="the volume of serverlab-app-1 could not be read: 409 Client Error"):
        read(client)


def test_a_volume_that_tells_no_rows_is_told():
    client = client_with(status="exited")
    client.containers.prints = b""
    with pytest.raises(Unreadable, match="the volume of serverlab-app-1: no rows were told: it said nothing"):
        read(client)


def test_postgresql_is_asked_in_its_own_container():
    said = f"{SECOND},2,3\n{FIRST},1,2\n".encode()
    client = FakeClient()
    client.add("db", executes=ExecResult(exit_code=0, output=said))
    assert read(client, database=Database.POSTGRES) == FOUND
    assert client.executed == [PSQL]


def test_an_empty_database_holds_nothing():
    client = FakeClient()
    client.add("db", executes=ExecResult(exit_code=0, output=b""))
    assert read(client, database=Database.POSTGRES) == ()
    assert read(client_with(executes=ExecResult(exit_code=0, output=b"[]\n"))) == ()


@pytest.mark.parametrize(
    ("executes", "said"),
    [
        (ExecResult(exit_code=2, output=b"could not connect\n"), "psql ended with 2: could not connect"),
        (ExecResult(exit_code=0, output=b"WARNING:  odd\n"), "no rows were told: WARNING:  odd"),
        (REFUSED, "could not be asked"),
    ],
)
def test_a_database_that_does_not_answer_is_told(executes, said):
    client = FakeClient()
    client.add("db", executes=executes)
    with pytest.raises(Unreadable, match=f"serverlab-db-1.*{said}"):
        read(client, database=Database.POSTGRES)


def test_without_one_database_for_all_nothing_is_read():
    with pytest.raises(Unreadable, match="each replica has data of its own"):
        read(FakeClient(), shared_data=False)
    with pytest.raises(Unreadable, match="no app container"):
        read(FakeClient())
