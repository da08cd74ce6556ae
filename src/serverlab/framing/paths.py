"""Paths that could lead elsewhere, and headers that an edge could be made to drop."""

from __future__ import annotations

from collections.abc import Callable

from serverlab.framing.case import Case, Draft, Form
from serverlab.framing.rules import (
    behind_edge,
    both,
    normal_path,
    nothing_of,
    stays_here,
    with_header,
    without_fragment,
)

INSIDE = both(nothing_of("root:x:", "SECRET", "django/", "Traceback"), normal_path)


def _path(path: str) -> Callable[[Draft], bytes]:
    return lambda draft: draft.request(target=draft.address(path=path))


def _fragment(draft: Draft) -> bytes:
    return draft.request(target=f"{draft.address()}#/../fragment")


def _dropped(draft: Draft) -> bytes:
    return draft.request(
        "Connection: X-Forwarded-For, Authorization", "Authorization: Bearer lab", "X-Kept: 1"
    )


CASES: tuple[Case, ...] = (
    Case(
        "H-30",
        "Paths",
        "no file of the inside, no other host, no 5xx; one normal form, or refused",
        (
            Form("//evil/%2f..", _path("//evil.example/%2f.."), both(INSIDE, stays_here)),
            Form("%2e%2e", _path("/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd"), INSIDE),
            Form("..", _path("/static/../../../etc/passwd"), INSIDE),
            Form("%2f for /", _path("/static/..%2f..%2f..%2fetc%2fpasswd"), INSIDE),
            Form("%00", _path("/lab/echo%00.txt"), INSIDE),
            Form("#fragment", _fragment, both(INSIDE, without_fragment)),
            Form("bytes of UTF-8 as they are", _path("/lab/\xc3\xa9cho"), INSIDE),
            Form("a control byte", _path("/lab/\x01echo"), INSIDE),
        ),
    ),
    Case(
        "H-31",
        "Connection that names headers of security",
        "they arrive",
        (
            Form(
                "X-Forwarded-For, Authorization",
                _dropped,
                both(with_header("Authorization", "lab"), behind_edge(with_header("X-Forwarded-For"))),
            ),
        ),
    ),
)
"""Rows H-30 and H-31."""
