"""How long a body is, said twice, or wrongly (RFC 9112, section 6.3)."""

from __future__ import annotations

from collections.abc import Callable

from serverlab.framing.case import CRLF, Case, Draft, Form, in_chunks
from serverlab.framing.rules import delivered, either, refused

CHUNKED = "Transfer-Encoding: chunked"


def _agreeing(draft: Draft) -> bytes:
    body = in_chunks(b"hello")
    return draft.post(f"Content-Length: {len(body)}", CHUNKED, body=body)


def _length_first(draft: Draft) -> bytes:
    """Who goes by the length takes the hidden request for a part of the body, who goes by chunks for a message."""
    body = in_chunks() + draft.hidden
    return draft.post(f"Content-Length: {len(body)}", CHUNKED, body=body)


def _chunks_first(draft: Draft) -> bytes:
    """The other way round."""
    size = b"%x\r\n" % len(draft.hidden)
    return draft.post(CHUNKED, f"Content-Length: {len(size)}", body=size + draft.hidden + CRLF + in_chunks())


def _two(first: int | None, second: int | None) -> Callable[[Draft], bytes]:
    """Two lengths; None is that of a hidden request."""

    def build(draft: Draft) -> bytes:
        whole = len(draft.hidden)
        lengths = [whole if length is None else length for length in (first, second)]
        return draft.post(*(f"Content-Length: {length}" for length in lengths), body=draft.hidden)

    return build


def _said(length: str, body: bytes = b"hello") -> Callable[[Draft], bytes]:
    return lambda draft: draft.post(f"Content-Length: {length}", body=body)


def _named(name: str) -> Callable[[Draft], bytes]:
    """A name that is nearly Content-Length, before a hidden request."""
    return lambda draft: draft.post(f"{name}: {len(draft.hidden)}", body=draft.hidden)


CASES: tuple[Case, ...] = (
    Case(
        "H-01",
        "Content-Length and Transfer-Encoding",
        "400",
        (
            Form("both, and they agree", _agreeing, refused()),
            Form("CL.TE", _length_first, refused()),
            Form("TE.CL", _chunks_first, refused()),
        ),
    ),
    Case(
        "H-02",
        "More than one Content-Length",
        "400; equal ones may be taken for one",
        (
            Form("two that differ, the shorter first", _two(0, None), refused()),
            Form("two that differ, the longer first", _two(None, 0), refused()),
            Form("a list that differs", _said("5, 6"), refused()),
            Form("a list of equal ones", _said("5, 5"), either(refused(), delivered(b"hello"))),
            Form(
                "two equal ones",
                lambda draft: draft.post("Content-Length: 5", "Content-Length: 5", body=b"hello"),
                either(refused(), delivered(b"hello")),
            ),
        ),
    ),
    Case(
        "H-03",
        "Content-Length that is no number",
        "400; 413 for one that is too large",
        (
            Form("+1", _said("+1", b"h"), refused()),
            Form("1_0", _said("1_0", b"0123456789"), refused()),
            Form("-1", _said("-1"), refused()),
            Form("0x1", _said("0x1", b"h"), refused()),
            Form("1a", _said("1a", b"h"), refused()),
            Form("empty", _said("", b""), refused()),
            Form("two words", _said("1 0", b"0123456789"), refused()),
            Form("2^64 + 5", _said(str(2**64 + 5)), refused(400, 413)),
            Form("30 digits", _said("9" * 30), refused(400, 413)),
        ),
    ),
    Case(
        "H-04",
        "A name that is nearly Content-Length",
        "400",
        (
            Form("a space before the colon", _named("Content-Length "), refused()),
            Form("a tab before the colon", _named("Content-Length\t"), refused()),
            Form("\\x85 before the colon", _named("Content-Length\x85"), refused()),
        ),
    ),
)
"""Rows H-01 to H-04."""
