"""Locust as it comes: its HttpUser, its statistics, and events at the edges of the window as of a trial."""

import json
import os
import sys
import time

import gevent
import locust
from locust import HttpUser, constant, task
from locust.env import Environment


class Plain(HttpUser):
    """One GET after the other over one kept connection."""

    wait_time = constant(0)

    @task
    def ping(self) -> None:
        """One GET."""
        self.client.get("/api/ping/")


def emit(event: str, **fields: object) -> None:
    """Write one event to stdout, at once."""
    sys.stdout.write(json.dumps({"event": event, "t": time.time()} | fields) + "\n")
    sys.stdout.flush()


@locust.events.test_start.add_listener
def begin(environment: Environment, **_: object) -> None:
    """Run beside the users."""
    gevent.spawn(measure, environment)


def measure(environment: Environment) -> None:
    """Tell how many requests ended, and how many of them failed, in the window."""
    total = environment.stats.total
    gevent.sleep(float(os.environ["LAB_LOAD_WARMUP_S"]))
    before, failed = total.num_requests, total.num_failures
    emit("measuring")
    gevent.sleep(float(os.environ["LAB_LOAD_DURATION_S"]))
    emit("measured", requests=total.num_requests - before, failed=total.num_failures - failed)
    gevent.sleep(2)  # until the lab has read what the container used
    environment.runner.quit()
