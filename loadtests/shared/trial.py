"""One headless trial: users get ready, warm-up, window, the last answers, result.

Events go to stdout as JSON lines. With Locust's web UI nothing of this happens: its own statistics are used there.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import platform
import sys
from dataclasses import asdict
from typing import Any

import gevent
import locust
import locust.log
from gevent.event import Event
from locust import User
from locust.env import Environment
from locust.event import EventHook
from locust.log import greenlet_exception_logger
from locust.runners import logger

from shared import bounds
from shared.clock import now_s
from shared.counts import Counts
from shared.inspection import Inspections
from shared.line import CONNECTIONS
from shared.recorder import Recorder, Window
from shared.settings import Settings
from shared.turns import STAGE, Alarm

READY = EventHook()
"""Fired with ``user`` by every user that is ready to be measured."""

UNABLE = EventHook()
"""Fired with ``reason`` by every user that cannot get ready."""

SETUP_DEADLINE_S = 20.0
TICK_S = 0.01
OVERDUE_DEADLINE_S = 1.0
FORMAT = 2
"""Of the ``result`` event: 2 since histograms are by second."""
EXIT_OK = 0
EXIT_BROKEN = 1


class GeneratorBrokenError(RuntimeError):
    """The generator could not do its work: there is no result."""


class Trial:
    """Measures once and ends the process: exit code 0 when there is a result, however bad, else 1."""

    def __init__(self, environment: Environment, settings: Settings) -> None:
        """A trial that begins with Locust's test."""
        self.environment = environment
        self.settings = settings
        self.users = environment.parsed_options.num_users or 1
        self.recorder = Recorder()
        self.inspections = Inspections()
        self.loop_lag = Counts()
        self._crew: list[User] = []
        self._broken: str | None = None
        self._set_up = Event()
        environment.process_exit_code = EXIT_BROKEN  # until there is a result

    def listen(self) -> None:
        """Connect to Locust's events."""
        READY.add_listener(self.on_ready)
        UNABLE.add_listener(self.on_unable)
        self.environment.events.request.add_listener(self.on_request)
        self.environment.events.user_error.add_listener(self.on_user_error)
        self.environment.events.test_start.add_listener(self.on_test_start)

    def on_ready(self, *, user: User, **_: object) -> None:
        """One more user is ready."""
        self._crew.append(user)
        if len(self._crew) >= self.users:
            self._set_up.set()

    def on_unable(self, *, reason: str, **_: object) -> None:
        """A user will never be ready."""
        self._broken = reason
        self._set_up.set()

    def on_user_error(self, *, exception: Exception, **_: object) -> None:
        """A user's code raised, which is a mistake in a workload and no result."""
        self.on_unable(reason=f"{type(exception).__name__} in a workload: {exception}")

    def on_request(
        self,
        *,
        request_type: str,
        name: str,
        response_time: float,
        response_length: int,
        start_time: float,
        exception: BaseException | None = None,
        context: dict[str, Any],
        **_: object,
    ) -> None:
        """A request has ended, before the warm-up maybe one that was looked at."""
        exchange = context.get("exchange")
        if exchange is not None and context["counted"] and exception is None:
            self.inspections.note(f"{request_type} {name}", exchange)
        elif context.get("counted", True):
            self.recorder.record(
                f"{request_type} {name}",
                start_s=start_time,
                latency_ms=response_time,
                body_bytes=response_length,
                error=exception,
            )

    def on_test_start(self, **_: object) -> None:
        """Run beside the users."""
        gevent.spawn(self.run).link_exception(greenlet_exception_logger(logger))

    def run(self) -> None:
        """Measure and quit."""
        try:
            self._wait_for_users()
            window = self._warm_up()
            connections = self._measure(window)
            self._let_due_arrivals_go()
            self._let_users_finish()
            self._check_users()
            self._emit_result(connections)
            self.environment.process_exit_code = EXIT_OK
        except GeneratorBrokenError as broken:
            emit("broken", reason=str(broken))
        finally:
            self.environment.runner.quit()

    def _wait_for_users(self) -> None:
        finished = self._set_up.wait(SETUP_DEADLINE_S)
        self._check_users()
        if not finished:
            raise GeneratorBrokenError(
                f"{len(self._crew)} of {self.users} users ready in {SETUP_DEADLINE_S:g} s"
            )

    def _check_users(self) -> None:
        if self._broken is not None:
            raise GeneratorBrokenError(self._broken)
        if locust.log.unhandled_greenlet_exception:
            raise GeneratorBrokenError("Locust or a listener raised; its log says where")

    def _warm_up(self) -> Window:
        start_s = now_s() + self.settings.warmup_s
        window = Window(start_s=start_s, end_s=start_s + self.settings.duration_s)
        self.recorder.window = window
        STAGE.open(window)
        emit("warming", users=self.users)
        gc.collect()
        gc.freeze()  # so that no collection in the window walks through Locust itself
        _sleep_until(start_s)
        return window

    def _measure(self, window: Window) -> dict[str, int]:
        opened, replaced = CONNECTIONS.opened, CONNECTIONS.replaced
        emit("measuring", duration_s=self.settings.duration_s)
        gevent.spawn(self._watch_loop, window).link_exception(greenlet_exception_logger(logger))
        for second in range(1, int(self.settings.duration_s) + 1):
            _sleep_until(min(window.start_s + second, window.end_s))
            emit("progress", requests=self.recorder.requests_ended)
            self._check_users()
        _sleep_until(window.end_s)
        emit("measured")
        return {"opened": CONNECTIONS.opened - opened, "replaced": CONNECTIONS.replaced - replaced}

    def _watch_loop(self, window: Window) -> None:
        """See how late the generator wakes, whoever is to blame that nobody else has anything to send."""
        alarm, moment_s = Alarm(), window.start_s + TICK_S
        while moment_s < window.end_s:
            alarm.sleep_until(moment_s)
            self.loop_lag.add(now_s() - moment_s)
            moment_s += TICK_S
        alarm.close()

    def _let_due_arrivals_go(self) -> None:
        """Wait for users who had a request to send before the window's end, and are late."""
        arrivals, give_up_s = STAGE.arrivals, now_s() + OVERDUE_DEADLINE_S
        while arrivals is not None and arrivals.held and now_s() < give_up_s:
            gevent.sleep(0.001)
        for due_s in arrivals.unsent() if arrivals else ():
            self.recorder.note_unsent(due_s)

    def _let_users_finish(self) -> None:
        # Not by runner.stop(): it holds up all answers for some 20 ms before it stops anybody.
        for user in self._crew:
            user.stop()
        gevent.joinall([user.greenlet for user in self._crew], timeout=self.settings.timeout_s + 1)

    def _emit_result(self, connections: dict[str, int]) -> None:
        versions = {"locust": locust.__version__, "python": platform.python_version()}
        arrivals = STAGE.arrivals
        emit(
            "result",
            format=FORMAT,
            users=self.users,
            arrival=self.settings.arrival.value,
            steps=[asdict(step) for step in self.settings.steps],
            arrivals=None if arrivals is None else arrivals.summary(),
            loop_lag=self.loop_lag.encoded(),
            **self.recorder.summary(),
            connections=connections,
            inspections=self.inspections.summary(),
            versions=versions,
        )


