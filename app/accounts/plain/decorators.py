"""How plain views learn who asks, and when a browser has to prove that it was asked to ask."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from accounts.models import User
from accounts.plain import tokens
from accounts.shapes import Member
from config.plainjson import View, refused

ACCESS_COOKIE = "serverlab_access"
REFRESH_COOKIE = "serverlab_refresh"
REFRESH_PATH = "/api/auth/plain/"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="api"'}

HolderView = Callable[[HttpRequest, User | Member, dict[str, Any]], HttpResponse]


def with_access_token(view: HolderView) -> View:
    """Hand the view who holds the access token and its claims; 401 to everybody else."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        try:
            holder, claims = tokens.reader_of(access_token(request))
        except tokens.InvalidToken as error:
            raise refused(401, str(error), headers=CHALLENGE) from None
        return view(request, holder, claims)

    return answer


def access_token(request: HttpRequest) -> str:
    """Return the token that came with the request, "" without one: the header's, or in mode `cookie` the cookie's."""
    if settings.PLAIN_TOKENS == "cookie":
        return request.COOKIES.get(ACCESS_COOKIE, "")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def csrf_where_ambient(view: View) -> View:
    """Ask for a CSRF token in mode `cookie`, and only there.

    Cookies are sent by the browser whoever makes it ask. A token in a header is not: only a script that holds it can
    send it, so there is nothing to forge, and a client without cookies has no CSRF token to show.
    """
    protected = csrf_protect(view)

    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        return (protected if settings.PLAIN_TOKENS == "cookie" else view)(request)

    return answer
