"""What the app and the edge have on record."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from serverlab.compose import Engine
from serverlab.framing.record import Record, edge_lines, handed_on, logged
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
        ExecResult(0, b'[[7, "t-first", "GET", "/", null, ""]]'), ExecResult(0, b"[]"), ExecResult(0, b"[]")
    )
    assert kept.rows() == [("t", Logged(role="first", method="GET", path="/", body_bytes=None))]
    assert (kept.rows(), kept.rows(), client.asked) == ([], [], ["0", "7", "7"])


def test_a_table_that_cannot_be_read_is_told_with_its_reason():
    _, kept = record(ExecResult(1, b"Traceback\nno such table: lab_echo\n"))
    with pytest.raises(OSError, match="no such table"):
        kept.rows()


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
