"""How a stage talks to its stack: by header or by cookie, with tokens that are renewed in time."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2

from serverlab.attacks.answers import cookies_in
from serverlab.attacks.forge import hmac_signed
from serverlab.attacks.stage import Tokens
from tests.unit.attacks.sites import a_stage

COOKIES = {"LAB_PLAIN_TOKENS": "cookie"}


def a_token(*, lives_s, number=0):
    claims = {"exp": int(time.time()) + lives_s, "jti": str(number)}
    return hmac_signed(claims, b"any key")


def by_cookie(request):
    """Gives tokens as cookies, to who shows a CSRF token that fits."""
    if request.url.path == "/api/auth/csrf/":
        return httpx2.Response(
            200, json={"csrf_token": "masked"}, headers={"Set-Cookie": "csrftoken=secret; Path=/"}
        )
    if (request.headers.get("X-CSRFToken"), "csrftoken=secret" in request.headers.get("Cookie", "")) != (
        "masked",
        True,
    ):
        return httpx2.Response(403)
    cookies = [
        ("Set-Cookie", "serverlab_access=a.b.c; expires=Sun, 22 Nov 2026 10:00:00 GMT; HttpOnly; Path=/api/"),
        ("Set-Cookie", "serverlab_refresh=d.e.f; expires=Mon, 23 Nov 2026 10:00:00 GMT; HttpOnly"),
    ]
    return httpx2.Response(200, json={}, headers=cookies)


def test_tokens_in_cookies_are_found_and_sent_back_as_cookies():
    stage = a_stage(by_cookie, app=COOKIES)
    assert stage.sign_in(way="plain") == Tokens("a.b.c", "d.e.f")
    assert stage.credential("a.b.c", way="plain") == {"Cookie": "serverlab_access=a.b.c"}
    assert stage.credential("a.b.c", way="jwt") == {"Authorization": "Bearer a.b.c"}
    assert stage.refresh("d.e.f", way="plain").status == 200


def test_a_token_that_is_about_to_end_is_renewed_and_one_that_lives_is_kept():
    asked = []

    def hands_out(request):
        asked.append((request.url.path, json.loads(request.content).get("refresh")))
        lives_s = 0 if len(asked) == 1 else 600
        tokens = {"access": a_token(lives_s=lives_s, number=len(asked)), "refresh": f"r{len(asked)}"}
        return httpx2.Response(200, json=tokens)

    stage = a_stage(hands_out)
    first, second, third = (stage.access for _ in range(3))
    assert first != second == third
    assert asked == [("/api/auth/jwt/login/", None), ("/api/auth/jwt/refresh/", "r1")]


def test_a_refresh_token_is_spent_once_by_two_that_renew_at_the_same_time():
    asked = []
    late = threading.Event()

    def hands_out(request):
        asked.append(request.url.path)
        late.wait(0.05 if len(asked) == 2 else 0.0)
        tokens = {"access": a_token(lives_s=0 if len(asked) == 1 else 600), "refresh": f"r{len(asked)}"}
        return httpx2.Response(200, json=tokens)

    stage = a_stage(hands_out)
    assert stage.access
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: stage.access, range(2))
    assert first == second
    assert asked == ["/api/auth/jwt/login/", "/api/auth/jwt/refresh/"]


def test_a_connection_that_breaks_is_an_answer_with_status_0():
    def breaks(request):
        raise httpx2.ReadError("gone")

    answer = a_stage(breaks).ask("GET", "/")
    assert (answer.status, answer.said) == (0, "ReadError: gone")


def test_the_commas_of_dates_do_not_part_cookies():
    header = "one=1; expires=Sun, 22 Nov 2026 10:00:00 GMT, two=2; Path=/"
    assert {"one": "1", "two": "2"}.items() <= cookies_in({"set-cookie": header}).items()
