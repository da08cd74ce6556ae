"""A journey: log in, browse, write, go on with a refreshed token."""

import itertools

from locust import task

from shared.answers import Expected
from shared.clock import now_s
from shared.users import Member

PAGE = Expected(start=b'{"count":', part=b'"results":[{')
BOOK = Expected(start=b'{"id":', part=b'"isbn"')
CREATED = Expected(status=201, start=b'{"id":', part=b'"isbn"')
BOOKS, BOOK_PAGES, AUTHORS, AUTHOR_PAGES = 500, 25, 50, 3


class Mixed(Member):
    """Goes round one journey of eleven requests, each user from another step on.

    token 1, lists of books 4, one book 2, list of authors 1, own profile 1, create a book 1, refresh 1.
    """

    _isbns = itertools.count(int(now_s()) % 1_000_000 * 10_000)

    def prepare(self) -> None:
        """Log in, and begin somewhere in the journey, so that users do not walk in step."""
        super().prepare()
        self.own_profile = Expected(start=b"{", part=f'"{self.username}"'.encode())
        journey = [
            self.log_in,
            self.list_books,
            self.read_book,
            self.list_books,
            self.list_authors,
            self.list_books,
            self.read_book,
            self.create_book,
            self.list_books,
            self.read_profile,
            self.refresh_token,
        ]
        first = self.number % len(journey)
        self.steps = itertools.cycle(journey[first:] + journey[:first])
        self.length = len(journey)

    def rehearse(self) -> None:
        """One whole journey."""
        for _ in range(self.length):
            self.next_step()

    @task
    def next_step(self) -> None:
        """One request."""
        next(self.steps)()

    def log_in(self) -> None:
        """Username and password for tokens."""
        self.obtain_token(counted=True)

    def list_books(self) -> None:
        """Twenty books with their author and publishers."""
        page = self.choose.randint(1, BOOK_PAGES)
        self.ask("GET", f"/api/books/?page={page}", name="/api/books/?page=N", expect=PAGE)

    def read_book(self) -> None:
        """One book."""
        self.ask("GET", f"/api/books/{self.choose.randint(1, BOOKS)}/", name="/api/books/N/", expect=BOOK)

    def list_authors(self) -> None:
        """Up to twenty authors."""
        page = self.choose.randint(1, AUTHOR_PAGES)
        self.ask("GET", f"/api/authors/?page={page}", name="/api/authors/?page=N", expect=PAGE)

    def read_profile(self) -> None:
        """The user's own row."""
        self.ask("GET", "/api/auth/jwt/me/", expect=self.own_profile)

    def create_book(self) -> None:
        """A book that nobody has yet."""
        book = {
            "title": "Load and Learn",
            "isbn": f"979{next(self._isbns) % 10**10:010d}",
            "published": "2026-01-31",
            "pages": 200,
            "author_id": self.choose.randint(1, AUTHORS),
            "publisher_ids": [1],
        }
        self.ask("POST", "/api/books/", content=book, expect=CREATED)
