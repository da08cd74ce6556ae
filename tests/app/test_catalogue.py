"""Authors, books and publishers: shapes, limits and the number of queries."""

import pytest
from django.core.management import call_command
from rest_framework.pagination import PageNumberPagination

from catalogue.models import Author, Book, Publisher

pytestmark = pytest.mark.django_db

QUERIES_OF_A_PLAIN_LIST = 3  # the user, the count, the page
QUERIES_OF_THE_BOOKS = 4  # and the publishers of the whole page


@pytest.fixture
def seeded(db, capsys):
    """A database with the lab's catalogue."""
    call_command("seed")


@pytest.fixture
def create(editor):
    """POST as somebody who may."""

    def post(kind, body):
        return editor.post(f"/api/{kind}/", body, content_type="application/json")

    return post


@pytest.fixture
def book(seeded):
    """The body that creates a good book."""
    return {
        "title": "A new book",
        "isbn": "9789999999999",
        "published": "2026-01-31",
        "pages": 300,
        "author_id": 3,
        "publisher_ids": [2, 5],
    }


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("page_size", [2, 20])
@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/api/authors/", QUERIES_OF_A_PLAIN_LIST),
        ("/api/publishers/", QUERIES_OF_A_PLAIN_LIST),
        ("/api/books/", QUERIES_OF_THE_BOOKS),
    ],
)
def test_a_list_takes_the_same_queries_for_any_page(request, monkeypatch, path, queries, page_size):
    """No list asks the database more often because its page is longer."""
    reader, exactly = map(request.getfixturevalue, ("reader", "django_assert_num_queries"))
    monkeypatch.setattr(PageNumberPagination, "page_size", page_size)
    with exactly(queries):
        assert len(reader.get(path).json()["results"]) == page_size


def test_a_page_of_books_is_what_the_load_and_the_proof_expect(reader, seeded):
    """The shape of a page, and one book of it in full."""
    body = reader.get("/api/books/").json()
    assert set(body) == {"count", "next", "previous", "results"}
    assert (body["count"], body["previous"], len(body["results"])) == (500, None, 20)
    assert body["next"] == "http://testserver/api/books/?page=2"
    assert body["results"][1] == {
        "id": 2,
        "title": "The Distant Harbour of Porto",
        "isbn": "9781000000016",
        "published": "1950-02-23",
        "pages": 109,
        "author": {"id": 2, "name": "Bruno Almeida"},
        "publishers": [{"id": 2, "name": "North Gate Lisbon"}, {"id": 9, "name": "Blue Lamp Oslo"}],
    }


def test_details_are_the_same_as_in_the_list(reader, seeded):
    """One row looks the same alone and in its list."""
    for kind in ("authors", "books", "publishers"):
        first = reader.get(f"/api/{kind}/").json()["results"][0]
        assert reader.get(f"/api/{kind}/1/").json() == first


@pytest.mark.parametrize("kind", ["authors", "books", "publishers"])
def test_without_a_token_nothing_is_shown(client, seeded, kind):
    """Lists, details and creation all want a token."""
    for answer in (
        client.get(f"/api/{kind}/"),
        client.get(f"/api/{kind}/1/"),
        client.post(f"/api/{kind}/", {}, content_type="application/json"),
    ):
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


def test_a_created_book_can_be_read(create, reader, book):
    """What creation answers is what a later reader gets."""
    answer = create("books", book)
    assert answer.status_code == 201
    body = answer.json()
    assert body["author"] == {"id": 3, "name": "Clara Almeida"}
    assert [publisher["id"] for publisher in body["publishers"]] == [2, 5]
    assert reader.get(f"/api/books/{body['id']}/").json() == body


def test_authors_and_publishers_can_be_created(create, seeded):
    """They get the next free ids."""
    assert create("authors", {"name": "New", "born": 1980}).json() == {"id": 51, "name": "New", "born": 1980}
    created = create("publishers", {"name": "New", "city": "Rome"})
    assert (created.status_code, created.json()["id"]) == (201, 21)


