"""One page of books with one relation, of a size and by a strategy that the variant names."""

from locust import task

from shared.answers import Expected
from shared.users import SETTINGS, Member

RELATION = SETTINGS.parameter("relation", ("author", "publishers"))
STRATEGY = SETTINGS.parameter("strategy", ("prefetch_related", "select_related", "naive"))
ROWS = SETTINGS.parameter("rows", ("100", "10", "500"))
PATH = f"/api/books/?include={RELATION}&strategy={STRATEGY}&page_size={ROWS}"
PAGE = Expected(start=b'{"count":', part=f'"{RELATION}":'.encode(), least_bytes=100 * int(ROWS))


class Lists(Member):
    """Asks for the first page of books."""

    @task
    def books(self) -> None:
        """One GET."""
        self.ask("GET", PATH, expect=PAGE)
