"""Lists with joins, page by page."""

from locust import task

from shared.answers import Expected
from shared.users import Member

PAGE = Expected(start=b'{"count":', part=b'"results":[{')
BOOK_PAGES, AUTHOR_PAGES = 25, 3


class Catalogue(Member):
    """Leafs through the lists: of ten requests six for books, three for authors, one for publishers."""

    @task(6)
    def books(self) -> None:
        """Twenty books with their author (a join) and publishers (a second query)."""
        page = self.choose.randint(1, BOOK_PAGES)
        self.ask("GET", f"/api/books/?page={page}", name="/api/books/?page=N", expect=PAGE)

    @task(3)
    def authors(self) -> None:
        """Up to twenty authors."""
        page = self.choose.randint(1, AUTHOR_PAGES)
        self.ask("GET", f"/api/authors/?page={page}", name="/api/authors/?page=N", expect=PAGE)

    @task(1)
    def publishers(self) -> None:
        """All publishers, which are one page."""
        self.ask("GET", "/api/publishers/", expect=PAGE)
