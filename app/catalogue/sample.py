"""The same catalogue every time: rows made by counting, without chance and without a clock."""

from datetime import UTC, date, datetime, timedelta

from catalogue.models import Author, Book, Publisher

AUTHORS = 50
BOOKS = 500
PUBLISHERS = 20
USERS = 10
ADMINS = ("user09", "user10")  # the others are editors; readers come by signing up
USER_PASSWORD = "lab-password"  # noqa: S105 - public: the accounts exist to be measured with
JOINED = datetime(2026, 1, 1, tzinfo=UTC)

_FIRST_NAMES = ("Ada", "Bruno", "Clara", "David", "Elena", "Farid", "Greta", "Hugo", "Irina", "Jonas")
_LAST_NAMES = ("Almeida", "Berger", "Costa", "Dubois", "Eriksen")
_CITIES = ("Berlin", "Lisbon", "Lyon", "Oslo", "Vienna")
_HOUSES = ("North Gate", "Blue Lamp", "Harbour", "Linden")
_ADJECTIVES = ("Silent", "Distant", "Bright", "Hidden", "Last", "Open", "Winter", "Paper", "Glass", "Long")
_NOUNS = ("Harbour", "Garden", "Letter", "River", "House", "Road", "Mirror", "Island", "Orchard", "Signal")
_PLACES = ("of Porto", "by the Sea", "at Noon", "of Stone", "in Spring")


def authors() -> list[Author]:
    """Return the authors with the ids 1 to 50."""
    return [
        Author(id=n + 1, name=f"{_FIRST_NAMES[n % 10]} {_LAST_NAMES[n // 10]}", born=1900 + (n * 37) % 100)
        for n in range(AUTHORS)
    ]


def publishers() -> list[Publisher]:
    """Return the publishers with the ids 1 to 20."""
    return [
        Publisher(id=n + 1, name=f"{_HOUSES[n // 5]} {_CITIES[n % 5]}", city=_CITIES[n % 5])
        for n in range(PUBLISHERS)
    ]


def books() -> list[Book]:
    """Return the books with the ids 1 to 500, ten by each author."""
    return [
        Book(
            id=n + 1,
            title=f"The {_ADJECTIVES[n % 10]} {_NOUNS[n // 10 % 10]} {_PLACES[n // 100]}",
            isbn=_isbn(n),
            published=date(1950, 1, 1) + timedelta(days=(n * 53) % 25_000),
            pages=80 + (n * 29) % 700,
            author_id=n % AUTHORS + 1,
        )
        for n in range(BOOKS)
    ]


def editions() -> list[tuple[int, int]]:
    """Return (book id, publisher id) of every edition: one to three for each book."""
    return [(n + 1, (n + 7 * k) % PUBLISHERS + 1) for n in range(BOOKS) for k in range(n % 3 + 1)]


def usernames() -> list[str]:
    """Return user01 to user10."""
    return [f"user{n:02d}" for n in range(1, USERS + 1)]


def _isbn(number: int) -> str:
    # 978-1-000: kept clear of what the load creates, with a right check digit.
    digits = f"9781000{number:05d}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"
