"""Transfer-Encoding and chunks (RFC 9112, sections 6.1 and 7.1)."""

from __future__ import annotations

from collections.abc import Callable

from serverlab.framing.case import Case, Draft, Form, in_chunks
from serverlab.framing.lengths import CHUNKED
from serverlab.framing.rules import (
    NO_CHUNKS,
    both,
    delivered,
    either,
    never_short,
    refused,
    without_header,
)

HELLO = in_chunks(b"hello")


def _coded(*lines: str, **options: str) -> Callable[[Draft], bytes]:
    return lambda draft: draft.post(*lines, body=HELLO, **options)


def _chunks(body: bytes) -> Callable[[Draft], bytes]:
    return lambda draft: draft.post(CHUNKED, body=body)


NO = refused(400, NO_CHUNKS)
NO_CODING = refused(400, 501, NO_CHUNKS)

CASES: tuple[Case, ...] = (
    Case(
        "H-05",
        "Transfer-Encoding twice",
        "400",
        (
            Form("chunked in two lines", _coded(CHUNKED, CHUNKED), NO_CODING),
            Form("chunked, chunked", _coded("Transfer-Encoding: chunked, chunked"), NO_CODING),
            Form("chunked, then identity", _coded(CHUNKED, "Transfer-Encoding: identity"), NO_CODING),
        ),
    ),
    Case(
        "H-06",
        "Transfer-Encoding that is nearly chunked",
        "400 or 501",
        (
            Form(",chunked", _coded("Transfer-Encoding: ,chunked"), NO_CODING),
            Form("xchunked", _coded("Transfer-Encoding: xchunked"), NO_CODING),
            Form("identity", _coded("Transfer-Encoding: identity"), NO_CODING),
            Form("chunked, identity", _coded("Transfer-Encoding: chunked, identity"), NO_CODING),
            Form("\\x0bchunked", _coded("Transfer-Encoding: \x0bchunked"), NO_CODING),
            Form("a space before the colon", _coded("Transfer-Encoding : chunked"), NO_CODING),
        ),
    ),
    Case(
        "H-07",
        "Transfer-Encoding in HTTP/1.0",
        "400",
        (Form("chunked", _coded(CHUNKED, version=" HTTP/1.0"), NO),),
    ),
    Case(
        "H-08",
        "A coding that nobody has to know",
        "501 or 400",
        (Form("gzip, chunked", _coded("Transfer-Encoding: gzip, chunked"), NO_CODING),),
    ),
    Case(
        "H-09",
        "Chunks that are none",
        "400",
        (
            Form("0x1", _chunks(b"0x1\r\nh\r\n0\r\n\r\n"), NO),
            Form("+1", _chunks(b"+1\r\nh\r\n0\r\n\r\n"), NO),
            Form("1_0", _chunks(b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n"), NO),
            Form("an empty size", _chunks(b"\r\nhello\r\n0\r\n\r\n"), NO),
            Form("spaces before the size", _chunks(b"  5\r\nhello\r\n0\r\n\r\n"), NO),
            Form("\\r and junk after the size", _chunks(b"5\rX\r\nhello\r\n0\r\n\r\n"), NO),
            Form("data longer than its size", _chunks(b"5\r\nhelloXX\r\n0\r\n\r\n"), NO),
            Form("no line end after the data", _chunks(b"5\r\nhello0\r\n\r\n"), NO),
            Form("a line feed in an extension", _chunks(b"5;a=\nb\r\nhello\r\n0\r\n\r\n"), NO),
        ),
    ),
    Case(
        "H-10",
        "Chunk lines that end with a line feed alone",
        "400",
        (
            Form("all of them", _chunks(b"5\nhello\n0\n\n"), NO),
            Form("after the size", _chunks(b"5\nhello\r\n0\r\n\r\n"), NO),
            Form("after the data", _chunks(b"5\r\nhello\n0\r\n\r\n"), NO),
        ),
    ),
    Case(
        "H-11",
        "A trailer",
        "it does not become a header",
        (
            Form(
                "X-Admin: 1",
                _chunks(b"5\r\nhello\r\n0\r\nX-Admin: 1\r\n\r\n"),
                both(either(delivered(b"hello"), NO), without_header("X-Admin")),
            ),
        ),
    ),
    Case(
        "H-12",
        "A body in chunks that breaks off",
        "400, 408 or nothing; never a short body",
        (Form("3 of 5 bytes, then silence", _chunks(b"5\r\nhel"), never_short(5), tail=False, ends=True),),
    ),
    Case(
        "H-13",
        "A body in chunks, as it should be",
        "the app gets it",
        (
            Form("one chunk", _chunks(HELLO), delivered(b"hello")),
            Form("three chunks", _chunks(in_chunks(b"h", b"el", b"lo")), delivered(b"hello")),
        ),
    ),
)
"""Rows H-05 to H-13."""
