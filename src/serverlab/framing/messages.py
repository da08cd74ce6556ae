"""Several messages, and what asks for something else than an answer (RFC 9112, section 9.3; RFC 9110, section 10)."""

from __future__ import annotations

from serverlab.framing.case import Case, Draft, Form, in_chunks
from serverlab.framing.lengths import CHUNKED
from serverlab.framing.rules import (
    NO_CHUNKS,
    behind_edge,
    both,
    delivered,
    either,
    in_order,
    no_error,
    not_switched,
    refused,
    within,
    without_header,
)


def _pair(draft: Draft) -> bytes:
    return draft.request() + draft.request(role="second")


def _pair_with_body(draft: Draft) -> bytes:
    return draft.post("Content-Length: 5", body=b"hello") + draft.request(role="second")


def _expecting(draft: Draft) -> bytes:
    return draft.post("Content-Length: 5", "Expect: 200-ok", body=b"hello")


def _get_with_request(draft: Draft) -> bytes:
    return draft.request(f"Content-Length: {len(draft.hidden)}", body=draft.hidden)


def _get_with_chunks(draft: Draft) -> bytes:
    return draft.request(CHUNKED, body=in_chunks(draft.hidden))


def _upgrading(draft: Draft) -> bytes:
    lines = (
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
    )
    return draft.request(*lines)


CASES: tuple[Case, ...] = (
    Case(
        "H-14",
        "Two requests at once",
        "two answers in order, or one and the connection is closed",
        (
            Form("two GETs", _pair, in_order, messages=("first", "second")),
            Form("after a body", _pair_with_body, in_order, messages=("first", "second")),
        ),
    ),
    Case(
        "H-15",
        "An expectation that nobody knows",
        "417",
        (Form("Expect: 200-ok", _expecting, within(417)),),
    ),
    Case(
        "H-16",
        "A GET whose body is a request",
        "the body is not carried out",
        (
            Form("with a length", _get_with_request, no_error),
            Form("in chunks", _get_with_chunks, either(no_error, refused(400, NO_CHUNKS, 501))),
        ),
    ),
    Case(
        "H-17",
        "Upgrade: h2c",
        "ignored; an edge does not hand it on",
        (
            Form(
                "with HTTP2-Settings",
                _upgrading,
                both(not_switched, delivered(), behind_edge(without_header("Upgrade", "h2c"))),
            ),
        ),
    ),
)
"""Rows H-14 to H-17."""
