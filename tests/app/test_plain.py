"""The plain way in its two modes: tokens in headers, or in cookies that no script can read."""

from pathlib import Path

import pytest

from tests.app.ways import PASSWORD, Way

pytestmark = pytest.mark.django_db

APP = Path(__file__).resolve().parents[2] / "app"


@pytest.fixture
def cookies(sign_in_by, user):
    """One who has signed in, the tokens in cookies."""
    way = sign_in_by("plain in cookies")
    assert way.log_in().status_code == 200
    return way


def test_the_cookies_are_for_http_only_for_this_site_and_for_their_addresses(cookies):
    """The refresh token goes only where it is of use."""
    found = {
        name: (morsel["httponly"], morsel["samesite"], morsel["secure"], morsel["path"], morsel["max-age"])
        for name, morsel in cookies.client.cookies.items()
        if name.startswith("serverlab")
    }
    assert found == {
        "serverlab_access": (True, "Strict", True, "/api/", 600),
        "serverlab_refresh": (True, "Strict", True, "/api/auth/plain/", 86_400),
    }


def test_no_body_holds_a_token(cookies):
    """What no script can read must not be handed to scripts either."""
    assert cookies.log_in().json().keys() == {"user", "expires_in"}
    assert cookies.refresh().json().keys() == {"expires_in"}


def test_log_out_takes_the_cookies_away(cookies):
    """Those that are left are empty and have ended."""
    assert cookies.log_out().status_code == 204
    left = {name: (kept.value, kept["max-age"]) for name, kept in cookies.client.cookies.items()}
    assert (left["serverlab_access"], left["serverlab_refresh"]) == (("", 0), ("", 0))


@pytest.mark.parametrize(
    "name", ["login", "signup", "refresh", "verify", "logout", "password", "logout-everywhere"]
)
def test_with_cookies_nothing_is_done_without_a_csrf_token(cookies, name):
    """A4-06: a cookie is sent whoever made the browser ask."""
    body = {"username": "reader", "password": PASSWORD}
    answer = cookies.client.post(f"/api/auth/plain/{name}/", body, content_type="application/json")
    assert answer.status_code == 403
    assert answer.json() == {"detail": "CSRF check failed. Get a token from /api/auth/csrf/."}
    assert cookies.me().status_code == 200


def test_the_catalogue_takes_the_cookie_and_wants_a_csrf_token_for_writes(cookies, user):
    """As for a session."""
    user.role = "admin"
    user.save()
    body = {"name": "New", "city": "Rome"}
    client = cookies.client
    assert client.get("/api/publishers/").status_code == 200
    assert client.post("/api/publishers/", body, content_type="application/json").status_code == 403
    good = {"X-CSRFToken": cookies.csrf()}
    assert (
        client.post("/api/publishers/", body, content_type="application/json", headers=good).status_code
        == 201
    )


def test_each_mode_takes_its_own_carrier_only(sign_in_by, cookies, settings):
    """In mode `cookie` no header, in mode `header` no cookie."""
    access = cookies.client.cookies["serverlab_access"].value
    bearer = {"Authorization": f"Bearer {access}"}
    assert Way("plain").client.get("/api/auth/plain/me/", headers=bearer).status_code == 401
    settings.PLAIN_TOKENS = "header"
    assert cookies.client.get("/api/auth/plain/me/").status_code == 401
    assert cookies.client.get("/api/publishers/").status_code == 401
    assert Way("plain").client.get("/api/auth/plain/me/", headers=bearer).status_code == 200


@pytest.mark.parametrize("value", ["", "x", "a.b.c", "é", '"', "a" * 5000])
def test_an_odd_cookie_is_refused(cookies, value):
    """Here and in the catalogue."""
    cookies.client.cookies["serverlab_access"] = value
    cookies.client.cookies["serverlab_refresh"] = value
    assert cookies.me().status_code == 401
    assert cookies.refresh().status_code == 401
    assert cookies.client.get("/api/publishers/").status_code == 401


def test_csrf_is_waived_where_there_is_nothing_to_forge_and_nowhere_else():
    """Where tokens are in headers, and in the lab's ledger, which looks at no cookie and is absent in production."""
    waived = {
        str(file.relative_to(APP)) for file in APP.rglob("*.py") if "csrf_exempt" in file.read_text("utf-8")
    }
    assert waived == {"accounts/plain/decorators.py", "lab/ledger.py"}


def test_the_plain_way_needs_no_framework_for_its_work():
    """Nothing in it imports DRF or simplejwt."""
    imports = [
        line
        for file in (APP / "accounts" / "plain").glob("*.py")
        for line in file.read_text("utf-8").splitlines()
        if "rest_framework" in line
    ]
    assert imports == []
