"""What the app was handed by its server is told back, and kept where it carries a marker."""

import hashlib
import io

import pytest
from asgiref.sync import async_to_sync
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.test import AsyncClient, RequestFactory

from lab.echo import echo
from lab.models import Echo

pytestmark = pytest.mark.django_db
NOTHING = hashlib.sha256(b"").hexdigest()


def kept():
    """Markers, methods, paths and lengths, as they were kept."""
    return list(Echo.objects.values_list("marker", "method", "path", "body_bytes"))


def test_everything_of_a_request_is_told(client):
    answer = client.post(
        "/lab/echo?marker=m-1&a=b",
        b"abc",
        content_type="text/plain",
        headers={"X-Odd": "1"},
        REQUEST_URI="/raw",
    )
    told = answer.json()
    assert told.pop("headers") == {
        "Content-Length": "3",
        "Content-Type": "text/plain",
        "Cookie": "",
        "X-Odd": "1",
    }
    assert told == {
        "marker": "m-1",
        "method": "POST",
        "path": "/lab/echo",
        "script_name": "",
        "query": "marker=m-1&a=b",
        "raw_uri": "/raw",
        "protocol": "HTTP/1.1",
        "scheme": "http",
        "client": "127.0.0.1",
        "body_framed_by": "length",
        "body_bytes": 3,
        "body_sha256": hashlib.sha256(b"abc").hexdigest(),
        "body_broke": "",
    }
    assert kept() == [("m-1", "POST", "/lab/echo?marker=m-1&a=b", 3)]


def test_over_asgi_it_is_the_same(client):
    told = async_to_sync(AsyncClient().post)("/lab/echo/x?marker=m", b"abc", content_type="text/plain").json()
    assert (told["path"], told["body_framed_by"], told["body_bytes"]) == ("/lab/echo/x", "asgi", 3)
    assert kept() == [("m", "POST", "/lab/echo/x?marker=m", 3)]


def test_a_marker_is_kept_wherever_it_goes_and_the_request_goes_on(client):
    answer = client.get("/healthz", headers={"X-Lab-Marker": "m-2"})
    assert answer.json() == {"status": "ok"}
    assert kept() == [("m-2", "GET", "/healthz", None)]


def test_over_asgi_a_marked_request_goes_on_too():
    answer = async_to_sync(AsyncClient().get)("/healthz?marker=m")
    assert answer.json() == {"status": "ok"}
    assert kept() == [("m", "GET", "/healthz?marker=m", None)]


def test_without_a_marker_nothing_is_kept(client):
    assert client.get("/lab/echo").json()["marker"] is None
    client.get("/healthz?remarker=x", headers={"X-Lab-Marker": "no marker"})
    assert kept() == []


def test_no_refusal_of_the_app_stands_before_it(client):
    """A foreign host, a body in chunks, bytes that are no UTF-8: the server let them through."""
    answers = [
        client.get("/lab/echo", headers={"Host": "a@b"}),
        client.post("/lab/echo", headers={"Transfer-Encoding": "chunked"}),
        client.get("/lab/echo?%ff"),
    ]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[0].json()["headers"]["Host"] == "a@b"


def request_of(body, **meta):
    factory = RequestFactory()
    return WSGIRequest(
        factory._base_environ(PATH_INFO="/lab/echo", REQUEST_METHOD="POST") | meta | {"wsgi.input": body}
    )


def told_of(request):
    answered = echo(lambda _: HttpResponse("the view"))(request)
    return {
        name: value for name, value in __import__("json").loads(answered.content).items() if "body" in name
    }


def test_a_body_in_chunks_is_read_where_the_server_ends_it():
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    found = told_of(request_of(io.BytesIO(b"abcd"), **chunked))
    assert (found["body_framed_by"], found["body_bytes"]) == ("chunked", 4)


def test_a_body_whose_end_nobody_knows_is_left_alone():
    found = told_of(request_of(io.BytesIO(b"abcd"), HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH=""))
    assert found == {"body_framed_by": "none", "body_bytes": 0, "body_sha256": NOTHING, "body_broke": ""}


class Breaking(io.BytesIO):
    def read(self, size=-1):
        return super().read(2) or self.broken()

    def broken(self):
        raise ConnectionResetError("gone")


def test_a_body_that_breaks_off_is_told_as_far_as_it_came():
    found = told_of(request_of(Breaking(b"ab"), CONTENT_LENGTH="5"))
    assert found == {
        "body_framed_by": "length",
        "body_bytes": 2,
        "body_sha256": hashlib.sha256(b"ab").hexdigest(),
        "body_broke": "ConnectionResetError",
    }


def test_what_was_kept_is_listed_in_its_order_by_marker_if_wanted(client):
    for marker in ("a", "b", "a"):
        client.get(f"/lab/echo?marker={marker}")
    listed = client.get("/lab/echoes").json()["echoes"]
    assert [each["marker"] for each in listed] == ["a", "b", "a"]
    assert client.get("/lab/echoes?marker=b").json() == {
        "echoes": [
            {
                "marker": "b",
                "method": "GET",
                "path": "/lab/echo?marker=b",
                "body_bytes": 0,
                "body_sha256": NOTHING,
            }
        ]
    }


def test_odd_characters_are_kept_as_json_writes_them(client):
    client.generic("G\0T", "/lab/echo/%00%C3%A4", headers={"X-Lab-Marker": "m"})
    assert kept() == [("m", "G\\u0000T", "/lab/echo/\\u0000\\u00e4", 0)]


def test_an_answer_says_how_long_it_is_so_that_a_connection_can_be_kept():
    answer = echo(lambda request: HttpResponse())(RequestFactory().get("/lab/echo"))
    assert answer.headers["Content-Length"] == str(len(answer.content))
