"""What stands before every view: requests that are refused unseen, and headers that every answer carries."""

import re
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.decorators import sync_and_async_middleware

SECRET_PATHS = ("/api/auth/", "/api/realtime/")  # answers that hold tokens, tickets or who somebody is
HEADERS = {
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
DRAINED_BYTES = 2 << 20  # client_max_body_size of the edge
LENGTH = re.compile(r"[0-9]{1,18}")

View = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def guard(get_response: View) -> View:
    """Refuse what no view should see, and put the headers on that Django and django-csp have no setting for."""
    if iscoroutinefunction(get_response):

        async def guarded_async(request: HttpRequest) -> HttpResponseBase:
            return _finished(request, _refusal(request) or await get_response(request))

        return guarded_async

    def guarded(request: HttpRequest) -> HttpResponseBase:
        return _finished(request, _refusal(request) or get_response(request))

    return guarded


def _refusal(request: HttpRequest) -> JsonResponse | None:
    """Return the answer to a request that is not looked at any further, None for all others."""
    if "HTTP_TRANSFER_ENCODING" in request.META:
        # WSGI servers disagree: some hide the body, some hand it on without an end. The edge sends lengths only.
        return _refused(411, "Send a Content-Length; bodies in chunks are not taken.")
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not LENGTH.fullmatch(length):
        return _refused(400, "Bad request.")
    if int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        _drain(request)
        return _refused(413, f"The body may have {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.")
    if not _is_utf8(request):
        return _refused(400, "Only UTF-8 is understood, in the query string and as a charset.")
    if settings.SECURE_SSL_REDIRECT and request.path.startswith("/api/") and not request.is_secure():
        return _refused(403, "Use HTTPS.")
    return None


def _is_utf8(request: HttpRequest) -> bool:
    """Return whether all of it can be read as UTF-8; Django would replace what cannot, and answer something else."""
    if request.content_params.get("charset", "utf-8").lower() not in {"utf-8", "utf8", "us-ascii"}:
        return False
    query = request.META.get("QUERY_STRING", "")
    try:
        return "%" not in query or bool(unquote_to_bytes(query).decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _drain(request: HttpRequest) -> None:
    """Take what the edge lets through of a body: who still sends when the connection closes sees no answer."""
    left = DRAINED_BYTES
    while left > 0 and (chunk := request.read(1 << 16)):
        left -= len(chunk)


def _refused(status: int, detail: str) -> JsonResponse:
    response = JsonResponse({"detail": detail}, status=status)
    response.headers["Content-Length"] = str(
        len(response.content)
    )  # Django's own comes from a later middleware
    return response


def _finished(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.path.startswith(SECRET_PATHS):
        response.headers["Cache-Control"] = "no-store"
    return response
