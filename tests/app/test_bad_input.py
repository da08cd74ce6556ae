"""Bad input gets its 4xx, as JSON and without a word about the inside: the table that every server is asked, too."""

import io
import json

import pytest
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.test import AsyncRequestFactory, Client, RequestFactory
from rest_framework.exceptions import ParseError

from catalogue import sample
from catalogue.models import Author, Book, Publisher
from config import asgi, wsgi
from config.errors import bad_request
from config.parsers import GuardedJSONParser, TooLarge
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


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/api/books/{'9' * 5000}/", 404),
        (f"/api/books/?page={'9' * 5000}", 400),
        (f"/api/books/?author={'9' * 5000}", 400),
    ],
    ids=["id", "page", "author"],
)
def test_what_some_servers_refuse_themselves_is_refused_by_the_app_too(admin, few_books, path, status):
    """More digits than Python turns into a number are more than uWSGI takes by default."""
    answer = admin.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")


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


def test_what_no_server_bounds_is_bounded_where_it_is_read():
    """The guard refuses by Content-Length; these are for what comes without one."""
    with pytest.raises(TooLarge):
        GuardedJSONParser().parse(io.BytesIO(b" " * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)))
    refusal = bad_request(RequestFactory().post("/"), RequestDataTooBig())
    assert (refusal.status_code, json.loads(refusal.content)) == (413, {"detail": "The body is too large."})


@pytest.mark.parametrize(("depth", "refused"), [(20, False), (21, True), (50_000, True)])
def test_depth_is_bounded_and_brackets_in_texts_are_none(depth, refused):
    """Twenty levels can be walked by anybody."""
    parser, nested = GuardedJSONParser(), b"[" * depth + b"]" * depth
    if refused:
        with pytest.raises(ParseError, match="too deeply"):
            parser.parse(io.BytesIO(nested))
    else:
        assert str(parser.parse(io.BytesIO(nested))).encode() == nested
        assert parser.parse(io.BytesIO(b'"' + b"[" * 100 + b'"')) == "[" * 100
