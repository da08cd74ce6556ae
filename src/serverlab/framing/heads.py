"""Request lines and header fields (RFC 9112, sections 2, 3 and 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serverlab.framing.case import Case, Draft, Form
from serverlab.framing.rules import both, no_error, nothing_of, refused, with_header, within, without_header

PLAIN_VIEW = "/healthz"
"""A view that takes GET and HEAD only, unlike the echo."""

COOKIE = "lab-cookie-that-nobody-may-see"


def _lines(*lines: str, **options: Any) -> Callable[[Draft], bytes]:  # noqa: ANN401
    return lambda draft: draft.request(*lines, **options)


def _asked(method: str, target: str | None = None) -> Callable[[Draft], bytes]:
    return lambda draft: draft.request(
        method=method, target=draft.address(path=PLAIN_VIEW) if target is None else target
    )


def _all_bare(draft: Draft) -> bytes:
    return f"GET {draft.address()} HTTP/1.1\nHost: {draft.host}\n\n".encode("latin-1")


def _one_bare(draft: Draft) -> bytes:
    return draft.request("X-One: 1\nX-Two: 2")


def _indented_first(draft: Draft) -> bytes:
    return f"GET {draft.address()} HTTP/1.1\r\n X-First: 1\r\nHost: {draft.host}\r\n\r\n".encode("latin-1")


def _absolute(draft: Draft) -> bytes:
    first = f"GET http://other.example{draft.address()} HTTP/1.1"
    return f"{first}\r\nHost: {draft.host}\r\n\r\n".encode("latin-1")


def _version(version: str) -> Callable[[Draft], bytes]:
    return lambda draft: draft.request(version=version)


def _nothing_but_a_line(draft: Draft) -> bytes:
    return f"GET {draft.address()}\r\n".encode("latin-1")


NO_METHOD = (400, 405, 501)
NO_VERSION = refused(400, 505)

CASES: tuple[Case, ...] = (
    Case(
        "H-20",
        "Host",
        "400",
        (
            Form("none", _lines(host=False), refused()),
            Form("two", _lines("Host: other.example"), refused()),
            Form("empty", _lines("Host:", host=False), refused()),
            Form("a@b", _lines("Host: a@b", host=False), refused()),
        ),
    ),
    Case(
        "H-21",
        "An absolute target that names another host",
        "the host of the target wins",
        (Form("http://other.example/", _absolute, with_header("Host", "other.example")),),
    ),
    Case(
        "H-22",
        "Targets of other methods",
        "400, 405 or 501",
        (
            Form("GET with an authority", _lines(target="example.com:80"), within(*NO_METHOD)),
            Form("GET *", _lines(target="*"), within(*NO_METHOD)),
            Form("CONNECT", _asked("CONNECT", "example.com:80"), within(*NO_METHOD)),
        ),
    ),
    Case(
        "H-23",
        "White space before a header",
        "400",
        (
            Form("a folded line", _lines("X-Fold: one\r\n two"), refused()),
            Form("before the first header", _indented_first, refused()),
        ),
    ),
    Case(
        "H-24",
        "Lines that end with a line feed alone",
        "400",
        (Form("all of them", _all_bare, refused()), Form("between two headers", _one_bare, refused())),
    ),
    Case(
        "H-25",
        "Control bytes in the value of a header",
        "400",
        (
            Form("\\r", _lines("X-Odd: one\rtwo"), refused()),
            Form("\\0", _lines("X-Odd: one\0two"), refused()),
            Form("\\x0b", _lines("X-Odd: one\x0btwo"), refused()),
        ),
    ),
    Case(
        "H-26",
        "A header with _ in its name",
        "dropped",
        (
            Form(
                "X_Forwarded_For",
                _lines("X_Forwarded_For: 198.51.100.77"),
                both(no_error, without_header("X-Forwarded-For", "198.51.100.77")),
            ),
        ),
    ),
    Case(
        "H-27",
        "SCRIPT_NAME from a trusted peer",
        "no 5xx",
        (Form("/x", _lines("SCRIPT_NAME: /x"), no_error),),
    ),
    Case(
        "H-28",
        "Methods",
        "400, 405 or 501; TRACE shows no cookie",
        (
            Form("a byte that no method may have", _asked("GE(T"), within(*NO_METHOD)),
            Form("lower case", _asked("get"), within(*NO_METHOD)),
            Form(
                "TRACE",
                lambda draft: draft.request(
                    f"Cookie: sessionid={COOKIE}", method="TRACE", target=draft.address(path=PLAIN_VIEW)
                ),
                both(nothing_of(COOKIE), within(*NO_METHOD)),
            ),
        ),
    ),
    Case(
        "H-29",
        "Versions",
        "400 or 505",
        (
            Form("HTTP/1.32", _version(" HTTP/1.32"), NO_VERSION),
            Form("HTTP/2.0", _version(" HTTP/2.0"), NO_VERSION),
            Form("HTTP/0.9", _version(" HTTP/0.9"), NO_VERSION),
            Form("none, as HTTP/0.9 has it", _nothing_but_a_line, NO_VERSION, tail=False, ends=True),
        ),
    ),
)
"""Rows H-20 to H-29."""
