"""What is refused before any view, and what every answer carries."""

import io

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient

POLICY = {
    "base-uri 'none'",
    "connect-src 'self'",
    "default-src 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "img-src 'self' data:",
    "script-src 'self'",
    "style-src 'self'",
}
TOO_LARGE = b"x" * ((1 << 20) + 1)
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest.mark.parametrize(
    ("status", "path", "options"),
    [
        (200, "/healthz", {}),
        (404, "/nothing-here", {}),
        (400, "/healthz", {"headers": {"Host": "evil.example"}}),
        (413, "/api/ping/", {"data": TOO_LARGE}),
        (411, "/api/ping/", {"headers": {"Transfer-Encoding": "chunked"}}),
    ],
)
def test_every_class_of_answer_carries_the_headers(client, status, path, options):
    """Refusals as well, and from whichever middleware they come."""
    answer = client.generic("GET", path, **options)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert set(answer.headers["Content-Security-Policy"].split("; ")) == POLICY
    assert answer.json()


def test_hsts_is_promised_over_tls_only(client):
    """Two years, as browsers' preload lists ask for."""
    assert "Strict-Transport-Security" not in client.get("/healthz").headers
    over_tls = client.get("/healthz", secure=True).headers["Strict-Transport-Security"]
    assert over_tls == "max-age=63072000; includeSubDomains; preload"


@pytest.mark.parametrize(("length", "status"), [("1048576", 405), ("9" * 30, 400), ("-1", 400), ("ten", 400)])
def test_a_body_is_refused_by_its_length_before_it_is_read(client, length, status):
    """A length that is none is the client's mistake; the largest allowed body goes on to the view."""
    answer = client.post("/api/ping/", headers={"Content-Length": length})
    assert answer.status_code == status


def test_a_body_that_is_refused_is_taken_all_the_same(client):
    """Who is cut off while sending sees a broken connection and not the answer."""
    body = io.BytesIO(TOO_LARGE)
    answer = client.post("/api/ping/", **{"wsgi.input": body, "CONTENT_LENGTH": str(len(TOO_LARGE))})
    assert answer.status_code == 413
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert body.tell() == len(TOO_LARGE)


def test_a_body_of_unknown_length_is_refused(client):
    """Servers disagree on what the app would see of it."""
    answer = client.post("/api/ping/", headers={"Transfer-Encoding": "chunked"})
    assert (answer.status_code, answer.json()) == (
        411,
        {"detail": "Send a Content-Length; bodies in chunks are not taken."},
    )


def test_the_api_refuses_plain_http_and_pages_lead_on(client, settings):
    """A client that is led on sends its token in the clear each time (ASVS 4.1.2)."""
    settings.SECURE_SSL_REDIRECT = True
    refused = client.get("/api/ping/")
    assert (refused.status_code, refused.json()) == (403, {"detail": "Use HTTPS."})
    assert client.get("/api/ping/", secure=True).status_code == 200
    assert client.get("/healthz").status_code == 200
    led_on = client.get("/lab/identity")
    assert (led_on.status_code, led_on.headers["Location"]) == (301, "https://testserver/lab/identity")


def test_answers_that_may_hold_a_token_are_kept_nowhere(client):
    """Whatever the status."""
    assert client.get("/api/auth/nothing-here/").headers["Cache-Control"] == "no-store"
    assert client.get("/api/auth/jwt/me/").headers["Cache-Control"] == "no-store"
    assert "Cache-Control" not in client.get("/api/ping/").headers


def test_it_is_the_same_over_asgi():
    """The guard has two shapes."""
    client = AsyncClient()
    answer = async_to_sync(client.get)("/api/auth/nothing-here/")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")
    assert answer.headers["Permissions-Policy"] == HEADERS["Permissions-Policy"]
    refused = async_to_sync(client.get)("/healthz", headers={"Transfer-Encoding": "chunked"})
    assert refused.status_code == 411


def test_a_refused_host_writes_no_line(client, capsys):
    """Else anybody could write the log."""
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 400
    assert capsys.readouterr() == ("", "")


def test_every_process_writes_the_policy_in_the_same_order(client):
    directives = client.get("/api/ping/")["Content-Security-Policy"].split("; ")
    assert len(directives) == 8
    assert directives == sorted(directives)
