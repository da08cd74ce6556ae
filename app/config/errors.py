"""The answers of last resort, as JSON and without a word about the inside."""

import sys
from collections.abc import Callable
from functools import wraps

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis.exceptions import RedisError

AWAY = (OperationalError, InterfaceError, RedisError)
"""What asking a database or a cache ends in that does not answer; all other errors of theirs are mistakes of ours."""

RETRY_AFTER_S = 5

View = Callable[..., HttpResponse]


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer 400; 413 when the body was too large."""
    if isinstance(exception, RequestDataTooBig):
        return JsonResponse({"detail": "The body is too large."}, status=413)
    return JsonResponse({"detail": "Bad request."}, status=400)


def forbidden(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer 403."""
    return JsonResponse({"detail": "Forbidden."}, status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> JsonResponse:
    """Answer 403 to a request whose CSRF token is missing or wrong."""
    return JsonResponse({"detail": "CSRF check failed. Get a token from /api/auth/csrf/."}, status=403)


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer 404."""
    return JsonResponse({"detail": "Not found."}, status=404)


def server_error(request: HttpRequest) -> JsonResponse:
    """Answer 500; 503 when the error was that the database or the cache does not answer.

    Django calls this where it handles the error of a view or of a middleware, under WSGI and ASGI alike.
    """
    if isinstance(sys.exception(), AWAY):
        later = {"Retry-After": str(RETRY_AFTER_S)}
        return JsonResponse({"detail": "Temporarily unavailable."}, status=503, headers=later)
    return JsonResponse({"detail": "Internal server error."}, status=500)


def only_reads(view: View) -> View:
    """Let GET and HEAD through to a plain view; 405 to every other method."""

    @wraps(view)
    def answer(request: HttpRequest, **captured: object) -> HttpResponse:
        if request.method in {"GET", "HEAD"}:
            return view(request, **captured)
        detail = f'Method "{request.method}" not allowed.'
        return JsonResponse({"detail": detail}, status=405, headers={"Allow": "GET, HEAD"})

    return answer
