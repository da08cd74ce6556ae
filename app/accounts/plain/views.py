"""Signing up, getting, renewing and giving back tokens, and the view that needs one: ordinary functions."""

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse

from accounts.credentials import REFUSED, REVOKED, change_password, end_everything
from accounts.forms import (
    LogInForm,
    PasswordForm,
    RefreshForm,
    VerifyForm,
    count_attempt,
    new_account,
)
from accounts.models import User
from accounts.plain import tokens
from accounts.plain.decorators import (
    ACCESS_COOKIE,
    CHALLENGE,
    REFRESH_COOKIE,
    REFRESH_PATH,
    csrf_where_ambient,
    with_access_token,
)
from accounts.shapes import Member, TokenPair
from config.plainjson import Refusal, fields_of, json_view, refused


@csrf_where_ambient
@json_view("POST")
def sign_up(request: HttpRequest) -> HttpResponse:
    """Take {username, email, password}; answer 201 with the new user."""
    return JsonResponse(Member.of(new_account(request)).as_json(), status=201)


@csrf_where_ambient
@json_view("POST")
def log_in(request: HttpRequest) -> HttpResponse:
    """Take {username, password}; answer {user} and a pair of tokens."""
    fields = fields_of(request, LogInForm)
    count_attempt(request, fields["username"])
    user = authenticate(request, **fields)
    if user is None:
        raise refused(401, REFUSED, headers=CHALLENGE)
    return _with_tokens(tokens.issue(user), {"user": Member.of(user).as_json()})


@csrf_where_ambient
@json_view("POST")
def refresh(request: HttpRequest) -> HttpResponse:
    """Take {refresh}, or the cookie; answer the next pair. The one that was sent is spent."""
    try:
        return _with_tokens(tokens.rotate(_refresh_token(request)), {})
    except tokens.InvalidToken as error:
        raise refused(401, str(error), headers=CHALLENGE) from None


@csrf_where_ambient
@json_view("POST")
def verify(request: HttpRequest) -> HttpResponse:
    """Take {token}; answer {} if it can be used, else 401."""
    try:
        tokens.verify(fields_of(request, VerifyForm)["token"])
    except tokens.InvalidToken as error:
        raise refused(401, str(error), headers=CHALLENGE) from None
    return JsonResponse({})


@csrf_where_ambient
@json_view("POST")
def log_out(request: HttpRequest) -> HttpResponse:
    """Take {refresh}, or the cookie; answer 204. The access token goes on until it expires."""
    try:
        tokens.log_out(_refresh_token(request))
    except tokens.InvalidToken as error:
        raise refused(401, str(error), headers=CHALLENGE) from None
    return _without_cookies(HttpResponse(status=204))


@csrf_where_ambient
@json_view("GET")
@with_access_token
def me(request: HttpRequest, holder: User | Member, claims: dict[str, Any]) -> HttpResponse:
    """Answer who asks, from the token alone where that is how tokens are verified."""
    return JsonResponse((Member.of(holder) if isinstance(holder, User) else holder).as_json())


@csrf_where_ambient
@json_view("POST")
@with_access_token
def password(request: HttpRequest, holder: User | Member, claims: dict[str, Any]) -> HttpResponse:
    """Take {old_password, new_password}; answer 204. All tokens and sessions of the user have ended."""
    fields, user = fields_of(request, PasswordForm), _account(holder, claims)
    count_attempt(request, user.username)
    try:
        change_password(user, old=fields["old_password"], new=fields["new_password"])
    except ValidationError as error:
        raise Refusal(400, error.message_dict) from None
    return _without_cookies(HttpResponse(status=204))


@csrf_where_ambient
@json_view("POST")
@with_access_token
def log_out_everywhere(request: HttpRequest, holder: User | Member, claims: dict[str, Any]) -> HttpResponse:
    """Answer 204; all tokens and sessions of the user have ended."""
    end_everything(_account(holder, claims))
    return _without_cookies(HttpResponse(status=204))


def _account(holder: User | Member, claims: dict[str, Any]) -> User:
    """Return the row of who asks, also where tokens are verified without one."""
    user = User.objects.filter(pk=holder.pk, is_active=True, token_version=claims["ver"]).first()
    if user is None:
        raise refused(401, REVOKED, headers=CHALLENGE)
    return user


def _refresh_token(request: HttpRequest) -> str:
    if settings.PLAIN_TOKENS == "cookie":
        return request.COOKIES.get(REFRESH_COOKIE, "")
    return str(fields_of(request, RefreshForm)["refresh"])


def _with_tokens(pair: TokenPair, body: dict[str, Any]) -> HttpResponse:
    """Return the tokens in the body, or in cookies that no script can read."""
    if settings.PLAIN_TOKENS == "header":
        return JsonResponse(body | pair.as_json())
    response = JsonResponse(body | {"expires_in": pair.expires_in})
    flags: dict[str, Any] = {"httponly": True, "secure": settings.SESSION_COOKIE_SECURE, "samesite": "Strict"}
    response.set_cookie(ACCESS_COOKIE, pair.access, max_age=settings.ACCESS_LIFETIME, path="/api/", **flags)
    response.set_cookie(
        REFRESH_COOKIE, pair.refresh, max_age=settings.REFRESH_LIFETIME, path=REFRESH_PATH, **flags
    )
    return response


def _without_cookies(response: HttpResponse) -> HttpResponse:
    if settings.PLAIN_TOKENS == "cookie":
        response.delete_cookie(ACCESS_COOKIE, path="/api/", samesite="Strict")
        response.delete_cookie(REFRESH_COOKIE, path=REFRESH_PATH, samesite="Strict")
    return response
