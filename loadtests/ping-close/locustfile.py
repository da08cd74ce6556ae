"""The cheapest answer of the app, over a new TCP connection for every request."""

from locust import task

from shared.answers import Expected
from shared.users import Visitor

PONG = Expected(start=b'{"ping"', part=b'"pong"')


class PingClose(Visitor):
    """Asks for /api/ping/ with ``Connection: close``, and closes even if the server would not."""

    keep_alive = False

    @task
    def ping(self) -> None:
        """One connection, one GET."""
        self.ask("GET", "/api/ping/", expect=PONG)
