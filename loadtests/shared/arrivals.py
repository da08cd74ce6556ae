"""Open arrival: when requests are due, whoever sends them and however long answers take.

Free of Locust and of gevent, so that it can be tested by asking it what is due when.

All users of an open workload draw from one schedule. Each free user takes the next arrival and sleeps until it is due,
so an arrival that nobody has taken when it is due found every user waiting for an answer: it is taken late, its latency
still counts from when it was due. An arrival that was taken in time and sent late is the generator's own fault: lag.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.counts import Counts
from shared.recorder import Window
from shared.settings import Spacing, Step


@dataclass(slots=True)
class Due:
    """One request that is due: ``queued`` says that no user was free for it in time."""

    index: int
    due_s: float
    queued: bool
    sent: bool = False


@dataclass(slots=True)
class Arrivals:
    """The schedule that all users draw from, and what became of the arrivals that are due within the window."""

    steps: Sequence[Step]
    warmup_s: float
    spacing: Spacing
    seed: int
    window: Window | None = None
    sent: int = 0
    queued: int = 0
    lag: Counts = field(default_factory=Counts)
    _began_s: float = 0.0
    _next: Iterator[tuple[int, float]] = field(default_factory=lambda: iter(()))
    _held: set[int] = field(default_factory=set)
    _taken: int = 0

    def begin(self, now_s: float, *, window: Window | None) -> None:
        """Start the schedule now and count anew; with a ``window`` only what is due within it is counted."""
        self._began_s, self.window = now_s, window
        self.sent, self.queued, self.lag = 0, 0, Counts()
        self._held.clear()
        self._next = enumerate(self._moments())

    def take(self, now_s: float) -> Due | None:
        """The next arrival, for the user who asks to send when it is due; None after the window's end."""
        if self.window is not None and now_s >= self.window.end_s:
            return None
        index, moment_s = next(self._next)
        self._taken = index + 1
        arrival = Due(index=index, due_s=self._began_s + moment_s, queued=self._began_s + moment_s < now_s)
        if self._counts(arrival.due_s):
            self._held.add(index)
        return arrival

    def note_sent(self, arrival: Due, now_s: float) -> None:
        """The user who took it sends it now."""
        arrival.sent = True
        if not self._counts(arrival.due_s):
            return
        self._held.discard(arrival.index)
        self.sent += 1
        if arrival.queued:
            self.queued += 1
        else:
            self.lag.add(now_s - arrival.due_s)

    @property
    def held(self) -> int:
        """How many arrivals of the window were taken and are not sent yet."""
        return len(self._held)

    def unsent(self) -> list[float]:
        """When the arrivals of the window were due that nobody was free to take, up to its end."""
        return [due_s for index, due_s in self._scheduled() if index >= self._taken]

    def summary(self) -> dict[str, Any]:
        """What became of the arrivals that were due within the window, in the shape of the ``result`` event.

        ``lost`` are those that were taken and never sent: a workload whose task asks for nothing.
        """
        return {
            "scheduled": len(self._scheduled()),
            "sent": self.sent,
            "queued": self.queued,
            "unsent": len(self.unsent()),
            "lost": self.held,
            "lag": self.lag.encoded(),
        }

    def __str__(self) -> str:
        """What became of them up to now, for who reads Locust's log."""
        return (
            f"open arrival: {self.sent} requests were sent, {self.queued} of them late: every user was busy"
        )

    def _counts(self, due_s: float) -> bool:
        return self.window is None or self.window.holds(due_s)

    def _scheduled(self) -> list[tuple[int, float]]:
        """All arrivals of the window, from the schedule alone."""
        if self.window is None:
            return []
        due = ((index, self._began_s + moment_s) for index, moment_s in enumerate(self._moments()))
        until_end = itertools.takewhile(lambda each: each[1] < self.window.end_s, due)
        return [each for each in until_end if each[1] >= self.window.start_s]

    def _moments(self) -> Iterator[float]:
        return moments(self.steps, warmup_s=self.warmup_s, spacing=self.spacing, seed=self.seed)


def moments(steps: Sequence[Step], *, warmup_s: float, spacing: Spacing, seed: int) -> Iterator[float]:
    """The seconds after the beginning at which requests are due, without end.

    The warm-up has the rate at which the first step begins, and the rate at which the last ends goes on. Arrivals at a
    changing rate are arrivals at one per second on a clock that runs at that rate.
    Source: E. Cinlar, Introduction to Stochastic Processes (1975), 4.7 (time change of a Poisson process).
    """
    first, last = steps[0].level, steps[-1].ramp_to
    warmup = Step(level=first, ramp_to=first, duration_s=warmup_s)
    after = Step(level=last, ramp_to=last, duration_s=math.inf)
    parts = iter([warmup, *steps, after])
    part, began_s, passed = next(parts), 0.0, 0.0
    for due in _unit_arrivals(spacing, seed):
        while due - passed >= (expected := (part.level + part.ramp_to) / 2 * part.duration_s):
            passed, began_s = passed + expected, began_s + part.duration_s
            part = next(parts)
        yield began_s + _reached_s(part, due - passed)


def _unit_arrivals(spacing: Spacing, seed: int) -> Iterator[float]:
    """Arrivals at one per second."""
    if spacing is Spacing.CONSTANT:
        return map(float, itertools.count())
    gaps = random.Random(seed)
    return itertools.accumulate(gaps.expovariate(1.0) for _ in itertools.count())


def _reached_s(part: Step, arrivals: float) -> float:
    """When so many arrivals have come since the part began: level t + slope t^2 / 2 = arrivals, solved for t."""
    slope = 0.0 if math.isinf(part.duration_s) else (part.ramp_to - part.level) / part.duration_s
    if not arrivals:
        return 0.0
    return 2 * arrivals / (part.level + math.sqrt(part.level**2 + 2 * slope * arrivals))


def idle_until(steps: Sequence[Step], number: int, elapsed_s: float) -> float | None:
    """When the user with that number is needed next, in seconds since the window began; None if it is needed now.

    Of a closed workload with steps only as many users ask as the step says; before the window as many as in the first
    step, after it as many as in the last. Infinity where the user is not needed any more.
    """
    ends = list(itertools.accumulate(step.duration_s for step in steps))
    now = min(sum(end <= elapsed_s for end in ends), len(steps) - 1)
    if number < steps[now].level:
        return None
    later = (ends[index - 1] for index in range(now + 1, len(steps)) if number < steps[index].level)
    return next(later, math.inf)
