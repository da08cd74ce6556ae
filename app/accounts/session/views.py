"""Signing up, in and out with Django's own functions; every POST needs a CSRF token, that of signing in as well."""

from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token

from accounts.credentials import REFUSED, change_password, end_everything
from accounts.forms import LogInForm, PasswordForm, count_attempt, new_account
from accounts.models import User
from accounts.shapes import Member
from accounts.signals import credentials_ended
from config.plainjson import Refusal, fields_of, json_view, refused

CHALLENGE = {"WWW-Authenticate": 'Session realm="api"'}


@json_view("GET")
def csrf(request: HttpRequest) -> HttpResponse:
    """Hand out the CSRF token, for the header X-CSRFToken, and set the cookie that belongs to it."""
    return JsonResponse({"csrf_token": get_token(request)})


@json_view("POST")
def sign_up(request: HttpRequest) -> HttpResponse:
    """Take {username, email, password}; answer 201 with the new user."""
    return JsonResponse(Member.of(new_account(request)).as_json(), status=201)


@json_view("POST")
def log_in(request: HttpRequest) -> HttpResponse:
    """Take {username, password}; answer {user} and begin a session with a new key. CSRF tokens change, too."""
    fields = fields_of(request, LogInForm)
    count_attempt(request, fields["username"])
    user = authenticate(request, **fields)
    if user is None:
        raise refused(401, REFUSED, headers=CHALLENGE)
    login(request, user)
    return JsonResponse({"user": Member.of(user).as_json()})


@json_view("GET")
def me(request: HttpRequest) -> HttpResponse:
    """Answer who asks."""
    return JsonResponse(Member.of(_account(request)).as_json())


@json_view("POST")
def log_out(request: HttpRequest) -> HttpResponse:
    """Answer 204; the session is gone."""
    user = _account(request)
    logout(request)
    credentials_ended.send(User, user_id=user.pk)
    return HttpResponse(status=204)


@json_view("POST")
def password(request: HttpRequest) -> HttpResponse:
    """Take {old_password, new_password}; answer 204. This session goes on, all others and all tokens have ended."""
    user, fields = _account(request), fields_of(request, PasswordForm)
    count_attempt(request, user.username)
    try:
        change_password(user, old=fields["old_password"], new=fields["new_password"])
    except ValidationError as error:
        raise Refusal(400, error.message_dict) from None
    update_session_auth_hash(request, user)
    return HttpResponse(status=204)


@json_view("POST")
def log_out_everywhere(request: HttpRequest) -> HttpResponse:
    """Answer 204; all sessions and tokens of the user have ended, this session as well."""
    end_everything(_account(request))
    logout(request)
    return HttpResponse(status=204)


def _account(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise refused(401, "Sign in first.", headers=CHALLENGE)
    return request.user
