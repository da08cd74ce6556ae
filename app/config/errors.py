"""The answers of last resort, as JSON and without a word about the inside."""

from django.http import HttpRequest, JsonResponse


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer 400."""
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
    """Answer 500."""
    return JsonResponse({"detail": "Internal server error."}, status=500)
