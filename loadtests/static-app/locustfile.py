"""The style sheet of `static`, from the app where no server or edge is before it with the file."""

from locust import task

from shared.answers import Expected
from shared.users import Visitor

SHEET = Expected(start=b"/* A style sheet", least_bytes=16_000)


class StaticApp(Visitor):
    """Asks for the same file as `Static`, and thinks as long."""

    think_s = 0.005

    @task
    def sheet(self) -> None:
        """One GET."""
        self.ask("GET", "/static/lab/sample.css", expect=SHEET)
