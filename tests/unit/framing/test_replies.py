"""Answers taken out of what a connection brought."""

from __future__ import annotations

import pytest

from serverlab.framing.replies import Reply, replies

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NO = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def test_answers_are_told_apart_by_their_lengths():
    assert replies(OK + NO, closed=False) == [
        Reply(200, {"content-length": "2"}, b"ok"),
        Reply(400, {"connection": "close", "content-length": "0"}, b""),
    ]


def test_a_body_in_chunks_is_joined():
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n"
    assert [each.body for each in replies(answer + OK, closed=False)] == [b"abc", b"ok"]


@pytest.mark.parametrize(
    "part",
    [
        OK[:10],
        OK[:-1],
        b"HTTP/1.1 200 OK\r\n\r\nuntil it closes",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
    ],
)
def test_a_part_of_an_answer_is_none(part):
    assert replies(part, closed=False) == []


def test_an_answer_without_a_length_ends_with_its_connection():
    assert replies(b"HTTP/1.0 200 OK\r\n\r\nall", closed=True) == [Reply(200, {}, b"all")]


def test_an_answer_without_a_status_line_has_status_0_and_ends():
    (found,) = replies(b"<html>", closed=True)
    assert (found, found.ends) == (Reply(0, {}, b"<html>"), True)


def test_what_comes_before_the_answer_is_passed_over():
    assert [each.status for each in replies(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, closed=False)] == [200]


def test_answers_that_have_no_body_have_none():
    answer = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
    assert [each.status for each in replies(answer + OK, closed=False)] == [304, 200]


@pytest.mark.parametrize(("body", "document"), [(b'{"a": 1}', {"a": 1}), (b"[1]", {}), (b"<html>", {})])
def test_a_document_is_an_object_or_nothing(body, document):
    assert Reply(200, {}, body).document == document
