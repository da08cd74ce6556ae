"""The score of a page's headers, modifier by modifier."""

import pytest

from serverlab.attacks.observatory import Page, directives, modifiers, score

GOOD = {
    "content-security-policy": "default-src 'none'; script-src 'self'; form-action 'self'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
COOKIE = "__Host-sessionid=abc; HttpOnly; Path=/; SameSite=Lax; Secure"
ALL_GOOD = Page(headers=GOOD, cookies=(COOKIE,), redirect="https://localhost/")


def changed(*, headers=None, cookies=(COOKIE,), over_tls=True, redirect="https://localhost/"):
    """The good page with other headers; one that is None is left out."""
    kept = {name: value for name, value in (GOOD | (headers or {})).items() if value is not None}
    return Page(headers=kept, cookies=cookies, over_tls=over_tls, redirect=redirect)


def test_a_page_that_has_it_all_gets_every_bonus():
    assert modifiers(ALL_GOOD) == {
        "content-security-policy": 10,
        "cookies": 5,
        "cross-origin-resource-sharing": 0,
        "cross-origin-resource-policy": 10,
        "redirection": 0,
        "referrer-policy": 5,
        "strict-transport-security": 0,
        "x-content-type-options": 0,
        "x-frame-options": 5,
    }
    assert score(ALL_GOOD) == 135


def test_a_page_without_anything_gets_what_is_left_of_100():
    assert score(Page(headers={}, over_tls=False)) == 100 - 25 - 20 - 20 - 5 - 20


def test_bonuses_are_for_who_lacks_little():
    """Without nosniff 95 remain, and the bonuses count; without HSTS it is 80, and they do not."""
    assert score(changed(headers={"x-content-type-options": None})) == 95 + 35
    assert score(changed(headers={"strict-transport-security": None})) == 80


def test_what_is_not_asked_here_costs_nothing():
    bare = changed(headers={"strict-transport-security": None}, redirect=None)
    assert score(bare, without=("redirection",)) == 80
    assert score(bare, without=("redirection", "strict-transport-security")) == 135
    assert score(changed(headers={"content-security-policy": None}), without=("redirection",)) == 75


@pytest.mark.parametrize(
    ("policy", "modifier"),
    [
        ("", -25),
        ("default-src 'none'; form-action 'none'", 10),
        ("default-src 'none'", 5),
        ("default-src 'self'", 5),
        ("default-src 'none'; form-action 'self'; style-src 'unsafe-inline'", 0),
        ("default-src 'none'; script-src 'unsafe-eval'", -10),
        ("default-src 'none'; script-src 'unsafe-inline'", -20),
        ("default-src 'none'; script-src https:", -20),
        ("img-src 'self'", -20),
        ("default-src 'none'; img-src http://pictures.example", -20),
    ],
)
def test_a_policy_is_worth_what_it_forbids(policy, modifier):
    page = changed(headers={"content-security-policy": policy})
    assert modifiers(page)["content-security-policy"] == modifier


@pytest.mark.parametrize(
    ("cookie", "modifier"),
    [
        ("sessionid=a; HttpOnly; SameSite=Lax; Secure", 5),
        ("sessionid=a; HttpOnly; Secure", 0),
        ("csrftoken=a; Secure", -20),
        ("sessionid=a; HttpOnly; SameSite=None; Secure", -20),
        ("sessionid=a; SameSite=Lax; Secure", -30),
        ("sessionid=a; HttpOnly; SameSite=Lax", -10),
        ("theme=a; SameSite=Lax", -5),
    ],
)
def test_a_cookie_counts_by_its_worst_flag(cookie, modifier):
    assert modifiers(changed(cookies=(cookie,)))["cookies"] == modifier
    assert modifiers(changed(cookies=(COOKIE, cookie)))["cookies"] == modifier


def test_an_open_cookie_is_worse_where_no_hsts_protects_it():
    bare = {"strict-transport-security": None}
    session = changed(headers=bare, cookies=("sessionid=a; HttpOnly; SameSite=Lax",))
    other = changed(headers=bare, cookies=("theme=a; SameSite=Lax",))
    assert (modifiers(session)["cookies"], modifiers(other)["cookies"]) == (-40, -20)


@pytest.mark.parametrize(
    ("name", "headers", "modifier"),
    [
        ("strict-transport-security", {"strict-transport-security": "max-age=300"}, -10),
        ("referrer-policy", {"referrer-policy": "unsafe-url"}, -5),
        ("referrer-policy", {"referrer-policy": None}, 0),
        ("x-frame-options", {"x-frame-options": None}, 5),
        ("x-frame-options", {"x-frame-options": None, "content-security-policy": "default-src 'none'"}, -20),
        (
            "cross-origin-resource-sharing",
            {
                "access-control-allow-origin": "https://evil.example",
                "access-control-allow-credentials": "true",
            },
            -50,
        ),
    ],
)
def test_other_headers_count(name, headers, modifier):
    assert modifiers(changed(headers=headers))[name] == modifier


@pytest.mark.parametrize("redirect", [None, "http://localhost/start"])
def test_plain_http_has_to_lead_to_https_at_once(redirect):
    assert modifiers(changed(redirect=redirect))["redirection"] == -20


def test_of_two_directives_of_one_name_the_first_counts():
    assert directives("default-src 'none'; DEFAULT-SRC *;;") == {"default-src": ["'none'"]}
