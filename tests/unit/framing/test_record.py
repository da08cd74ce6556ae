"""What the app and the edge have on record."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from serverlab.compose import Engine
from serverlab.framing.record import (
    MOST_S,
    QUIET_S,
    READ,
    Record,
    Rows,
    edge_lines,
    handed_on,
    logged,
)
from serverlab.model.framing import Logged
from tests.fake_engine import ExecResult, FakeClient

ROW = [7, "0123456789ab-first", "POST", "/lab/echo?marker=0123456789ab-first", 5, "sha"]
LOG = (
    '10.0.0.1 [2026-11-22T10:15:00+00:00] "GET /lab/echo?marker=ab-first HTTP/1.1" 200 512 200\n'
    '10.0.0.1 [2026-11-22T10:15:00+00:00] "GET /lab/echo?marker=ab-tail HTTP/1.1" 400 150 -\n'
    '10.0.0.1 [2026-11-22T10:15:00+00:00] "GET \\x22odd\\x22 \\" HTTP/1.1" 400 150 -\n'
    "2026/11/22 10:15:00 [warn] something else\n"
)


def record(*outputs):
    client = FakeClient()
    container = client.add("app")
    results = iter(outputs)
    client.asked = []

    def run(argv):
        client.asked.append(argv[-1])
        return next(results)

    container.exec_run = run
    settings = SimpleNamespace(target=SimpleNamespace(edge=None))
    return client, Record(Engine(client), settings)


def test_rows_are_read_from_where_the_last_reading_ended():
    client, kept = record(
        ExecResult(0, b'[true, [[7, "t-first", "GET", "/", null, ""]]]'),
        ExecResult(0, b"[true, []]"),
        ExecResult(0, b"[false, []]"),
    )
    first = ("t", Logged(role="first", method="GET", path="/", body_bytes=None))
    assert [kept.rows("t-other") for _ in range(3)] == [
        Rows(requests=(first,), settled=True),
        Rows(requests=(), settled=True),
        Rows(requests=(), settled=False),
    ]
    assert client.asked == ["0", "7", "7"]


@dataclass
class Table:
    """The app's table, and a clock that jumps where a reader would sleep; ``later`` is written at its moments."""

    path: Path
    later: list[tuple[float, list[object]]]
    now_s: float = 0.0

    def monotonic(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds
        due = [row for at_s, row in self.later if at_s <= self.now_s]
        self.later = [each for each in self.later if each[0] > self.now_s]
        self.write(*due)

    def write(self, *rows):
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS lab_echo (id, marker, method, path, body_bytes, body_sha256)"
            )
            database.executemany("INSERT INTO lab_echo VALUES (?, ?, 'GET', '/', 0, '')", rows)


@pytest.fixture
def read(tmp_path, monkeypatch, capsys):
    """Runs what is run in the app's container; returns whether it settled, the markers, and how long it took."""

    def read(*first, later=(), last=0):
        table = Table(tmp_path / "db.sqlite3", list(later))
        table.write(*first)
        given = ["-c", str(table.path), "ab-other", str(QUIET_S), str(MOST_S), str(last)]
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", given)
            patched.setitem(sys.modules, "time", table)
            exec(READ, {})  # noqa: S102 - it is the lab's own
        settled, rows = json.loads(capsys.readouterr().out)
        return settled, [row[1] for row in rows], table.now_s

    return read


def test_a_table_that_holds_the_awaited_request_and_is_quiet_is_read_at_once(read):
    settled, markers, took_s = read((1, "ab-first"), (2, "ab-other"))
    assert (settled, markers) == (True, ["ab-first", "ab-other"])
    assert took_s == pytest.approx(QUIET_S, abs=0.03)


def test_a_request_that_is_slow_is_waited_for_as_long_as_others_come_in(read):
    """Each follows sooner than the table would count as quiet, and the awaited one is not the last."""
    slow = [(0.1, (3, "ab-tail")), (0.2, (4, "ab-smug"))]
    settled, markers, took_s = read((1, "ab-first"), (2, "ab-other"), later=slow)
    assert (settled, markers) == (True, ["ab-first", "ab-other", "ab-tail", "ab-smug"])
    assert took_s == pytest.approx(0.2 + QUIET_S, abs=0.05)


def test_the_awaited_request_is_waited_for_however_quiet_it_is(read):
    settled, markers, took_s = read((1, "ab-first"), later=[(3.0, (2, "ab-smug")), (3.1, (3, "ab-other"))])
    assert (settled, markers) == (True, ["ab-first", "ab-smug", "ab-other"])
    assert 3.1 < took_s < MOST_S


def test_what_never_comes_is_given_up_with_what_there_is(read):
    settled, markers, took_s = read((1, "ab-first"), (2, "ab-smug"), last=1)
    assert (settled, markers) == (False, ["ab-smug"])
    assert took_s == pytest.approx(MOST_S, abs=0.03)


def test_a_table_that_cannot_be_read_is_told_with_its_reason():
    _, kept = record(ExecResult(1, b"Traceback\nno such table: lab_echo\n"))
    with pytest.raises(OSError, match="no such table"):
        kept.rows("t-other")


def test_without_an_edge_there_is_no_log():
    assert record()[1].edge_lines() == []


def test_a_row_is_split_into_token_and_role():
    assert logged(ROW) == (
        "0123456789ab",
        Logged(
            role="first",
            method="POST",
            path="/lab/echo?marker=0123456789ab-first",
            body_bytes=5,
            body_sha256="sha",
        ),
    )


def test_the_log_of_the_edge_tells_what_it_handed_on():
    lines = edge_lines(LOG)
    assert lines == [
        ("GET /lab/echo?marker=ab-first HTTP/1.1", True),
        ("GET /lab/echo?marker=ab-tail HTTP/1.1", False),
        ('GET \\x22odd\\x22 \\" HTTP/1.1', False),
    ]
    assert (handed_on(lines, "ab"), handed_on(lines, "b")) == (["first"], [])
