"""Authors, books and publishers: shapes, lists, what each role may do, and refusals by field."""

import pytest
from django.core.management import call_command

from catalogue.models import Author, Book, Publisher

pytestmark = pytest.mark.django_db

KINDS = ("authors", "books", "publishers")


@pytest.fixture
def create(editor):
    """POST as somebody who may."""

    def post(kind, body):
        return editor.post(f"/api/{kind}/", body, content_type="application/json")

    return post


@pytest.fixture
def ids(reader, seeded):
    """The ids of the first page for a query string."""

    def listed(kind, query):
        answer = reader.get(f"/api/{kind}/?{query}")
        assert answer.status_code == 200, answer.json()
        return [row["id"] for row in answer.json()["results"]]

    return listed


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
    for kind in KINDS:
        first = reader.get(f"/api/{kind}/").json()["results"][0]
        assert reader.get(f"/api/{kind}/1/").json() == first


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("page_size=1", [1]),
        ("page_size=3&page=2", [4, 5, 6]),
        ("page_size=500", list(range(1, 501))),
        ("page=25", list(range(481, 501))),
        ("ordering=-id&page_size=2", [500, 499]),
        ("ordering=-pages,title&page_size=3", [363, 194, 25]),
        ("search=distant%20porto&page_size=3", [2, 12, 22]),
        ("search=bruno&author=2&page_size=2", [2, 52]),
        ("author=4711", []),
        ("publishers=1&page_size=3", [1, 14, 21]),
        ("isbn=9781000000016", [2]),
        ("published__lte=1950-02-23", [1, 2, 473]),
        ("published__gte=2018-01-01&published__lte=2018-03-01", [470]),
        ("pages__gte=779", []),
        ("pages=109", [2]),
        ("title=The+Distant+Harbour+of+Porto&unknown=ignored", [2]),
    ],
)
def test_books_are_paged_ordered_searched_and_filtered(ids, query, expected):
    """Each parameter does what it says, alone and with others."""
    assert ids("books", query) == expected


@pytest.mark.parametrize(
    ("kind", "query", "expected"),
    [
        ("authors", "search=almeida&ordering=-name&page_size=2", [10, 9]),
        ("authors", "born__lte=1901", [1]),
        ("publishers", "city=Oslo", [4, 9, 14, 19]),
        ("publishers", "search=lamp&ordering=city&page_size=2", [6, 7]),
    ],
)
def test_so_are_authors_and_publishers(ids, kind, query, expected):
    """By their own columns."""
    assert ids(kind, query) == expected


def test_pages_of_equal_rows_do_not_overlap(ids):
    """Books with the same author come by id, so that every book is on exactly one page."""
    pages = [ids("books", f"ordering=author&page_size=7&page={page}") for page in range(1, 73)]
    assert sorted(book for page in pages for book in page) == list(range(1, 501))


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_token_nothing_is_shown(client, seeded, kind):
    """Lists, details and writes all want a token."""
    for answer in (
        client.get(f"/api/{kind}/"),
        client.get(f"/api/{kind}/1/"),
        client.post(f"/api/{kind}/", {}, content_type="application/json"),
        client.delete(f"/api/{kind}/1/"),
    ):
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize(
    ("role", "statuses"),
    [("reader", [403] * 4), ("editor", [201, 200, 200, 403]), ("admin", [201, 200, 200, 204])],
)
def test_readers_read_editors_change_admins_delete(holder_of_role, book_body, seeded, role, statuses):
    """POST, PUT, PATCH and DELETE, each allowed or 403 by role."""
    client = holder_of_role(role)
    answers = [
        client.post("/api/books/", book_body, content_type="application/json"),
        client.put("/api/books/1/", book_body | {"isbn": "9788888888888"}, content_type="application/json"),
        client.patch("/api/books/2/", {"pages": 7}, content_type="application/json"),
        client.delete("/api/books/3/"),
    ]
    assert [answer.status_code for answer in answers] == statuses
    assert client.get("/api/books/").status_code == 200


def test_a_created_book_can_be_read(create, reader, book_body, seeded):
    """What creation answers is what a later reader gets."""
    answer = create("books", book_body)
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


