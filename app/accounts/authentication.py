"""How the catalogue learns who asks, whichever way somebody signed in.

Asked in this order, and the first credential that is there decides: a token in the header (of either way), the plain
way's cookie, Django's session. A wrong token is refused; it is no way past the checks of the next credential.
"""

from typing import Any

from django.conf import settings
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.jwt.authentication import BearerAuthentication
from accounts.jwt.tokens import InvalidToken
from accounts.models import User
from accounts.plain import tokens as plain
from accounts.plain.decorators import ACCESS_COOKIE
from accounts.shapes import Member

Holder = tuple[User | Member, dict[str, Any]]


class EitherToken(BearerAuthentication):
    """Reads a token of DRF's way or, in mode `header`, of the plain way."""

    def authenticate(self, request: Request) -> Holder | None:
        """Return who holds the token; None without one."""
        try:
            return super().authenticate(request)
        except InvalidToken:
            if settings.PLAIN_TOKENS != "header":
                raise
            raw = self.get_raw_token(self.get_header(request)) or b""
            return _plain_holder(raw.decode("latin-1"))


class PlainCookie(SessionAuthentication):
    """Reads the plain way's cookie in mode `cookie`, and then wants a CSRF token as a session does."""

    def authenticate(self, request: Request) -> Holder | None:
        """Return who holds the token in the cookie; None without one."""
        if settings.PLAIN_TOKENS != "cookie" or ACCESS_COOKIE not in request.COOKIES:
            return None
        holder = _plain_holder(request.COOKIES[ACCESS_COOKIE])
        self.enforce_csrf(request)
        return holder


def _plain_holder(token: str) -> Holder:
    try:
        return plain.reader_of(token)
    except plain.InvalidToken as error:
        raise AuthenticationFailed(str(error)) from None
