"""Bad input gets its 4xx, as JSON and without a word about the inside: the table that every server is asked, too."""

import json

import pytest
from django.test import Client

from catalogue import sample
from catalogue.models import Author, Book, Publisher
from tests.bad_requests import BAD_REQUESTS, leaked


@pytest.fixture
def few_books(db):
    """What the requests speak of: rows with the lowest ids, an author who has a book."""
    Author.objects.bulk_create(sample.authors()[:5])
    Publisher.objects.bulk_create(sample.publishers()[:5])
    Book.objects.bulk_create(sample.books()[:5])


@pytest.mark.parametrize("bad", BAD_REQUESTS, ids=str)
def test_bad_input_is_refused_in_json(admin, few_books, bad):
    """Never a 500."""
    headers = {"Authorization": admin.defaults["HTTP_AUTHORIZATION"], **bad.headers}
    answer = Client(enforce_csrf_checks=True).generic(bad.method, bad.path, bad.body, headers=headers)
    assert answer.status_code == bad.status, answer.content[:500]
    assert answer["Content-Type"] == "application/json"
    assert json.loads(answer.content)
    assert leaked(answer.content) == []
