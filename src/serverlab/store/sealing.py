"""Seals: what is written carries a digest of itself, so that whatever became of it later is noticed when it is read.

A sealed record is JSON like any other; its last member is ``"sha256"``, the digest of its text without that member.
Files of older labs have no seals and are read as they are. What is not as it was sealed is damaged, whether a disk, a
transfer or a hand changed it; where the member itself is hurt, it is one that no record knows.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

MEMBER = re.compile(rb',\s*"sha256":\s?"([0-9a-f]{16})"(\s*\})\s*\Z')
LENGTH = 16


class SealBroken(msgspec.DecodeError):
    """The text is not what was sealed."""


def sealed(text: bytes, *, between: bytes = b",", colon: bytes = b":") -> bytes:
    """The JSON object with its seal; ``between`` and ``colon`` are what stands before and within the member."""
    end = text.rindex(b"}")
    body = text[:end].rstrip()
    closing = text[len(body) :]
    return body + between + b'"sha256"' + colon + b'"' + _digest(body) + b'"' + closing


def opened(text: bytes) -> bytes:
    """The JSON object without its seal, or as it is where it never had one.

    Raises:
        SealBroken: it was changed since it was sealed.
    """
    found = MEMBER.search(text)
    if found is None:
        return text
    body = text[: found.start()]
    if _digest(body) != found[1]:
        raise SealBroken("it is not what was written: its digest differs")
    return body + found[2]


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:LENGTH].encode()
