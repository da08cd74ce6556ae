"""Who is at the other end of a connection."""

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the address of the client, as far as nobody can choose it.

    Behind the edge that is X-Forwarded-For, which the edge sets to one address and never hands on from outside;
    without an edge the header is anybody's, and only the connection tells. Servers differ in what REMOTE_ADDR is
    behind a proxy (the proxy, or by uwsgi's protocol the client), so it is not used there.
    """
    address = request.META.get("HTTP_X_FORWARDED_FOR") if settings.TRUSTED_PROXY else None
    return str(address or request.META.get("REMOTE_ADDR") or "")
