"""Without the CSRF check a cookie alone is enough, in every place that asks for a token otherwise."""

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

COOKIES = pytest.mark.parametrize("name", ["session", "plain in cookies"])
PUBLISHER = {"name": "New", "city": "Rome"}


@pytest.fixture
def unchecked(settings):
    """The app as LAB_CSRF_CHECK=off sets it up, for clients that are made from now on."""
    settings.MIDDLEWARE = ["lab.unchecked.unchecked", *settings.MIDDLEWARE]


@pytest.fixture
def cookies_of(sign_in_by, user):
    """The cookies of somebody who may write, signed in by that way."""
    user.role = "admin"
    user.save()

    def signed_in(name):
        way = sign_in_by(name)
        way.log_in()
        return way.client.cookies

    return signed_in


def written(cookies, name):
    """The statuses of writes that carry cookies and nothing else: one for DRF, one for a function."""
    client = Client(enforce_csrf_checks=True)
    client.cookies = cookies
    made = client.post("/api/publishers/", PUBLISHER, content_type="application/json")
    return made.status_code, client.post(f"/api/auth/{name.split()[0]}/logout-everywhere/").status_code


@COOKIES
def test_with_the_check_a_cookie_is_not_enough(cookies_of, name):
    assert written(cookies_of(name), name) == (403, 403)


@COOKIES
@pytest.mark.usefixtures("unchecked")
def test_without_it_a_cookie_is_enough(cookies_of, name):
    assert written(cookies_of(name), name) == (201, 204)


@pytest.mark.usefixtures("unchecked")
def test_so_it_is_under_asgi(cookies_of):
    client = AsyncClient(enforce_csrf_checks=True)
    client.cookies = cookies_of("session")
    answer = async_to_sync(client.post)("/api/auth/session/logout-everywhere/")
    assert answer.status_code == 204
