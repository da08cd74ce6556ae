"""Tokens: the only module that knows which library makes and reads them.

Everything else calls `issue`, `rotate` and `verify` and names `BearerAuthentication` in the settings, so another
library needs another body of this file and nothing else. The library's reading of claims is too trusting (an `exp`
of 10^20 or a user id that is a list end in a server error), so claims are held against the exact form in which this
module writes them before anybody uses them.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.utils import datetime_from_epoch

from accounts.models import User

LATEST_EXP = 253_402_300_799  # the last second of the year 9999
LARGEST_ID = 2**63 - 1
USER_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
TOKEN_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)

__all__ = ["BearerAuthentication", "InvalidToken", "TokenPair", "issue", "rotate", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """A short-lived access token and the refresh token that buys the next pair, once."""

    access: str
    refresh: str

    def as_json(self) -> dict[str, str]:
        """Return {"access", "refresh"}."""
        return asdict(self)


class _ExactClaims:
    """Accepts a token only if its claims look exactly as this module writes them."""

    payload: dict[str, Any]

    def verify(self) -> None:
        exp, user_id = self.payload.get("exp"), self.payload.get("user_id")
        token_id = self.payload.get("jti")
        if type(exp) is not int or not 0 < exp <= LATEST_EXP:
            raise TokenError("Token has an odd 'exp' claim")
        if not isinstance(user_id, str) or not USER_ID.fullmatch(user_id) or int(user_id) > LARGEST_ID:
            raise TokenError("Token has an odd 'user_id' claim")
        if not isinstance(token_id, str) or not TOKEN_ID.fullmatch(token_id):
            raise TokenError("Token has an odd 'jti' claim")
        super().verify()  # type: ignore[misc]


class _AccessToken(_ExactClaims, simplejwt.AccessToken):
    pass


class _RefreshToken(_ExactClaims, simplejwt.Token):
    # Not the library's own class: that one keeps the raw token in the database, and lets two parallel refreshes win.
    token_type = "refresh"  # noqa: S105 - the name of a kind of token
    lifetime = simplejwt.RefreshToken.lifetime


class BearerAuthentication(JWTAuthentication):
    """Reads `Authorization: Bearer <access token>`; anything wrong with it is 401, never a server error."""

    def get_validated_token(self, raw_token: bytes) -> simplejwt.Token:
        """Return the access token; raise InvalidToken."""
        return _read(_AccessToken, raw_token)


def issue(user: User) -> TokenPair:
    """Return a new pair for a user; the id of its refresh token is on record, the token itself is not."""
    refresh = _RefreshToken.for_user(user)
    OutstandingToken.objects.create(
        user=user,
        jti=refresh["jti"],
        token="",
        created_at=refresh.current_time,
        expires_at=datetime_from_epoch(refresh["exp"]),
    )
    return TokenPair(access=str(_AccessToken.for_user(user)), refresh=str(refresh))


def rotate(refresh: str) -> TokenPair:
    """Return the next pair and spend `refresh`, both or neither; of several at once exactly one succeeds.

    Raises:
        InvalidToken: not a refresh token of ours, expired, spent, or its user is gone or inactive.
    """
    token = _read(_RefreshToken, refresh)
    with transaction.atomic():
        record = _record(token)
        # The row is unique per token: the database says who was first.
        if not BlacklistedToken.objects.get_or_create(token=record)[1]:
            raise InvalidToken("Token was used already")
        return issue(record.user)


def verify(token: str) -> None:
    """Return if the token, access or refresh, can be used now.

    Raises:
        InvalidToken: it cannot.
    """
    try:
        read = _read(_AccessToken, token)
    except InvalidToken:
        record = _record(_read(_RefreshToken, token))
        if BlacklistedToken.objects.filter(token=record).exists():
            raise InvalidToken("Token was used already") from None
    else:
        if not User.objects.filter(pk=read["user_id"], is_active=True).exists():
            raise InvalidToken("Token has no active user")


def _read(kind: type[simplejwt.Token], text: str | bytes) -> Any:  # noqa: ANN401 - a `kind`
    # Beside its own errors the library lets through what odd JSON does to int(), datetime and the JSON parser.
    try:
        return kind(text)  # type: ignore[arg-type]
    except (TokenError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidToken("Token is invalid or expired") from error


def _record(token: simplejwt.Token) -> OutstandingToken:
    record = (
        OutstandingToken.objects.select_related("user")
        .filter(jti=token["jti"], user_id=token["user_id"], user__is_active=True)
        .first()
    )
    if record is None:
        raise InvalidToken("Token is not on record for an active user")
    return record
