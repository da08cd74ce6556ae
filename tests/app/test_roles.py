"""Who may do what: readers read, editors also write, admins also delete; whichever way they signed in."""

import pytest
from django.core.management import call_command

from accounts.models import User

pytestmark = pytest.mark.django_db

ALLOWED = {
    "reader": {"GET", "HEAD", "OPTIONS"},
    "editor": {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH"},
    "admin": {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"},
}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
BODY = {"name": "New", "city": "Rome"}


@pytest.fixture
def ask(way, user, capsys):
    """Ask for a publisher by any method, as one whose role is set."""
    call_command("seed")
    way.log_in()

    def send(method, role):
        User.objects.filter(pk=user.pk).update(role=role)
        path = "/api/publishers/" if method == "POST" else "/api/publishers/1/"
        call = getattr(way.client, method.lower())
        writes = (
            {"data": BODY, "content_type": "application/json"} if method in ("POST", "PUT", "PATCH") else {}
        )
        return call(path, headers=way.headers(), **writes).status_code

    return send


@pytest.mark.parametrize("role", ALLOWED)
def test_each_role_may_do_what_is_its_own(ask, role):
    """403 for the rest, by all ways alike."""
    refused = {method for method in METHODS if ask(method, role) == 403}
    assert set(METHODS) - refused == ALLOWED[role]


def test_the_method_is_the_requests_own(reader, capsys):
    """A3-19: no header and no field makes another of it."""
    call_command("seed")
    for override in ({"X-HTTP-Method-Override": "DELETE"}, {"X-Method-Override": "DELETE"}):
        assert reader.get("/api/publishers/1/", headers=override).status_code == 200
        assert reader.post("/api/publishers/1/?_method=DELETE", headers=override).status_code in (403, 405)
    assert reader.get("/api/publishers/1/").status_code == 200


def test_a_token_of_a_reader_does_not_become_an_editors_by_saying_so(client, forged, capsys):
    """In mode `user` the row decides, whatever role the token says."""
    call_command("seed")
    bearer = {"Authorization": f"Bearer {forged(role='admin')}"}
    assert client.delete("/api/publishers/1/", headers=bearer).status_code == 403
    assert client.get("/api/publishers/1/", headers=bearer).status_code == 200
