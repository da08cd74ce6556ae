"""What a sender of requests tells, as a test wants it."""

from __future__ import annotations

from typing import Any

from tests.unit.test_ledger import chained

NONE = {"due": 0, "begun": 0, "taken": 0, "ok": 0, "refused": 0, "most_open": 0, "failed": 0}


def opening(per_s: float, *, began_s: float = 100.0) -> dict[str, Any]:
    """Its first line."""
    return {
        "flood": 2,
        "began_s": began_s,
        "url": "http://app:8000",
        "path": "/api/auth/jwt/login/",
        "body": "{}",
        "per_s": per_s,
        "users": 16,
        "timeout_s": 2.0,
        "duration_s": 4.0,
    }


def output(*told: dict[str, Any]) -> bytes:
    """Its standard output."""
    return "".join(f"{line}\n" for line in chained(*told)).encode()
