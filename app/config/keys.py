"""The two secrets of the project, and what makes them fit to start with."""

from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

JWT_KEY_MIN_BYTES = 32  # RFC 7518, section 3.2: at least as long as the hash of HS256


def secret_and_jwt_key(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return (SECRET_KEY, key that signs the tokens).

    Raises:
        ImproperlyConfigured: one is missing, the key for tokens is too short, or both are the same. The
            message never contains a secret.
    """
    secret = _required(environment, "DJANGO_SECRET_KEY")
    jwt_key = _required(environment, "DJANGO_JWT_KEY")
    size_bytes = len(jwt_key.encode())
    if size_bytes < JWT_KEY_MIN_BYTES:
        raise ImproperlyConfigured(
            f"DJANGO_JWT_KEY has {size_bytes} bytes; HS256 needs at least {JWT_KEY_MIN_BYTES}. "
            "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    if jwt_key == secret:
        raise ImproperlyConfigured(
            "DJANGO_JWT_KEY equals DJANGO_SECRET_KEY; give tokens a key of their own, "
            "so that a leak of one does not open the other"
        )
    return secret, jwt_key


def _required(environment: Mapping[str, str], name: str) -> str:
    # Not through environ.Env: it takes a value that begins with "$" for the name of another variable, and
    # prints it when there is no such variable.
    value = environment.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"Set the environment variable {name}")
    return value
