"""When a user's next turn comes: after its answer and a pause, or when the next arrival is due."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from gevent import get_hub
from gevent.event import Event
from locust.exception import StopUser
from locust.user.task import (
    LOCUST_STATE_RUNNING,
    LOCUST_STATE_STOPPING,
    LOCUST_STATE_WAITING,
    DefaultTaskSet,
)

from shared.arrivals import Arrivals, idle_until
from shared.clock import now_s, ticks_s
from shared.settings import Arrival, Settings

if TYPE_CHECKING:
    from shared.recorder import Window

READABLE = 1


class Alarm:
    """Wakes a greenlet at a moment, usually within 0.1 ms; ``gevent.sleep`` waits in whole milliseconds."""

    def __init__(self) -> None:
        """An alarm for one greenlet at a time."""
        self._timer = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
        self._watcher = get_hub().loop.io(self._timer, READABLE)

    def sleep_until(self, moment_s: float) -> None:
        """Return at the moment, at once if it has passed."""
        if moment_s > now_s():
            os.timerfd_settime(self._timer, flags=os.TFD_TIMER_ABSTIME, initial=ticks_s(moment_s))
            while now_s() < moment_s:
                get_hub().wait(self._watcher)

    def close(self) -> None:
        """Give the timer back."""
        self._watcher.close()
        os.close(self._timer)


class Stage:
    """What all users of this process share: the schedule of an open workload, the steps of a closed one."""

    def __init__(self, settings: Settings) -> None:
        """A stage on which nobody's turn comes before ``open``."""
        self.steps = settings.steps
        self._warmup_s = settings.warmup_s
        self.arrivals: Arrivals | None = None
        if settings.arrival is Arrival.OPEN:
            self.arrivals = Arrivals(
                steps=settings.steps,
                warmup_s=settings.warmup_s,
                spacing=settings.spacing,
                seed=settings.seed,
            )
        self._window_start_s = math.inf
        self._opened = Event()

    def open(self, window: Window | None) -> None:
        """Begin: with the warm-up before the window, or without any window on Locust's page."""
        if self.is_open:
            return
        begin_s = window.start_s - self._warmup_s if window else now_s()
        self._window_start_s = begin_s + self._warmup_s
        if self.arrivals is not None:
            self.arrivals.begin(begin_s, window=window)
        self._opened.set()

    @property
    def is_open(self) -> bool:
        """Whether it has begun."""
        return self._opened.is_set()

    def reset(self) -> None:
        """Wait for another ``open``: a new test of Locust's page begins anew."""
        self._opened.clear()

    def await_opening(self) -> None:
        """Return when the stage is open."""
        self._opened.wait()

    def pause_s(self, number: int) -> float:
        """How long the user with that number is not needed, infinity when not any more; the stage is open."""
        elapsed_s = now_s() - self._window_start_s
        until_s = idle_until(self.steps, number, elapsed_s)
        return 0.0 if until_s is None else max(0.0, until_s - elapsed_s)


class Turns(DefaultTaskSet):
    """A user's tasks, chosen by its own random numbers, one after the other."""

    def get_next_task(self) -> Any:  # noqa: ANN401 - Locust's own type says nothing
        """One of the tasks by their weights."""
        return self.user.choose.choice(self.user.tasks)


class SteppedTurns(Turns):
    """Tasks of one of a number of users that changes from step to step."""

    def get_next_task(self) -> Any:  # noqa: ANN401
        """Wait until the user is needed."""
        user, stage = self.user, self.user.stage
        if user.number >= stage.steps[0].level:
            _wait_as(user, stage.await_opening)
        while stage.is_open and (pause_s := stage.pause_s(user.number)):
            _wait_as(user, partial(_sleep, pause_s))
        return super().get_next_task()


class DueTurns(Turns):
    """Tasks of an open workload: each is an arrival of the schedule that all users share."""

    def get_next_task(self) -> Any:  # noqa: ANN401
        """Take the next arrival, wait until it is due, and choose its task by its number, not by who sends it."""
        user = self.user
        _wait_as(user, self._await_arrival)
        user.choose.seed(user.arrival.index)
        return super().get_next_task()

    def wait(self) -> None:
        """No pause: the next turn comes when it is due."""
        if self.user._state == LOCUST_STATE_STOPPING:  # noqa: SLF001 - as Locust's own wait does
            raise StopUser

    def _await_arrival(self) -> None:
        stage = self.user.stage
        stage.await_opening()
        arrival = stage.arrivals.take(now_s())
        if arrival is None:
            _sleep(math.inf)
        self.user.arrival = arrival
        self.user.alarm.sleep_until(arrival.due_s)


def _sleep(pause_s: float) -> None:
    Event().wait(None if math.isinf(pause_s) else pause_s)


def _wait_as(user: Any, wait: Callable[[], None]) -> None:  # noqa: ANN401
    """Wait in a state in which Locust may end the user at once."""
    if user._state == LOCUST_STATE_STOPPING:  # noqa: SLF001
        raise StopUser
    user._state = LOCUST_STATE_WAITING  # noqa: SLF001
    wait()
    user._state = LOCUST_STATE_RUNNING  # noqa: SLF001


STAGE = Stage(Settings.read(os.environ))
"""Of all users of this process."""


def turns_of(user: Any) -> Turns:  # noqa: ANN401 - a Visitor, which stands above
    """The turns that the environment's arrival gives the user."""
    if STAGE.arrivals is not None:
        return DueTurns(user)
    return SteppedTurns(user) if STAGE.steps else Turns(user)
