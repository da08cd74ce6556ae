"""How passwords are stored."""

import pytest
from django.contrib.auth.hashers import identify_hasher

from accounts.hashers import Argon2id
from accounts.models import User

pytestmark = pytest.mark.django_db


def test_the_real_hasher_is_argon2id_with_pinned_parameters(settings):
    """The parameters stand in every stored hash."""
    settings.PASSWORD_HASHERS = ["accounts.hashers.Argon2id"]
    user = User.objects.create_user("w", password="staple-battery-42")
    assert user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert isinstance(identify_hasher(user.password), Argon2id)
    assert user.check_password("staple-battery-42")


@pytest.mark.parametrize("password", ["x", "x" * 1024, "\N{LATIN SMALL LETTER E WITH ACUTE}" * 500, "nul\0l"])
def test_a_wrong_password_of_any_length_is_just_wrong(client, user, password):
    """A5-03: 400 for what no password could be, 401 for the rest."""
    body = {"username": "reader", "password": password}
    for way in ("jwt", "plain"):
        answer = client.post(f"/api/auth/{way}/login/", body, content_type="application/json")
        assert answer.status_code == (400 if "\0" in password else 401)
        longer = client.post(
            f"/api/auth/{way}/login/", body | {"password": "x" * 1025}, content_type="application/json"
        )
        assert longer.status_code == 400
