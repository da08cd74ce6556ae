"""`manage.py seed`: fill the database with the lab's catalogue and users."""

import hashlib

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.core.management.color import no_style
from django.db import connection, models, transaction

from accounts.models import Role
from catalogue import sample
from catalogue.models import Author, Book, Publisher

SALT_LENGTH = (
    22  # what Django wants at least; a shorter one is replaced at the first sign-in, which is a write
)


class Command(BaseCommand):
    """Writes the same rows every time, in one transaction; a second call changes nothing."""

    help = "Fill the database with 50 authors, 500 books, 20 publishers and 10 users; may be called again."

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer to make the tables too, so that one container can do both."""
        parser.add_argument("--migrate", action="store_true", help="apply the migrations before")

    def handle(self, *args: object, **options: object) -> None:
        """Write everything or nothing, and say what there is now."""
        if options["migrate"]:
            call_command("migrate", interactive=False, verbosity=0)
            call_command("createcachetable", verbosity=0)
        _fill()
        self.stdout.write(
            f"seeded {sample.AUTHORS} authors, {sample.BOOKS} books, {sample.PUBLISHERS} publishers "
            f"and {sample.USERS} users"
        )


@transaction.atomic
def _fill() -> None:
    _put(Author, sample.authors())
    _put(Publisher, sample.publishers())
    _put(Book, sample.books())
    _put_editions()
    _put_users()
    _advance_sequences()


def _put(model: type[models.Model], rows: list[models.Model]) -> None:
    columns = model._meta.concrete_fields  # noqa: SLF001 - documented, in spite of its name
    fields = [field.name for field in columns if not field.primary_key]
    model.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=fields)


def _put_editions() -> None:
    edition = Book.publishers.through
    rows = [edition(book_id=book, publisher_id=publisher) for book, publisher in sample.editions()]
    edition.objects.bulk_create(rows, ignore_conflicts=True)


def _put_users() -> None:
    for username in sample.usernames():
        get_user_model().objects.update_or_create(
            username=username,
            defaults={
                "email": f"{username}@example.org",
                "role": Role.ADMIN if username in sample.ADMINS else Role.EDITOR,
                "password": make_password(sample.USER_PASSWORD, salt=_salt(username)),
                "date_joined": sample.JOINED,
                "is_active": True,
            },
        )


def _salt(username: str) -> str:
    # From the name, so that two seeded databases are equal; the password is public anyway.
    return hashlib.sha256(username.encode()).hexdigest()[:SALT_LENGTH]


def _advance_sequences() -> None:
    # Rows that came with an id do not move PostgreSQL's counters: the next creation would collide.
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [Author, Publisher, Book]):
            cursor.execute(statement)
