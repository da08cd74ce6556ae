"""What a right answer looks like, and what is wrong with the others."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """How a request failed."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    RESET = "reset"
    STATUS = "status"
    CONTENT = "content"
    OTHER = "other"


class Failure(Exception):
    """Why a request does not count as answered.

    The text holds nothing that differs between requests of one kind, apart from what the server sent: Locust counts
    failures by their text.
    """

    def __init__(self, kind: Kind, text: str, *, status: int | None = None) -> None:
        """A failure of ``kind``; ``status`` is that of the answer, if there was one."""
        super().__init__(text)
        self.kind = kind
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A right answer: its status, and signs in the bytes of its body that cost nothing to check."""

    status: int = 200
    start: bytes = b""
    part: bytes = b""
    least_bytes: int = 0

    def failure(self, status: int, body: bytes) -> Failure | None:
        """Why this answer is wrong, or None when it is right."""
        if status != self.status:
            return Failure(Kind.STATUS, f"status {status} instead of {self.status}", status=status)
        if not body.startswith(self.start) or self.part not in body:
            return Failure(Kind.CONTENT, f"unexpected body {_beginning(body)}", status=status)
        if len(body) < self.least_bytes:
            text = f"body of {len(body)} instead of at least {self.least_bytes} bytes"
            return Failure(Kind.CONTENT, text, status=status)
        return None


def _beginning(body: bytes) -> str:
    text = body[:60].decode("utf-8", errors="replace")
    return repr(text + "..." if len(body) > 60 else text)
