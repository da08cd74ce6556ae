"""Which handshakes may go on to the feed; all others are refused before anything is looked up."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

FEED_PATH = "/ws/feed/"
LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]  # what Django, too, allows while debugging

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class Handshakes:
    """An ASGI application for WebSockets: hands those on that ask for the feed from where they may."""

    def __init__(self, feed: Application) -> None:
        """Guard the feed."""
        self._feed = feed

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Hand it on, or refuse it: closed before it is accepted means 403."""
        if settings.REALTIME and scope["path"] == FEED_PATH and may_connect(scope):
            await self._feed(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close"})


def may_connect(scope: Mapping[str, Any]) -> bool:
    """Whether the page that asks comes from here, or from an origin that CORS lets in.

    A browser sends cookies and opens sockets whatever page tells it to, and no CORS check stops it; Origin is what
    a page cannot choose. None at all, several, and `null` are refused as well.
    """
    headers = list(scope["headers"])
    origin, host = _only(headers, b"origin"), _only(headers, b"host")
    allowed = settings.ALLOWED_HOSTS or (LOCAL_HOSTS if settings.DEBUG else [])
    domain, _ = split_domain_port(host)
    if not origin or not domain or not validate_host(domain, allowed):
        return False
    return (
        origin.lower() == f"{_scheme(scope, headers)}://{host.lower()}"
        or origin in settings.CORS_ALLOWED_ORIGINS
    )


def _scheme(scope: Mapping[str, Any], headers: list[tuple[bytes, bytes]]) -> str:
    if settings.TRUSTED_PROXY:
        return _only(headers, b"x-forwarded-proto")
    return "https" if scope.get("scheme") == "wss" else "http"


def _only(headers: list[tuple[bytes, bytes]], name: bytes) -> str:
    """Return the value of a header, "" when there is none or more than one."""
    values = [value.decode("latin-1") for key, value in headers if key.lower() == name]
    return values[0] if len(values) == 1 else ""