def test_a_changed_book_is_answered_as_it_is_read(editor, reader, book_body, seeded):
    """PUT changes all of it, also which publishers it has."""
    answer = editor.put("/api/books/1/", book_body, content_type="application/json")
    assert answer.json() == reader.get("/api/books/1/").json()
    assert answer.json() == {
        "id": 1,
        "title": "A new book",
        "isbn": "9789999999999",
        "published": "2026-01-31",
        "pages": 300,
        "author": {"id": 3, "name": "Clara Almeida"},
        "publishers": [{"id": 2, "name": "North Gate Lisbon"}, {"id": 5, "name": "North Gate Vienna"}],
    }


def test_patch_changes_what_is_named_and_nothing_else(editor, reader, seeded):
    """What is no field, or may not be written, is ignored: no id, no nested row, no column by its own name."""
    before = reader.get("/api/books/2/").json()
    foreign = {"id": 99, "author": {"id": 5, "name": "Mallory"}, "author__name": "Mallory", "role": "admin"}
    answer = editor.patch("/api/books/2/", {"pages": 7, **foreign}, content_type="application/json")
    assert answer.json() == before | {"pages": 7}
    assert reader.get("/api/authors/5/").json()["name"] == "Elena Almeida"
    assert not Book.objects.filter(pk__gt=500).exists()


def test_patch_can_change_the_publishers_alone(editor, seeded):
    """Also to none."""
    answer = editor.patch("/api/books/2/", {"publisher_ids": []}, content_type="application/json")
    assert answer.json()["publishers"] == []


def test_an_author_with_books_stays(admin, seeded):
    """409 with the reason; without books it can go."""
    answer = admin.delete("/api/authors/1/")
    assert (answer.status_code, answer.json()) == (409, {"detail": "10 books need it."})
    Book.objects.filter(author=1).delete()
    assert admin.delete("/api/authors/1/").status_code == 204
    assert not Author.objects.filter(pk=1).exists()


def test_a_publisher_leaves_its_books(admin, reader, seeded):
    """The books stay, without it."""
    assert admin.delete("/api/publishers/2/").status_code == 204
    assert [publisher["id"] for publisher in reader.get("/api/books/2/").json()["publishers"]] == [9]


def test_what_the_database_refuses_in_the_last_moment_is_a_conflict(editor, book_body, seeded, monkeypatch):
    """Two writers can pass the check for a unique number together; the second is 409, not a server error."""
    monkeypatch.setattr("rest_framework.validators.qs_exists", lambda queryset: False)
    taken = book_body | {"isbn": "9781000000016"}
    for answer in (
        editor.post("/api/books/", taken, content_type="application/json"),
        editor.put("/api/books/1/", taken, content_type="application/json"),
    ):
        assert answer.status_code == 409
        assert answer.json()["detail"].startswith("This contradicts")
    assert Book.objects.count() == 500


@pytest.mark.parametrize(
    "changed",
    [
        {"author_id": 4711},
        {"author_id": 10**30},
        {"author_id": "x"},
        {"author_id": "\ud800"},
        {"author_id": [1]},
        {"author_id": 1.5},
        {"author_id": True},
        {"author_id": None},
        {"publisher_ids": [4711]},
        {"publisher_ids": [10**30]},
        {"publisher_ids": "1"},
        {"publisher_ids": {"1": 1}},
        {"publisher_ids": list(range(1, 22))},
        {"publisher_ids": [["1"]]},
        {"isbn": "978"},
        {"isbn": "9781000000016"},
        {"isbn": "٩٧٨٩٩٩٩٩٩٩٩٩٩"},
        {"pages": 0},
        {"pages": 10**30},
        {"pages": "9" * 5000},
        {"pages": "many"},
        {"published": "2026-02-30"},
        {"published": "\ud800"},
        {"published": 10**30},
        {"title": ""},
        {"title": "x" * 301},
        {"title": "\0"},
        {"title": "\ud800"},
        {"title": ["x"]},
    ],
    ids=lambda changed: ascii(changed)[:40],
)
def test_a_poor_book_is_refused_by_field_and_not_stored(create, editor, book_body, seeded, changed):
    """The refusal names exactly the field that is wrong, in creation and in change."""
    before = Book.objects.filter(pk=7).values().get()
    for answer in (
        create("books", book_body | changed),
        editor.patch("/api/books/7/", changed, content_type="application/json"),
    ):
        assert answer.status_code == 400
        assert list(answer.json()) == list(changed)
    assert Book.objects.count() == 500
    assert Book.objects.filter(pk=7).values().get() == before


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
