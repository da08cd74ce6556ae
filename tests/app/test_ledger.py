"""Entries that are written under a key: once if they are guarded, always with their children, or not at all."""

import uuid

import pytest
from django.db import OperationalError
from django.test import Client

from lab.models import Entry, EntryChild

pytestmark = pytest.mark.django_db
KEY = "0b8e0a44-6a4b-4b5e-9d0a-1f2a3b4c5d6e"


@pytest.fixture
def write(client):
    """POST an entry."""

    def send(key=KEY, query=""):
        return client.post(f"/lab/ledger/{query}", {"key": key}, content_type="application/json")

    return send


def stored():
    """Keys and numbers of children, as they are in the database."""
    return [(str(entry.key), entry.children.count()) for entry in Entry.objects.all()]


def test_a_write_makes_one_entry_with_two_children(write):
    answer = write()
    assert (answer.status_code, answer.json()) == (201, {"key": KEY})
    assert stored() == [(KEY, 2)]


def test_a_guarded_repeat_is_answered_alike_and_writes_nothing(write):
    answers = [write() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert stored() == [(KEY, 2)]


def test_without_its_guard_a_repeat_is_there_twice(write):
    assert [write(query="?key=off").status_code for _ in range(2)] == [201, 201]
    assert stored() == [(KEY, 2), (KEY, 2)]


def test_entry_and_children_are_one_transaction(client, write, monkeypatch):
    def broken(*args, **options):
        raise OperationalError("the database went away")

    client.raise_request_exception = False
    monkeypatch.setattr(EntryChild.objects, "bulk_create", broken)
    assert write().status_code == 503
    assert stored() == []


def test_an_entry_is_read_by_its_key(client, write):
    assert client.get(f"/lab/ledger/{KEY}").status_code == 404
    write()
    write(query="?key=off")
    assert client.get(f"/lab/ledger/{KEY}").json() == {"key": KEY, "copies": 2, "children": 4}
    assert client.get(f"/lab/ledger/{KEY[:-1]}").status_code == 404


def test_the_newest_entry_is_told(client, write):
    assert client.get("/lab/ledger/").json() == {"newest": None}
    other = str(uuid.uuid4())
    write(), write(other)
    assert client.get("/lab/ledger/").json() == {"newest": other}


def test_no_csrf_token_is_wanted_since_nobody_is_signed_in():
    client = Client(enforce_csrf_checks=True)
    assert client.post("/lab/ledger/", {"key": KEY}, content_type="application/json").status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 100_000,
        b"{}",
        b'{"key": 1}',
        b'{"key": null}',
        b'{"key": "x"}',
        b'{"key": "0B8E0A44-6A4B-4B5E-9D0A-1F2A3B4C5D6E"}',
        b'{"key": "0b8e0a446a4b4b5e9d0a1f2a3b4c5d6e"}',
        b"\xff",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_key_is_refused(client, body):
    answer = client.post("/lab/ledger/", body, content_type="application/json")
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])
    assert stored() == []


def test_what_is_no_switch_and_no_method_is_refused(client, write):
    assert write(query="?key=maybe").status_code == 400
    assert client.put("/lab/ledger/").status_code == 405
    assert client.post(f"/lab/ledger/{KEY}").status_code == 405
    assert stored() == []
