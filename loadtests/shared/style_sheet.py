"""A visitor who asks for one file of about 16 kB, and thinks, so that the generator is not what is measured."""

from locust import task

from shared.answers import Expected
from shared.users import Visitor

SHEET = Expected(start=b"/* A style sheet", least_bytes=16_000)


class StyleSheet(Visitor):
    """Asks for the file again and again, and thinks 5 ms in between."""

    abstract = True
    think_s = 0.005

    @task
    def sheet(self) -> None:
        """One GET."""
        self.ask("GET", "/static/lab/sample.css", expect=SHEET)
