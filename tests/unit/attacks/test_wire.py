"""Answers byte by byte."""

from serverlab.attacks.wire import Reply, reply


def test_an_answer_is_taken_apart():
    received = b"HTTP/1.1 404 Not Found\r\nServer: nginx\r\nX-Odd:a:b\r\n\r\nbody"
    assert reply(received) == Reply(404, {"server": "nginx", "x-odd": "a:b"}, b"body")


def test_nothing_is_a_closed_connection():
    assert reply(b"") == Reply(0, {}, b"")
    assert reply(b"\x15\x03\x03") == Reply(0, {}, b"")


def test_chunks_are_joined_as_far_as_they_came():
    head = b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert reply(head + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n").body == b"abcdefg"
    assert reply(head + b"3\r\nabc\r\n9\r\nde").body == b"abcde"