def emit(event: str, **fields: object) -> None:
    """Write one event to stdout, at once."""
    sys.stdout.write(json.dumps({"event": event, "t": now_s()} | fields) + "\n")
    sys.stdout.flush()


@locust.events.init.add_listener
def attach(environment: Environment, **_: object) -> None:
    """Make headless runs trials; with the page, arrivals begin with the first user who is ready."""
    options = environment.parsed_options
    _stay_within_bounds(environment)
    if options is not None and options.headless:
        # Tables with rounded percentiles of everything, warm-up included, would only bury a last error.
        logging.getLogger("locust.stats_logger").setLevel(logging.WARNING)
        Trial(environment, Settings.read(os.environ)).listen()
    else:
        READY.add_listener(lambda **_: STAGE.open(None))
        environment.events.test_stop.add_listener(_end_on_page)


def _end_on_page(**_: object) -> None:
    """The next test begins anew; the log says how many arrivals were late, for which Locust's tables have no place."""
    if STAGE.arrivals is not None:
        logger.info("%s", STAGE.arrivals)
    STAGE.reset()


def _stay_within_bounds(environment: Environment) -> None:
    try:
        bounds.check(environment.host or "")
    except bounds.OutOfBounds as refused:
        sys.stderr.write(f"load is put on nobody else: {refused}\n")
        sys.exit(bounds.EXIT_REFUSED)


def _sleep_until(moment_s: float) -> None:
    while (left_s := moment_s - now_s()) > 0:
        gevent.sleep(left_s)
