"""A view that waits for something else: 100 ms of sleep, hardly any work."""

from locust import task

from shared.answers import Expected
from shared.users import Visitor

WAITED = Expected(start=b'{"waited_ms"', part=b"100")


class Wait(Visitor):
    """Asks for /lab/wait?ms=100: what counts is how many requests a server can have waiting at once."""

    @task
    def wait_100_ms(self) -> None:
        """One GET."""
        self.ask("GET", "/lab/wait?ms=100", name="/lab/wait?ms=100", expect=WAITED)
