"""What happened in the window of a trial: the rule by which requests are counted.

Free of Locust, so that it can be tested by feeding it requests.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram

from shared.answers import Failure, Kind

FLOOR_US = 1
CAP_US = 120_000_000
DIGITS = 3


class Outcome(enum.StrEnum):
    """Which histogram of its name a request belongs to; time-outs are failures with a histogram of their own."""

    OK = "ok"
    TIMEOUT = "timeout"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time in which is measured, ``start_s`` <= moment < ``end_s``, in seconds since the epoch."""

    start_s: float
    end_s: float

    def holds(self, moment_s: float) -> bool:
        """Whether the moment is in the window."""
        return self.start_s <= moment_s < self.end_s


@dataclass(slots=True)
class FailureCount:
    """How many requests failed in one way, and what the first of them said."""

    example: str
    count: int = 0


@dataclass(slots=True)
class Recorder:
    """Counts the requests of a window.

    The rule: latency and failures are those of every request that *started* in the window, however late it ended;
    throughput (``requests_ended``, ``ok_ended``, ``body_bytes``) is that of the requests that *ended* in it.
    Nothing is counted before ``window`` is set.
    """

    window: Window | None = None
    requests_ended: int = 0
    ok_ended: int = 0
    body_bytes: int = 0
    late: int = 0
    _histograms: defaultdict[tuple[str, Outcome], HdrHistogram] = field(
        default_factory=lambda: defaultdict(_histogram)
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
            self.requests_ended += 1
            self.body_bytes += body_bytes
            if error is None:
                self.ok_ended += 1
        elif started_inside:
            self.late += 1
        if started_inside:
            latency_us = min(max(round(latency_ms * 1000), FLOOR_US), CAP_US)
            self._histograms[name, _outcome(error)].record_value(latency_us)
            if error is not None:
                self._count_failure(name, error)

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
                "name": name,
                "outcome": outcome.value,
                "count": histogram.get_total_count(),
                "encoded": histogram.encode().decode("ascii"),
            }
            for (name, outcome), histogram in sorted(self._histograms.items(), key=lambda each: each[0])
        ]


def _histogram() -> HdrHistogram:
    return HdrHistogram(FLOOR_US, CAP_US, DIGITS)


def _outcome(error: BaseException | None) -> Outcome:
    if error is None:
        return Outcome.OK
    timed_out = isinstance(error, Failure) and error.kind is Kind.TIMEOUT
    return Outcome.TIMEOUT if timed_out else Outcome.FAIL
