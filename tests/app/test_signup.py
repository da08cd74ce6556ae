"""Sign-up and stored passwords."""

import pytest
from django.contrib.auth.hashers import identify_hasher

from accounts.hashers import Argon2id
from accounts.models import User

pytestmark = pytest.mark.django_db

GOOD = {"username": "writer", "email": "writer@example.org", "password": "staple-battery-42"}


@pytest.fixture
def sign_up(client):
    """POST a sign-up, changed as told."""

    def send(**changed):
        return client.post("/api/auth/jwt/signup/", GOOD | changed, content_type="application/json")

    return send


def test_a_new_user_can_get_a_token(client, sign_up):
    """Signing up is all that it takes."""
    answer = sign_up()
    assert answer.status_code == 201
    user = User.objects.get()
    assert answer.json() == {"id": user.pk, "username": "writer", "role": "reader"}
    body = {"username": "writer", "password": GOOD["password"]}
    assert client.post("/api/auth/jwt/login/", body, content_type="application/json").status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("password", "12345678"),
        ("password", "password"),
        ("password", "short"),
        ("password", "writer@example.org"),
        ("password", "x" * 1025),
        ("password", "nul-\0-nul-nul"),
        ("password", ""),
        ("username", ""),
        ("username", "a" * 151),
        ("username", "with space"),
        ("email", "nobody"),
        ("email", ""),
    ],
)
def test_a_poor_field_is_refused_by_name(sign_up, field, value):
    """The refusal names the field, and nobody is created."""
    answer = sign_up(**{field: value})
    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert not User.objects.exists()


def test_a_name_is_given_once(sign_up):
    """The second sign-up is refused."""
    sign_up()
    assert sign_up().status_code == 400
    assert User.objects.count() == 1


def test_a_name_that_only_looks_different_is_refused(sign_up):
    """Names are normalised when they are stored, after the field was checked: the database has the last word."""
    sign_up(username="ﬁnn")  # with the ligature
    answer = sign_up(username="ﬁnn")
    assert answer.status_code == 400
    assert answer.json() == {"username": ["This name is taken."]}


def test_nobody_signs_up_as_staff(sign_up):
    """Fields that are not offered are not taken."""
    assert sign_up(is_staff=True, is_superuser=True, role="admin", id=99).status_code == 201
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.role, user.pk == 99) == (False, False, "reader", False)


def test_the_real_hasher_is_argon2id_with_pinned_parameters(settings):
    """The parameters stand in every stored hash."""
    settings.PASSWORD_HASHERS = ["accounts.hashers.Argon2id"]
    user = User.objects.create_user("w", password="staple-battery-42")
    assert user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert isinstance(identify_hasher(user.password), Argon2id)
    assert user.check_password("staple-battery-42")
