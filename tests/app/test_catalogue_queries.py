"""How many queries a list takes: by strategy, by what it includes, and by the length of its pages."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

pytestmark = pytest.mark.django_db

STRATEGIES = ("", "&strategy=naive", "&strategy=select_related", "&strategy=prefetch_related")
INCLUDES = ("", "&include=author", "&include=publishers", "&include=")


@pytest.fixture
def queries_of(reader, seeded):
    """The number of queries that a list takes."""

    def count(path):
        with CaptureQueriesContext(connection) as captured:
            answer = reader.get(path)
        assert answer.status_code == 200, answer.json()
        return len(captured)

    return count


def test_only_the_naive_and_what_cannot_be_joined_grow_with_the_page(queries_of):
    """The whole table, at 10 and 50 rows: who asks, the count and the page are 3 queries of each."""
    assert {
        f"{strategy}{include}": tuple(
            queries_of(f"/api/books/?page_size={rows}{strategy}{include}") for rows in (10, 50)
        )
        for strategy in STRATEGIES
        for include in INCLUDES
    } == {
        "": (4, 4),
        "&include=author": (3, 3),
        "&include=publishers": (4, 4),
        "&include=": (3, 3),
        "&strategy=naive": (23, 103),
        "&strategy=naive&include=author": (13, 53),
        "&strategy=naive&include=publishers": (13, 53),
        "&strategy=naive&include=": (3, 3),
        "&strategy=select_related": (13, 53),
        "&strategy=select_related&include=author": (3, 3),
        "&strategy=select_related&include=publishers": (13, 53),
        "&strategy=select_related&include=": (3, 3),
        "&strategy=prefetch_related": (5, 5),
        "&strategy=prefetch_related&include=author": (4, 4),
        "&strategy=prefetch_related&include=publishers": (4, 4),
        "&strategy=prefetch_related&include=": (3, 3),
    }


@pytest.mark.parametrize("path", ["/api/authors/?", "/api/publishers/?"])
def test_lists_without_relations_take_three_queries(queries_of, path):
    """Who asks, the count, the page."""
    assert [queries_of(f"{path}page_size={rows}") for rows in (1, 20)] == [3, 3]


def test_every_strategy_gives_the_same_rows(reader, seeded):
    """They differ in cost only."""
    first, *others = [
        reader.get(f"/api/books/?page_size=30{strategy}").json()["results"] for strategy in STRATEGIES
    ]
    assert others == [first, first, first]


@pytest.mark.parametrize(
    ("include", "relations"),
    [
        ("", {"author", "publishers"}),
        ("?include=author", {"author"}),
        ("?include=publishers", {"publishers"}),
        ("?include=publishers,author", {"author", "publishers"}),
        ("?include=", set()),
    ],
)
def test_rows_carry_the_relations_that_are_included(reader, seeded, include, relations):
    """In the list and alone."""
    own = {"id", "title", "isbn", "published", "pages"}
    for row in (
        reader.get(f"/api/books/{include}").json()["results"][0],
        reader.get(f"/api/books/1/{include}").json(),
    ):
        assert set(row) == own | relations


def test_a_strategy_holds_for_one_row_as_well(queries_of):
    """Who asks, the row, and what is not joined."""
    assert [queries_of(f"/api/books/2/?{strategy}") for strategy in STRATEGIES] == [3, 4, 3, 4]
