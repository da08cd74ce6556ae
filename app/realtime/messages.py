"""What is said over the feed's WebSockets, and how much of it."""

import json
from collections import deque
from typing import Any

LARGEST_BYTES = 4096
LONGEST_ECHO = 64


def answer_to(text: str) -> dict[str, Any]:
    """Return the answer to a message of a client: a pong to a ping, else an error that says why."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return _error("That is no JSON that can be read.")
    if not isinstance(message, dict) or message.get("type") != "ping":
        return _error('Unknown message. Known: {"type": "ping", "echo": text}.')
    echo = message.get("echo", "")
    if not isinstance(echo, str) or len(echo) > LONGEST_ECHO:
        return _error(f"echo has to be a text of at most {LONGEST_ECHO} characters.")
    return {"type": "pong", "echo": echo}


def is_too_large(message: str | bytes) -> bool:
    """Whether a message has more bytes than are taken."""
    return len(message) > LARGEST_BYTES or (
        isinstance(message, str) and len(message.encode(errors="replace")) > LARGEST_BYTES
    )


class Pace:
    """Allows so many messages in any span of so many seconds."""

    def __init__(self, *, most: int, within_s: float) -> None:
        """Begin with none."""
        self._recent: deque[float] = deque(maxlen=most)
        self._within_s = within_s

    def allows(self, now_s: float) -> bool:
        """Count a message at this moment, unless it is one too many."""
        full = len(self._recent) == self._recent.maxlen
        if full and now_s - self._recent[0] < self._within_s:
            return False
        self._recent.append(now_s)
        return True


def _error(detail: str) -> dict[str, Any]:
    return {"type": "error", "detail": detail}
