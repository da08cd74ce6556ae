"""Writes that may be sent again: done once, answered as the first time, and found by their keys."""

import io
import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalogue.idempotency import current_key
from catalogue.models import Author, Book, Write

pytestmark = pytest.mark.django_db

AUTHOR = {"name": "New", "born": 1980}
KEY = {"Idempotency-Key": "one-Key_1"}


class WatchedBody(io.BytesIO):
    """A body that notes, each time some of it is read, whether a transaction is open."""

    def __init__(self, content):
        super().__init__(content)
        self.in_transaction = []

    def read(self, *size):
        self.in_transaction.append(connection.in_atomic_block)
        return super().read(*size)


@pytest.fixture
def post(editor):
    """POST an author as an editor."""

    def send(body=AUTHOR, headers=KEY, client=editor):
        return client.post("/api/authors/", body, content_type="application/json", headers=headers)

    return send


def test_a_repeat_is_answered_as_the_first_time_and_writes_nothing(post):
    """Same status, same bytes, one row, and it says that it is a repeat."""
    first, second = post(), post()
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert ("Idempotency-Replayed" in first, second["Idempotency-Replayed"]) == (False, "true")
    assert Author.objects.count() == 1


def test_the_same_request_under_another_key_or_none_is_another_write(post):
    """Only the key makes it a repeat."""
    for headers in (KEY, {"Idempotency-Key": "another"}, {}, {}):
        assert post(headers=headers).status_code == 201
    assert Author.objects.count() == 4


def test_a_key_is_the_users_own(post, holder_of_role):
    """Two users may choose the same one."""
    assert post().json() != post(client=holder_of_role("admin")).json()


def test_a_repeat_is_what_was_answered_then_even_if_the_row_has_changed(post, editor):
    """The answer is kept, not made anew."""
    first = post()
    editor.patch(f"/api/authors/{first.json()['id']}/", {"born": 1}, content_type="application/json")
    assert post().json() == first.json()


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/api/authors/", "data": AUTHOR | {"born": 1981}},
        {"path": "/api/publishers/", "data": {"name": "New", "city": "Rome"}},
        {"path": "/api/authors/?page=1", "data": AUTHOR},
    ],
)
def test_the_key_of_another_request_is_refused(post, editor, other):
    """Another body or address under a used key is 422, and nothing is written."""
    post()
    answer = editor.post(**other, content_type="application/json", headers=KEY)
    assert (answer.status_code, list(answer.json())) == (422, ["detail"])
    assert Author.objects.count() == 1


def test_the_same_content_in_other_bytes_is_the_same_request(post, editor):
    """Spaces and the order of fields do not count."""
    post()
    answer = editor.post(
        "/api/authors/", b' {"born":1980,"name":"New"}', content_type="application/json", headers=KEY
    )
    assert (answer.status_code, answer["Idempotency-Replayed"]) == (201, "true")


