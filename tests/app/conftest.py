"""The app's tests: its environment, and forged tokens that share no code with what verifies them."""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django
import pytest
from django.core.management import call_command

APP = Path(__file__).resolve().parents[2] / "app"
FAMILY = "f" * 32
JWT_KEY = "a key for the tokens of the tests, and for nothing else"
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "DJANGO_SECRET_KEY": "v3ry-l0ng-4nd-r4nd0m-En0ugh-F0r-Th3-Ch3cks-0f-Dj4ng0-Its3lf",
    "DJANGO_JWT_KEY": JWT_KEY,
    "DJANGO_ALLOWED_HOSTS": "testserver",
    "DJANGO_SSL_REDIRECT": "false",
    "DJANGO_CORS_ORIGINS": "https://front.example.org",
    "DATABASE_URL": "sqlite://:memory:",
    "LAB_CHEAP_HASHER": "on",
    "LAB_IDENTITY": "on",
    "LAB_FAULTS": "on",
}

# At import, not in a fixture: test modules import models, and that needs settings. Their name is taken back at
# once: parallel test processes would inherit it, and look for the module before this file has told them where.
os.environ.update(ENVIRONMENT)
sys.path.insert(0, str(APP))
django.setup()
del os.environ["DJANGO_SETTINGS_MODULE"]

from django.test import Client  # noqa: E402 - only now can it be imported

from accounts.jwt import tokens  # noqa: E402
from tests.app.ways import PASSWORD, WAYS, Way  # noqa: E402


def _segment(content):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge_token(payload, *, key=JWT_KEY, header=None, digest=hashlib.sha256):
    """Return a signed token; payload and header may be anything JSON, or raw bytes."""
    signed = f"{_segment(header or {'alg': 'HS256', 'typ': 'JWT'})}.{_segment(payload)}"
    signature = hmac.new(key.encode(), signed.encode(), digest).digest()
    return f"{signed}.{_segment(signature)}"


@pytest.fixture
def app_environment():
    """The environment of the tests, to be changed and handed to a new process or a new reading of the settings."""
    return dict(ENVIRONMENT)


@pytest.fixture
def forge():
    """Sign any payload with any header and key."""
    return forge_token


@pytest.fixture
def forged(user):
    """Make a token for the user that is good but for what is changed; a claim that is `...` is left out."""

    def make(*, way="jwt", kind="access", key=JWT_KEY, header=None, digest=hashlib.sha256, **changed):
        good = good_claims(user, way=way, kind=kind)
        claims = {name: value for name, value in (good | changed).items() if value is not ...}
        token = forge_token(claims, key=key, header=header, digest=digest)
        if kind == "refresh":
            put_on_record(user, token, way=way)
        return token

    return make


def good_claims(user, *, way, kind):
    """Return what a token of ours says, written down here once more."""
    now = int(time.time())
    common = {"iss": "serverlab", "user_id": str(user.pk), "jti": "0" * 32, "iat": now, "exp": now + 60}
    common |= {"token_type": kind, "fam": FAMILY, "ver": user.token_version, "role": user.role}
    common["aud"] = {"jwt": "serverlab", "plain": "serverlab-plain"}[way]
    put_on_record(user, "", way=way)
    return common | ({"name": user.username} if kind == "access" else {"end": now + 60})


def put_on_record(user, refresh, *, way):
    """Have the app know a family of the user whose present refresh token is this one."""
    if way == "jwt":
        ends = datetime.now(UTC) + timedelta(minutes=1)
        known = {
            "user": user,
            "current_jti": "0" * 32,
            "expires_at": ends,
            "ends_at": ends,
            "revoked_at": None,
        }
        user.families.update_or_create(id=FAMILY, defaults=known)
    else:
        user.refresh_family, user.refresh_token_hash = FAMILY, hashlib.sha256(refresh.encode()).hexdigest()
        user.save()


@pytest.fixture
def user(db, django_user_model):
    """A user who can sign in: a reader."""
    return django_user_model.objects.create_user("reader", "reader@example.org", PASSWORD)


@pytest.fixture
def pair(client, user):
    """The access and refresh token of that user."""
    body = {"username": "reader", "password": PASSWORD}
    return client.post("/api/auth/jwt/login/", body, content_type="application/json").json()


@pytest.fixture
def sign_in_by(settings):
    """Make one who may sign in by the way of this name; the app is set to what the way needs."""

    def make(name):
        if name.startswith("plain"):
            settings.PLAIN_TOKENS = "cookie" if name.endswith("cookies") else "header"
        return Way(name)

    return make


@pytest.fixture(params=WAYS)
def way(request, sign_in_by):
    """One who may sign in, once for each of the ways."""
    return sign_in_by(request.param)


@pytest.fixture
def bearer(client):
    """GET with a bearer token."""

    def get(path, token):
        return client.get(path, headers={"Authorization": f"Bearer {token}"})

    return get


@pytest.fixture
def holder_of_role(db, django_user_model):
    """Make a client that carries a good access token of a user with this role."""

    def make(role):
        user, _ = django_user_model.objects.get_or_create(username=f"the-{role}", role=role)
        return Client(headers={"Authorization": f"Bearer {tokens.issue(user).access}"})

    return make


@pytest.fixture
def reader(holder_of_role):
    """A client that may read."""
    return holder_of_role("reader")


@pytest.fixture
def editor(holder_of_role):
    """A client that may also create and change."""
    return holder_of_role("editor")


@pytest.fixture
def admin(holder_of_role):
    """A client that may do everything."""
    return holder_of_role("admin")


@pytest.fixture
def seeded(db, capsys):
    """A database with the lab's catalogue."""
    call_command("seed")


@pytest.fixture
def book_body():
    """What creates a good book of the lab's catalogue."""
    return {
        "title": "A new book",
        "isbn": "9789999999999",
        "published": "2026-01-31",
        "pages": 300,
        "author_id": 3,
        "publisher_ids": [2, 5],
    }
