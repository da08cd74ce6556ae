"""Scores and plain HTTP, asked of sites that are sound or broken in one known way."""

import httpx2
import pytest

from serverlab.attacks import headers
from serverlab.attacks.profiles import PROFILES
from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import a_stage
from tests.unit.attacks.test_observatory import COOKIE, GOOD

HEADERS = GOOD | {
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "set-cookie": COOKIE,
}


class Site:
    """Wants HTTPS: leads pages there, refuses the API; and believes nobody who says that it came by it."""

    left_out = ()

    def __call__(self, request):
        over_tls = request.url.scheme == "https" or self.believes(request)
        response = httpx2.Response(self.status(request.url.path, over_tls=over_tls), json={})
        response.headers.update({name: value for name, value in HEADERS.items() if name not in self.left_out})
        if response.status_code == 301:
            response.headers["location"] = self.leads_to(request)
        return response

    def status(self, path, *, over_tls):
        if over_tls or path in ("/healthz", "/readyz"):
            return 200
        return 403 if path.startswith("/api/") else 301

    def leads_to(self, request):
        return f"https://{request.headers['host']}{request.url.raw_path.decode()}"

    def believes(self, _request):
        return False


class LeadsTheApiOn(Site):
    def status(self, path, *, over_tls):
        return 200 if over_tls or path in ("/healthz", "/readyz") else 301


class AnswersPages(Site):
    def status(self, path, *, over_tls):
        return 200 if path == "/" else super().status(path, over_tls=over_tls)


class ForgetsTheQuery(Site):
    def leads_to(self, request):
        return super().leads_to(request).partition("?")[0]


class LeadsInCircles(Site):
    def status(self, path, *, over_tls):
        return super().status(path, over_tls=False)


class BelievesAnyone(Site):
    def believes(self, request):
        return "x-forwarded-proto" in request.headers


class WantsHealthOverTls(Site):
    def status(self, path, *, over_tls):
        return 200 if over_tls else 403 if path.startswith("/api/") else 301


class HasNoPolicy(Site):
    left_out = ("content-security-policy",)


class HasNoTransportSecurity(Site):
    left_out = ("strict-transport-security",)


def a_stage_of(site, *, edged):
    stage = a_stage(site)
    vars(stage)["tls_url"] = "https://stack.test" if edged else None
    return stage


@pytest.mark.parametrize(
    ("edged", "seen", "measured"),
    [
        (False, "page 301, API 403, health 200", {}),
        (True, "page 301, API 403, health 200; over TLS 200, score 135", {"score": 135.0}),
    ],
)
def test_a_site_that_wants_https_passes(edged, seen, measured):
    found = headers.plain_http(a_stage_of(Site(), edged=edged))
    assert (found.verdict, found.seen, found.measured) == (Verdict.PASS, seen, measured)


@pytest.mark.parametrize(
    ("site", "seen"),
    [
        (LeadsTheApiOn, "ping: 301; me: 301; log-in: 301"),
        (AnswersPages, "page: 200 to None, expected 301 to the same over HTTPS"),
        (ForgetsTheQuery, "page: 301 to https://localhost/, expected 301 to the same over HTTPS"),
        (WantsHealthOverTls, "health: 301; ready: 301"),
    ],
)
def test_a_site_that_takes_plain_http_otherwise_fails(site, seen):
    found = headers.plain_http(a_stage_of(site(), edged=False))
    assert (found.verdict, found.seen) == (Verdict.FAIL, seen)


@pytest.mark.parametrize(
    ("site", "seen"),
    [
        (LeadsInCircles, "page over TLS: 301; ping over TLS: 403"),
        (BelievesAnyone, "forged scheme: 200"),
        (HasNoPolicy, "Observatory: 75: "),
        (HasNoTransportSecurity, "Observatory: 80: "),
    ],
)
def test_an_edge_that_is_wrong_about_the_scheme_or_the_page_fails(site, seen):
    found = headers.plain_http(a_stage_of(site(), edged=True))
    assert found.verdict is Verdict.FAIL
    assert seen in found.seen


@pytest.mark.parametrize(
    ("edged", "seen", "measured"),
    [
        (
            False,
            "all there, score 135 without redirection and strict-transport-security",
            {"score_without_tls": 135.0},
        ),
        (True, "all there, score 135 without redirection", {"score_without_redirection": 135.0}),
    ],
)
def test_the_score_says_what_was_left_out_of_it(edged, seen, measured):
    found = headers.headers(a_stage_of(Site(), edged=edged))
    assert (found.verdict, found.seen, found.measured) == (Verdict.PASS, seen, measured)


def test_the_headers_of_a_direct_target_are_scored_too():
    found = headers.headers(a_stage_of(HasNoPolicy(), edged=False))
    assert found.verdict is Verdict.FAIL
    assert "Observatory: 75: " in found.seen
    assert found.measured == {"score_without_tls": 75.0}


def test_every_server_is_asked_with_https_wanted_by_itself_and_behind_an_edge():
    profile = PROFILES["https-only"]
    placed = [(name.partition(":")[0], "+" in name) for name in profile.targets]
    servers = load_catalog(CHECKOUT).servers
    assert sorted(placed) == sorted((server, edged) for server in servers for edged in (False, True))
    assert profile.app()["LAB_SSL_REDIRECT"] == "true"