def test_with_a_session_it_is_the_same(post, django_user_model):
    """Whatever the check of the CSRF token has read before."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(django_user_model.objects.create(username="somebody", role="editor"))
    headers = KEY | {"X-CSRFToken": client.get("/api/auth/csrf/").json()["csrf_token"]}
    answers = [post(headers=headers, client=client) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert Author.objects.count() == 1


def test_changes_and_removals_are_done_once_too(admin, seeded):
    """A repeated DELETE is 204 again, and not 404; a repeated PATCH does not change back."""
    patched = {"data": {"pages": 7}, "content_type": "application/json", "headers": KEY}
    first = admin.patch("/api/books/1/", **patched)
    Book.objects.filter(pk=1).update(pages=8)
    assert admin.patch("/api/books/1/", **patched).json() == first.json()
    assert Book.objects.get(pk=1).pages == 8
    removals = [admin.delete("/api/books/1/", headers={"Idempotency-Key": "gone"}) for _ in range(2)]
    assert [(answer.status_code, answer.content) for answer in removals] == [(204, b"")] * 2


@pytest.mark.parametrize("key", ["", "x" * 65, "a b", "a,b", "ä", "a/b", "a\0"])
def test_a_malformed_key_is_refused(post, key):
    """400 by its name, and nothing is written."""
    answer = post(headers={"Idempotency-Key": key})
    assert (answer.status_code, list(answer.json())) == (400, ["Idempotency-Key"])
    assert Author.objects.count() == 0


def test_a_refused_write_keeps_no_key(post, admin, seeded):
    """What was wrong can be mended and sent under the same key; a conflict as well."""
    assert post(AUTHOR | {"born": 0}).status_code == 400
    assert post().status_code == 201
    assert admin.delete("/api/authors/1/", headers=KEY).status_code == 409
    assert not Write.objects.filter(user__username="the-admin").exists()


def test_a_reader_writes_nothing_also_with_a_key(reader, post):
    """Who may not is refused before the key is looked at."""
    assert post(client=reader).status_code == 403
    assert Write.objects.count() == 0


def test_without_a_key_a_write_costs_no_further_query(editor):
    """Who asks, and the row."""
    with CaptureQueriesContext(connection) as captured:
        editor.post("/api/authors/", AUTHOR, content_type="application/json")
    assert len(captured) == 2


def test_while_it_is_made_the_key_of_a_write_is_known(post, monkeypatch):
    """For whoever tells others what has changed; afterwards it is forgotten."""
    seen = []
    monkeypatch.setattr(
        Author, "save", lambda self, **options: seen.append(current_key.get()) or setattr(self, "pk", 1)
    )
    post()
    post(headers={})
    assert (seen, current_key.get()) == (["one-Key_1", None], None)


class TestWhichExist:
    @pytest.fixture
    def ask(self, editor):
        """GET the writes of some keys."""
        return lambda *keys, client=editor: client.get("/api/writes/", query_params={"key": keys})

    def test_those_that_were_acknowledged(self, post, ask):
        post()
        written = Write.objects.get()
        assert ask("never-sent", "one-Key_1").json() == {
            "writes": [
                {
                    "key": "one-Key_1",
                    "status": 201,
                    "method": "POST",
                    "path": "/api/authors/",
                    "created_at": written.created_at.isoformat().replace("+00:00", "Z"),
                }
            ]
        }

    def test_only_of_who_asks(self, post, ask, reader):
        post()
        assert ask("one-Key_1", client=reader).json() == {"writes": []}

    def test_none_for_a_refused_one(self, post, ask):
        post(AUTHOR | {"born": 0})
        assert ask("one-Key_1").json() == {"writes": []}

    def test_a_hundred_at_a_time(self, ask):
        assert ask(*map(str, range(100))).status_code == 200

    @pytest.mark.parametrize("keys", [[], [""], ["a b"], ["good", "x" * 65], ["k"] * 101])
    def test_other_questions_are_refused(self, ask, keys):
        answer = ask(*keys)
        assert (answer.status_code, list(answer.json())) == (400, ["key"])


@pytest.fixture
def in_threads_on_a_file(transactional_db, tmp_path, monkeypatch):
    """Call a function for each argument, in threads that let go together, on a copy of the database in a file.

    As in the lab; the database of the tests is in memory, where writers do not wait for each other.
    """

    def call(function, arguments):
        start = threading.Barrier(len(arguments))

        def called(argument):
            start.wait()
            try:
                return function(argument)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(arguments)) as pool:
            return list(pool.map(called, arguments))

    connection.ensure_connection()
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as file:
        connection.connection.backup(file)
        file.execute(
            "PRAGMA journal_mode=WAL"
        )  # as the seeded file: to change it at once SQLite does not wait
    monkeypatch.setitem(connection.settings_dict, "NAME", str(tmp_path / "db.sqlite3"))
    return call


def test_equal_writes_at_the_same_moment_make_one_row(editor, in_threads_on_a_file):
    """Of eight that are let go together one writes, and all hear its answer."""
    headers = KEY | {"Authorization": editor.defaults["HTTP_AUTHORIZATION"]}

    def send(_):
        return Client().post("/api/authors/", AUTHOR, content_type="application/json", headers=headers)

    answers = in_threads_on_a_file(send, range(8))
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert sorted("Idempotency-Replayed" in answer for answer in answers) == [False] + [True] * 7
    assert in_threads_on_a_file(lambda model: model.objects.count(), [Author, Write]) == [1, 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [KEY, {}], ids=["key", "none"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_lock_is_held_while_a_body_is_read(admin, method, headers):
    """A client that stops in the middle of it would hold up every write of everybody."""
    path = "/api/authors/" if method == "POST" else f"/api/authors/{Author.objects.create(**AUTHOR).pk}/"
    content = json.dumps(AUTHOR).encode()
    body = WatchedBody(content)
    answer = admin.generic(method, path, content, "application/json", headers=headers, **{"wsgi.input": body})
    assert answer.status_code < 300, answer.content
    assert body.in_transaction
    assert not any(body.in_transaction)
