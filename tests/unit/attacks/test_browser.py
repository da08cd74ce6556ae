"""Sessions, CSRF and CORS: a sound site passes, and each planted flaw is found."""

import httpx2
import pytest

from serverlab.attacks import browser, crossing
from serverlab.attacks.profiles import CORS_ORIGIN
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import Container, Site, a_stage

ASKED = {
    "A4-01": browser.fixation,
    "A4-02": browser.ended_sessions,
    "A4-03": browser.missing_csrf,
    "A4-04": browser.foreign_origin,
}


@pytest.mark.parametrize("attack", ASKED.values(), ids=ASKED)
def test_a_sound_site_passes(attack):
    assert attack(a_stage(Site(), container=Container(port=0))).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("attack", "site", "seen"),
    [
        (browser.fixation, Site(new_key=False), "new key at log-in: "),
        (browser.ended_sessions, Site(ends=False), "key after log-out: 200"),
        (browser.missing_csrf, Site(csrf=False), "no token at /api/auth/session/logout-everywhere/: 204"),
        (browser.foreign_origin, Site(origins=False), "foreign Origin: 400"),
        (browser.login_csrf, Site(csrf=False), "session without a token: 401"),
    ],
)
def test_a_planted_flaw_is_found(attack, site, seen):
    outcome = attack(a_stage(site, container=Container(port=0)))
    assert (outcome.verdict, outcome.seen.startswith(seen)) == (Verdict.FAIL, True), outcome.seen


def test_log_in_without_a_token_is_refused_by_a_sound_site():
    assert browser.login_csrf(a_stage(Site())).verdict is Verdict.PASS


class Cors:
    """Answers preflights, with CORS headers for whom `allows` says."""

    def __init__(self, allows, **headers):
        self.allows = allows
        self.headers = headers

    def __call__(self, request):
        origin = request.headers.get("Origin", "")
        if not self.allows(origin):
            return httpx2.Response(200)
        return httpx2.Response(
            200,
            headers={
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Allow-Headers": "authorization, content-type",
                "Vary": "Origin",
                **self.headers,
            },
        )


def test_one_listed_origin_passes():
    stage = a_stage(Cors(lambda origin: origin == CORS_ORIGIN))
    assert crossing.allowed_preflight(stage).verdict is Verdict.PASS
    assert crossing.foreign_preflights(stage).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "allows",
    [
        lambda origin: True,
        lambda origin: origin.startswith(CORS_ORIGIN),
        lambda origin: origin.endswith("app.example"),
        lambda origin: origin == "null",
    ],
    ids=["everybody", "a beginning", "an ending", "null"],
)
def test_an_origin_too_many_is_found(allows):
    assert crossing.foreign_preflights(a_stage(Cors(allows))).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "headers",
    [{"Access-Control-Allow-Credentials": "true"}, {"Vary": "Accept"}, {"Access-Control-Allow-Origin": "*"}],
)
def test_a_preflight_that_allows_too_much_or_is_cached_for_all_is_found(headers):
    stage = a_stage(Cors(lambda origin: origin == CORS_ORIGIN, **headers))
    assert crossing.allowed_preflight(stage).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("line", "lacks"),
    [
        ("__Host-sessionid=x; HttpOnly; Path=/; SameSite=Lax; Secure", ""),
        ("__Host-sessionid=x; Path=/; SameSite=Lax; Secure", "HttpOnly"),
        ("__Host-csrftoken=x; HttpOnly; Path=/; SameSite=None; Secure", "SameSite"),
        ("sessionid=x; HttpOnly; Path=/; SameSite=Lax", "Secure, the prefix __Host-"),
        ("serverlab_access=x; HttpOnly; Path=/api/; SameSite=Strict; Secure", ""),
    ],
)
def test_what_a_cookie_lacks_is_named(line, lacks):
    def answer(request):
        return httpx2.Response(200, json={}, headers={"Set-Cookie": line})

    outcome = browser.cookie_flags(a_stage(answer))
    name = line.partition("=")[0]
    assert (f"cookie {name}: lacks {lacks};" in outcome.seen) == bool(lacks)
    assert (outcome.verdict is Verdict.PASS) == (not lacks)


def test_tls_on_hearsay_is_found():
    flags = "__Host-csrftoken=x; HttpOnly; Path=/; SameSite=Lax; Secure"

    def answer(request):
        believed = request.headers.get("X-Forwarded-Proto") == "https"
        hsts = {"Strict-Transport-Security": "max-age=1"} if believed else {}
        return httpx2.Response(200, json={}, headers={"Set-Cookie": flags, **hsts})

    outcome = browser.cookie_flags(a_stage(answer))
    assert (outcome.verdict, outcome.seen) == (Verdict.FAIL, "X-Forwarded-Proto from a client: believed")
