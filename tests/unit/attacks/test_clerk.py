"""Statements that a process beside the app does, tried on a file of this machine."""

from __future__ import annotations

import socket
import sqlite3
import struct
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from serverlab.attacks.clerk import SQL, Clerk


class Engine:
    """Runs what it is given here, and hands on what that prints in the frames of a container engine."""

    def __init__(self, folder):
        self.folder = folder
        self.commands = []
        self.processes = []
        self.threads = []

    def exec_create(self, _container, command, *, stdin):
        assert stdin
        self.commands.append(command)
        return {"Id": "1"}

    def exec_start(self, _made, *, socket):
        return self.started()

    def started(self):
        ours, theirs = socket.socketpair()
        program = SQL.replace("/data/db.sqlite3", str(self.folder / "db.sqlite3"))
        process = subprocess.Popen(
            [sys.executable, *self.commands[-1][1:-1], program], stdin=theirs, stdout=subprocess.PIPE
        )
        self.processes.append(process)
        self.threads.append(threading.Thread(target=self.hand_on, args=(process, theirs)))
        self.threads[-1].start()
        link = socket.SocketIO(ours, "rb")
        link._response = SimpleNamespace(close=ours.close)
        return link

    @staticmethod
    def hand_on(process, theirs):
        for line in process.stdout:
            for part in (line[:5], line[5:]):
                theirs.sendall(struct.pack(">BxxxL", 1, len(part)) + part)
        theirs.close()


@pytest.fixture
def engine(tmp_path):
    with sqlite3.connect(tmp_path / "db.sqlite3") as database:
        database.execute("CREATE TABLE users (name TEXT, active INTEGER)")
    database.close()
    engine = Engine(tmp_path)
    yield engine
    for process in engine.processes:
        process.kill()
        process.wait()
    for thread in engine.threads:
        thread.join()
    for process in engine.processes:
        process.stdout.close()


@pytest.fixture
def clerk(engine):
    clerk = Clerk(SimpleNamespace(id="app", client=SimpleNamespace(api=engine)))
    yield clerk
    clerk.close()


def test_statements_are_done_one_after_the_other_by_one_process(clerk, engine):
    assert clerk.do("INSERT INTO users VALUES (?, ?)", ["ann", 1]) == []
    assert clerk.do("SELECT * FROM users WHERE name = ?", ["ann"]) == [["ann", 1]]
    assert len(engine.commands) == 1


def test_a_statement_that_is_refused_is_an_error_and_the_next_one_is_done(clerk):
    with pytest.raises(OSError, match="OperationalError: no such table: nobody"):
        clerk.do("SELECT * FROM nobody", [])
    assert clerk.do("SELECT 1", []) == [[1]]


def test_a_process_that_is_gone_is_an_error(clerk, engine):
    clerk.do("SELECT 1", [])
    process = engine.processes[0]
    process.kill()
    process.wait()
    with pytest.raises(OSError):  # noqa: PT011 - a broken connection says so in the words of the system
        clerk.do("SELECT 1", [])


def test_who_has_done_nothing_has_nothing_to_close():
    Clerk(SimpleNamespace()).close()
