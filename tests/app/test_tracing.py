"""What a traced request tells, under WSGI and ASGI, and that nobody else pays for it."""

import re
import threading

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.http import HttpResponse
from django.test import AsyncClient, RequestFactory

from catalogue.models import Book
from lab.tracing import trace

TRACED = {"X-Lab-Trace": "on"}
TIMING = re.compile(r"db;dur=([0-9]+\.[0-9]{3}), total;dur=([0-9]+\.[0-9]{3})")


@pytest.fixture
def ask_over_asgi(reader):
    """GET through Django's ASGI handler, as the same reader."""

    def get(path, **headers):
        credential = {"Authorization": reader.defaults["HTTP_AUTHORIZATION"]}
        return async_to_sync(AsyncClient().get)(path, headers=credential | headers)

    return get


@pytest.mark.django_db
def test_the_count_is_that_of_the_queries(reader, seeded):
    """As many as a test counts; database and total time beside them."""
    answer = reader.get("/api/books/?strategy=naive&page_size=10", headers=TRACED)
    assert answer["X-Query-Count"] == "23"
    database_ms, total_ms = map(float, TIMING.fullmatch(answer["Server-Timing"]).groups())
    assert 0 < database_ms < total_ms


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, {"X-Lab-Trace": "off"}, {"X-Lab-Trace": "ON"}])
def test_who_does_not_ask_is_told_nothing(reader, seeded, headers):
    """Only the exact word asks."""
    answer = reader.get("/api/books/", headers=headers)
    assert "X-Query-Count" not in answer
    assert "Server-Timing" not in answer


@pytest.mark.django_db
def test_a_refusal_is_traced_too(client):
    """No credential, no query."""
    answer = client.get("/api/books/", headers=TRACED)
    assert (answer.status_code, answer["X-Query-Count"]) == (401, "0")


@pytest.mark.django_db(transaction=True)
def test_what_frames_a_transaction_is_no_query(editor, seeded, book_body):
    """Four reads check who asks and what is named; four more write the book and its publishers, and show them."""
    answer = editor.post("/api/books/", book_body, content_type="application/json", headers=TRACED)
    assert (answer.status_code, answer["X-Query-Count"]) == (201, "8")


@pytest.mark.django_db(transaction=True)
def test_under_asgi_the_count_is_the_same(ask_over_asgi, seeded):
    """The views of Django's handler run in threads of their own, and the count follows them there."""
    traced = ask_over_asgi("/api/books/?strategy=naive&page_size=10", **TRACED)
    assert traced.status_code == 200
    assert traced["X-Query-Count"] == "23"
    untraced = ask_over_asgi("/api/books/")
    assert (untraced.status_code, "X-Query-Count" in untraced) == (200, False)


def test_under_asgi_a_request_that_is_not_traced_stays_where_it_is():
    """No thread is changed, and the answer is handed on as it is."""
    seen = []

    async def get_response(request):
        seen.append(threading.get_ident())
        return HttpResponse()

    async def ask():
        seen.append(threading.get_ident())
        return await trace(get_response)(RequestFactory().get("/"))

    async_to_sync(ask)()
    assert len(set(seen)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_opens_during_the_request_is_counted(seeded):
    """As every request of a server opens one."""

    def get_response(request):
        connection.close()
        Book.objects.first()
        return HttpResponse()

    connection.close()
    assert trace(get_response)(RequestFactory().get("/", headers=TRACED))["X-Query-Count"] == "1"


@pytest.mark.django_db
def test_after_a_traced_request_nothing_is_wrapped(reader, seeded):
    """Also when the view has failed."""

    def failing(request):
        raise LookupError("planted")

    reader.get("/api/books/", headers=TRACED)
    with pytest.raises(LookupError):
        trace(failing)(RequestFactory().get("/", headers=TRACED))
    assert connection.execute_wrappers == []
