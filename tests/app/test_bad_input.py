"""Bad input gets its 4xx, as JSON and without a word about the inside: the table that every server is asked, too."""

import io
import json

import pytest
from django.test import AsyncRequestFactory, Client, RequestFactory

from catalogue import sample
from catalogue.models import Author, Book, Publisher
from config import asgi, wsgi
from tests.bad_requests import BAD_REQUESTS, leaked


@pytest.fixture
def few_books(db):
    """What the requests speak of: authors and publishers, and one of the books."""
    Author.objects.bulk_create(sample.authors())
    Publisher.objects.bulk_create(sample.publishers())
    Book.objects.bulk_create([book for book in sample.books() if book.pk == 237])


@pytest.mark.parametrize("bad", BAD_REQUESTS, ids=str)
def test_bad_input_is_refused_in_json(admin, few_books, bad):
    """Never a 500."""
    headers = {"Authorization": admin.defaults["HTTP_AUTHORIZATION"], **bad.headers}
    answer = Client(enforce_csrf_checks=True).generic(bad.method, bad.path, bad.body, headers=headers)
    assert answer.status_code == bad.status, answer.content[:500]
    assert answer["Content-Type"] == "application/json"
    assert json.loads(answer.content)
    assert leaked(answer.content) == []


def test_a_charset_of_no_text_does_not_keep_the_servers_requests_from_being_made():
    """Django fails here before any middleware, so that none of ours could refuse it (NO_TEXT of the same table)."""
    content_type = "application/json; charset=zlib"
    environ = RequestFactory().get("/").environ | {"QUERY_STRING": "page=1", "CONTENT_TYPE": content_type}
    scope = AsyncRequestFactory().get("/").scope | {
        "query_string": b"page=1",
        "headers": [(b"content-type", content_type.encode())],
    }
    for request in (wsgi.application.request_class(environ), asgi.http.request_class(scope, io.BytesIO())):
        assert request.GET.dict() == {"page": "1"}
        assert request.content_params == {"charset": "zlib"}
