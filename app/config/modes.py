"""Settings that follow from others."""

from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured

LOCAL_HOSTS = frozenset({"localhost", ".localhost", "127.0.0.1", "[::1]"})


def cookie_name(name: str, *, secure: bool) -> str:
    """Return the name of a cookie; one that only travels over TLS is bound to its very host (RFC 6265bis, 4.1.3)."""
    return f"__Host-{name}" if secure else name


def allowed_debug(*, wanted: bool, hosts: Sequence[str]) -> bool:
    """Return whether debug pages are shown.

    Raises:
        ImproperlyConfigured: they are wanted where others than this machine can see them.
    """
    if wanted and (others := sorted(set(hosts) - LOCAL_HOSTS)):
        raise ImproperlyConfigured(
            f"DJANGO_DEBUG=true with DJANGO_ALLOWED_HOSTS={','.join(others)}: debug pages show settings and source, "
            "so they are for localhost only. Unset one of the two."
        )
    return wanted


def checks_csrf(*, wanted: bool, hosts: Sequence[str]) -> bool:
    """Return whether a write with a cookie has to prove that a page of this app asked for it.

    Raises:
        ImproperlyConfigured: it is not wanted where others than this machine are served.
    """
    if not wanted and (others := sorted(set(hosts) - LOCAL_HOSTS)):
        raise ImproperlyConfigured(
            f"LAB_CSRF_CHECK=off with DJANGO_ALLOWED_HOSTS={','.join(others)}: any page could write as whoever is "
            "signed in, so it is for localhost only. Unset one of the two."
        )
    return wanted