@pytest.mark.parametrize(
    "changed",
    [
        {"author_id": 4711},
        {"author_id": 10**30},
        {"author_id": "x"},
        {"author_id": [1]},
        {"author_id": True},
        {"author_id": None},
        {"publisher_ids": [4711]},
        {"publisher_ids": [10**30]},
        {"publisher_ids": "1"},
        {"publisher_ids": {"1": 1}},
        {"publisher_ids": list(range(1, 22))},
        {"isbn": "978"},
        {"isbn": "9781000000016"},
        {"isbn": "٩٧٨٩٩٩٩٩٩٩٩٩٩"},
        {"pages": 0},
        {"pages": 10**30},
        {"pages": "many"},
        {"published": "2026-02-30"},
        {"title": ""},
        {"title": "x" * 301},
        {"title": "\0"},
        {"title": "\ud800"},
    ],
    ids=repr,
)
def test_a_poor_book_is_refused_by_field_and_not_stored(create, book, changed):
    """The refusal names exactly the field that is wrong."""
    answer = create("books", book | changed)
    assert answer.status_code == 400
    assert list(answer.json()) == list(changed)
    assert Book.objects.count() == 500


@pytest.mark.parametrize(
    "path",
    [
        "/api/books/0/",
        "/api/books/4711/",
        f"/api/books/{10**30}/",
        "/api/books/" + "9" * 5000 + "/",
        "/api/books/x/",
        "/api/books/-1/",
        "/api/books/?page=0",
        "/api/books/?page=26",
        f"/api/books/?page={10**30}",
        "/api/books/?page=x",
        "/api/books/?page=%00",
    ],
)
def test_what_is_not_there_is_a_404_in_json(reader, seeded, path):
    """Also for ids and pages that no database could hold."""
    answer = reader.get(path)
    assert answer.status_code == 404
    assert "detail" in answer.json()


def test_books_are_not_changed_or_removed(admin, seeded):
    """Only what is promised is there."""
    assert admin.delete("/api/books/1/").status_code == 405
    assert admin.put("/api/books/1/", {}, content_type="application/json").status_code == 405


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b"[]", b"1" * 5000, b"[" * 100_000, b" " * 2_700_000],
    ids=["cut", "no UTF-8", "list", "number", "deep", "large"],
)
def test_a_body_that_cannot_be_read_is_refused_in_json(editor, body):
    """No body crashes the parser."""
    answer = editor.generic("POST", "/api/authors/", body, content_type="application/json")
    assert answer.status_code == (413 if len(body) > 2**20 else 400)
    assert answer["Content-Type"] == "application/json"


def test_a_form_is_no_json(editor):
    """Another content type is refused, so no foreign form can write."""
    assert editor.post("/api/authors/", {"name": "New", "born": 1980}).status_code == 415


class TestSeed:
    def test_counts(self, seeded):
        assert [model.objects.count() for model in (Author, Book, Publisher)] == [50, 500, 20]

    def test_every_isbn_is_valid(self, seeded):
        for isbn in Book.objects.values_list("isbn", flat=True):
            assert sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(isbn)) % 10 == 0

    def test_a_second_call_changes_nothing(self, seeded, django_user_model):
        before = everything(django_user_model)
        call_command("seed")
        assert everything(django_user_model) == before

    def test_a_changed_row_is_mended_and_a_foreign_one_kept(self, seeded, create):
        Author.objects.filter(pk=1).update(name="Somebody")
        create("authors", {"name": "New", "born": 1980})
        call_command("seed")
        assert Author.objects.get(pk=1).name == "Ada Almeida"
        assert Author.objects.count() == 51

    def test_seeded_users_sign_in_without_writing_a_new_hash(self, seeded, client, django_user_model):
        before = django_user_model.objects.get(username="user07").password
        body = {"username": "user07", "password": "lab-password"}
        assert client.post("/api/auth/jwt/login/", body, content_type="application/json").status_code == 200
        assert django_user_model.objects.get(username="user07").password == before
        assert before.startswith("md5$")

    def test_the_cheap_hashes_are_worth_nothing_in_production(self, seeded, client, settings):
        settings.PASSWORD_HASHERS = ["accounts.hashers.Argon2id"]
        body = {"username": "user07", "password": "lab-password"}
        assert client.post("/api/auth/jwt/login/", body, content_type="application/json").status_code == 401


def everything(user_model):
    """Return every row that the seed command writes."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (Author, Book, Publisher, Book.publishers.through, user_model)
    ]
