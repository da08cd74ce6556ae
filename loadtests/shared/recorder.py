"""What happened in the window of a trial: the rule by which requests are counted.

Free of Locust, so that it can be tested by feeding it requests.
"""

from __future__ import annotations

import enum
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from shared.answers import Failure, Kind
from shared.counts import Counts


class Outcome(enum.StrEnum):
    """Which histogram of its name a request belongs to; time-outs are failures with a histogram of their own.

    ``UNSENT`` holds how long arrivals had waited, when the window ended, for a user to send them.
    """

    OK = "ok"
    TIMEOUT = "timeout"
    FAIL = "fail"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time in which is measured, ``start_s`` <= moment < ``end_s``, in seconds since the epoch."""

    start_s: float
    end_s: float
    seconds: int = field(init=False)
    """How many seconds it has, the last of them maybe shorter; every request asks, so it is counted once."""

    def __post_init__(self) -> None:
        """Count the seconds."""
        object.__setattr__(self, "seconds", math.ceil(round(self.end_s - self.start_s, 6)))

    def holds(self, moment_s: float) -> bool:
        """Whether the moment is in the window."""
        return self.start_s <= moment_s < self.end_s

    def second_of(self, moment_s: float) -> int:
        """Which second of the window a moment in it belongs to, from 0."""
        return min(int(moment_s - self.start_s), self.seconds - 1)


@dataclass(slots=True)
class FailureCount:
    """How many requests failed in one way, and what the first of them said."""

    example: str
    count: int = 0


@dataclass(slots=True)
class Recorder:
    """Counts the requests of a window.

    The rule: latency and failures are those of every request that *started* in the window, however late it ended;
    throughput (``requests_ended``, ``ok_ended``, ``body_bytes``) is that of the requests that *ended* in it. So it is
    for each second of the window, too. A request that was due starts when it was due, whenever it was sent.
    Nothing is counted before ``window`` is set.
    """

    window: Window | None = None
    requests_ended: int = 0
    ok_ended: int = 0
    body_bytes: int = 0
    late: int = 0
    _ended: Counter[int] = field(default_factory=Counter)
    _ok: Counter[int] = field(default_factory=Counter)
    _latencies: defaultdict[tuple[int, str, Outcome], Counts] = field(
        default_factory=lambda: defaultdict(Counts)
    )
    _failures: dict[tuple[str, Kind, int | None], FailureCount] = field(default_factory=dict)

    def record(
        self, name: str, *, start_s: float, latency_ms: float, body_bytes: int, error: BaseException | None
    ) -> None:
        """Count one request that has ended, whenever it started."""
        window = self.window
        if window is None:
            return
        started_inside = window.holds(start_s)
        if window.holds(start_s + latency_ms / 1000):
            second = window.second_of(start_s + latency_ms / 1000)
            self.requests_ended += 1
            self.body_bytes += body_bytes
            self._ended[second] += 1
            if error is None:
                self.ok_ended += 1
                self._ok[second] += 1
        elif started_inside:
            self.late += 1
        if started_inside:
            self._latencies[window.second_of(start_s), name, _outcome(error)].add(latency_ms / 1000)
            if error is not None:
                self._count_failure(name, error)

    def note_unsent(self, due_s: float) -> None:
        """Count an arrival of the window that was never sent: it had waited since then when the window ended."""
        if self.window is not None:
            second = self.window.second_of(due_s)
            self._latencies[second, "", Outcome.UNSENT].add(self.window.end_s - due_s)

    def summary(self) -> dict[str, Any]:
        """Counts, failures and encoded histograms in the shape of the ``result`` event.

        Raises:
            RuntimeError: there was no window.
        """
        if self.window is None:
            raise RuntimeError("nothing has been measured: the window was never opened")
        return {
            "window_start": self.window.start_s,
            "window_end": self.window.end_s,
            "requests_ended": self.requests_ended,
            "ok_ended": self.ok_ended,
            "bytes": self.body_bytes,
            "late": self.late,
            "seconds": [
                {"ended": self._ended[second], "ok": self._ok[second]}
                for second in range(self.window.seconds)
            ],
            "errors": self._errors(),
            "histograms": self._encoded_histograms(),
        }

    def _count_failure(self, name: str, error: BaseException) -> None:
        kind, status = (error.kind, error.status) if isinstance(error, Failure) else (Kind.OTHER, None)
        counted = self._failures.get((name, kind, status))
        if counted is None:
            counted = self._failures[name, kind, status] = FailureCount(example=str(error)[:200])
        counted.count += 1

    def _errors(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "kind": kind.value, "status": status, "count": each.count, "example": each.example}
            for (name, kind, status), each in self._failures.items()
        ]

    def _encoded_histograms(self) -> list[dict[str, Any]]:
        return [
            {
                "second": second,
                "name": name,
                "outcome": outcome.value,
                "count": latencies.total,
                "encoded": latencies.encoded(),
            }
            for (second, name, outcome), latencies in sorted(
                self._latencies.items(), key=lambda each: each[0]
            )
        ]


def _outcome(error: BaseException | None) -> Outcome:
    if error is None:
        return Outcome.OK
    timed_out = isinstance(error, Failure) and error.kind is Kind.TIMEOUT
    return Outcome.TIMEOUT if timed_out else Outcome.FAIL
