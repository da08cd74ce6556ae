"""Three ways to read books together with what belongs to them, to be compared, and the best mix of them."""

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

from django.db.models import QuerySet
from django.http import QueryDict
from rest_framework.exceptions import ValidationError

from catalogue.models import Book

Word = TypeVar("Word", bound=StrEnum)


class Relation(StrEnum):
    """What a book may carry along."""

    AUTHOR = "author"  # many books to one
    PUBLISHERS = "publishers"  # many to many


class Strategy(StrEnum):
    """How relations are read.

    `naive` asks for each row and relation when it is shown. `select_related` gets the author by a join; publishers
    cannot come by one, so they are asked for row by row. `prefetch_related` asks once per relation for a whole page.
    """

    NAIVE = "naive"
    SELECT_RELATED = "select_related"
    PREFETCH_RELATED = "prefetch_related"


NONE: frozenset[Relation] = frozenset()
ALL = frozenset(Relation)
JOINED = {
    None: frozenset({Relation.AUTHOR}),
    Strategy.NAIVE: NONE,
    Strategy.SELECT_RELATED: frozenset({Relation.AUTHOR}),
    Strategy.PREFETCH_RELATED: NONE,
}
PREFETCHED = {
    None: frozenset({Relation.PUBLISHERS}),
    Strategy.NAIVE: NONE,
    Strategy.SELECT_RELATED: NONE,
    Strategy.PREFETCH_RELATED: ALL,
}


def books(strategy: Strategy | None, include: frozenset[Relation]) -> QuerySet[Book]:
    """Return all books, read so that showing the included relations takes the queries of the strategy."""
    found = Book.objects.all()
    if joined := JOINED[strategy] & include:
        found = found.select_related(*joined)
    return found.prefetch_related(*sorted(PREFETCHED[strategy] & include))


def strategy_of(parameters: QueryDict) -> Strategy | None:
    """Return what `?strategy=` names, None without it; raise ValidationError (400) for another word."""
    asked = parameters.get("strategy")
    return None if asked is None else _word(Strategy, asked, parameter="strategy")


def included_by(parameters: QueryDict) -> frozenset[Relation]:
    """Return what `?include=` names, all without it; raise ValidationError (400) for another word."""
    asked = parameters.get("include")
    if asked is None:
        return ALL
    return frozenset(_word(Relation, name, parameter="include") for name in asked.split(",") if asked)


def _word(known: type[Word], asked: str, *, parameter: str) -> Word:
    try:
        return known(asked)
    except ValueError:
        raise ValidationError({parameter: [f"Unknown: must be {_either(known)}."]}) from None


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"
