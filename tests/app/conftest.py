"""The app's tests: its environment, and forged tokens that share no code with what verifies them."""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from pathlib import Path

import django
import pytest

APP = Path(__file__).resolve().parents[2] / "app"
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
}

# At import, not in a fixture: test modules import models, and that needs settings. Their name is taken back at
# once: parallel test processes would inherit it, and look for the module before this file has told them where.
os.environ.update(ENVIRONMENT)
sys.path.insert(0, str(APP))
django.setup()
del os.environ["DJANGO_SETTINGS_MODULE"]


def _segment(content):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge_token(payload, *, key=JWT_KEY, header=None):
    """Return a signed token; payload and header may be anything JSON, or raw bytes."""
    signed = f"{_segment(header or {'alg': 'HS256', 'typ': 'JWT'})}.{_segment(payload)}"
    signature = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
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

    def make(*, key=JWT_KEY, header=None, **changed):
        now = int(time.time())
        good = {"token_type": "access", "exp": now + 60, "iat": now, "jti": "0" * 32, "user_id": str(user.pk)}
        claims = {name: value for name, value in (good | changed).items() if value is not ...}
        return forge_token(claims, key=key, header=header)

    return make


@pytest.fixture
def user(db, django_user_model):
    """A user who can sign in."""
    return django_user_model.objects.create_user("reader", "reader@example.org", "correct-horse-battery")


@pytest.fixture
def pair(client, user):
    """The access and refresh token of that user."""
    body = {"username": "reader", "password": "correct-horse-battery"}
    return client.post("/api/auth/token/", body, content_type="application/json").json()


@pytest.fixture
def bearer(client):
    """GET with a bearer token."""

    def get(path, token):
        return client.get(path, headers={"Authorization": f"Bearer {token}"})

    return get


@pytest.fixture
def reader(client, pair):
    """A client that carries a good access token."""
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {pair['access']}"
    return client
