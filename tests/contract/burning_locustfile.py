"""A workload whose users take more of the generator's time than it has; runs in the generator's container."""

import time

from locust import task

from shared.answers import Expected
from shared.users import Visitor

BURN_S = 0.015


class Burning(Visitor):
    """Computes before it asks."""

    @task
    def ping(self) -> None:
        """One GET, after a while in which no other user gets a turn."""
        until_s = time.perf_counter() + BURN_S
        while time.perf_counter() < until_s:
            pass
        self.ask("GET", "/api/ping/", expect=Expected())
