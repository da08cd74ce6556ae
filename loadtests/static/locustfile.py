"""A style sheet, from whoever serves static files."""

from locust import task

from shared.answers import Expected
from shared.users import Visitor

SHEET = Expected(start=b"/* A style sheet", least_bytes=16_000)


class Static(Visitor):
    """Asks for a file of about 16 kB, and thinks 5 ms, so that the generator does not become what is measured."""

    think_s = 0.005

    @task
    def sheet(self) -> None:
        """One GET."""
        self.ask("GET", "/static/lab/sample.css", expect=SHEET)
