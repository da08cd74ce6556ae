"""The cheapest answer of the app, over kept-alive connections."""

from locust import task

from shared.answers import Expected
from shared.users import Visitor

PONG = Expected(start=b'{"ping"', part=b'"pong"')


class Ping(Visitor):
    """Asks for /api/ping/: no database, no token."""

    @task
    def ping(self) -> None:
        """One GET."""
        self.ask("GET", "/api/ping/", expect=PONG)
