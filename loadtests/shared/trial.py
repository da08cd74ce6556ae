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
import time
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

from shared.inspection import Inspections
from shared.line import CONNECTIONS
from shared.recorder import Recorder, Window
from shared.settings import Settings

READY = EventHook()
"""Fired with ``user`` by every user that is ready to be measured."""

UNABLE = EventHook()
"""Fired with ``reason`` by every user that cannot get ready."""

SETUP_DEADLINE_S = 20.0
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
            self._let_users_finish()
            self._check_users()
            self._emit_result(connections)
            self.environment.process_exit_code = EXIT_OK
        except GeneratorBrokenError as broken:
            logger.error("%s", broken)
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
        start_s = time.time() + self.settings.warmup_s
        window = Window(start_s=start_s, end_s=start_s + self.settings.duration_s)
        self.recorder.window = window
        emit("warming", users=self.users)
        gc.collect()
        gc.freeze()  # so that no collection in the window walks through Locust itself
        _sleep_until(start_s)
        return window

    def _measure(self, window: Window) -> dict[str, int]:
        opened, replaced = CONNECTIONS.opened, CONNECTIONS.replaced
        emit("measuring", duration_s=self.settings.duration_s)
        for second in range(1, int(self.settings.duration_s) + 1):
            _sleep_until(min(window.start_s + second, window.end_s))
            emit("progress", requests=self.recorder.requests_ended)
            self._check_users()
        _sleep_until(window.end_s)
        emit("measured")
        return {"opened": CONNECTIONS.opened - opened, "replaced": CONNECTIONS.replaced - replaced}

    def _let_users_finish(self) -> None:
        # Not by runner.stop(): it holds up all answers for some 20 ms before it stops anybody.
        for user in self._crew:
            user.stop()
        gevent.joinall([user.greenlet for user in self._crew], timeout=self.settings.timeout_s + 1)

    def _emit_result(self, connections: dict[str, int]) -> None:
        versions = {"locust": locust.__version__, "python": platform.python_version()}
        emit(
            "result",
            format=1,
            users=self.users,
            **self.recorder.summary(),
            connections=connections,
            inspections=self.inspections.summary(),
            versions=versions,
        )


def emit(event: str, **fields: object) -> None:
    """Write one event to stdout, at once."""
    sys.stdout.write(json.dumps({"event": event, "t": time.time()} | fields) + "\n")
    sys.stdout.flush()


@locust.events.init.add_listener
def attach(environment: Environment, **_: object) -> None:
    """Make headless runs trials."""
    options = environment.parsed_options
    if options is not None and options.headless:
        # Tables with rounded percentiles of everything, warm-up included, would only bury a last error.
        logging.getLogger("locust.stats_logger").setLevel(logging.WARNING)
        Trial(environment, Settings.read(os.environ)).listen()


def _sleep_until(moment_s: float) -> None:
    while (left_s := moment_s - time.time()) > 0:
        gevent.sleep(left_s)
