"""Tokens of DRF's way: the only module that knows which library makes and reads them.

Everything else calls the functions below, so another library needs another body of this file and nothing else.
"""

import logging
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jwt
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError

from accounts import claims
from accounts.credentials import INVALID, REVOKED, SPENT
from accounts.models import RefreshFamily, User
from accounts.shapes import Member, TokenPair
from accounts.signals import credentials_ended
from config.keys import Key

__all__ = ["InvalidToken", "issue", "log_out", "reader_of", "rotate", "verify"]

log = logging.getLogger(__name__)


class InvalidToken(AuthenticationFailed):
    """The token cannot be used: 401. The text says why, for people, and never holds the token."""


class _Backend(TokenBackend):
    """The library's reading and signing with one of our keys; the key's name goes into the header."""

    def __init__(self, key: Key) -> None:
        super().__init__(
            key.algorithm,
            signing_key=key.signing,
            verifying_key=key.verifying,
            audience=settings.JWT_AUDIENCE,
            issuer=settings.JWT_ISSUER,
        )
        self.kid = key.kid

    def encode(self, payload: dict[str, Any]) -> str:
        """Return the signed token."""
        header = {"kid": self.kid}
        return jwt.encode(payload, self.prepared_signing_key, algorithm=self.algorithm, headers=header)


_backend = cache(_Backend)


class _Token(simplejwt.Token):
    """A token whose key is found by its header, and whose claims have the exact form in which we write them."""

    # The library wants a length of life; the claims that are signed are made elsewhere.
    lifetime = settings.ACCESS_LIFETIME

    def get_token_backend(self) -> TokenBackend:
        """Return what reads this token, or what signs a new one."""
        if self.token is None:
            return _backend(settings.JWT_KEYS.signing)
        key = settings.JWT_KEYS.of(jwt.get_unverified_header(self.token))
        if key is None:
            raise TokenError("Token is signed with no key of ours")
        return _backend(key)

    def verify(self) -> None:
        """Refuse odd claims before the library looks at them."""
        claims.check(self.payload, token_type=self.token_type, audience=settings.JWT_AUDIENCE)
        super().verify()


class _AccessToken(_Token):
    token_type = claims.ACCESS


class _RefreshToken(_Token):
    token_type = claims.REFRESH


def issue(user: User) -> TokenPair:
    """Return the first pair of a new family; the id of its refresh token is on record, the token itself is not."""
    first = claims.refresh_claims(user, family=claims.new_id(), audience=settings.JWT_AUDIENCE)
    RefreshFamily.objects.create(
        id=first["fam"],
        user=user,
        current_jti=first["jti"],
        expires_at=_moment(first["exp"]),
        ends_at=_moment(first["end"]),
    )
    return _pair(user, first)


def rotate(refresh: str) -> TokenPair:
    """Return the next pair and spend `refresh`; of several at once exactly one succeeds.

    A token that was spent before has been copied: its whole family is revoked.

    Raises:
        InvalidToken: not a refresh token of ours, expired, spent, revoked, or its user is gone or inactive.
    """
    token = _read(_RefreshToken, refresh)
    with transaction.atomic():
        user = _holder(token)
        following = claims.refresh_claims(
            user, family=token["fam"], audience=settings.JWT_AUDIENCE, end=token["end"]
        )
        won = RefreshFamily.objects.filter(pk=token["fam"], current_jti=token["jti"], revoked_at=None).update(
            current_jti=following["jti"], expires_at=_moment(following["exp"])
        )
    if not won:
        if _revoke(token["fam"], of=user):
            context = {"user_id": user.pk, "family": token["fam"]}
            log.warning("refresh token reused: family revoked", extra=context)
        raise InvalidToken(SPENT)
    return _pair(user, following)


def log_out(refresh: str) -> None:
    """Revoke the family of a refresh token; its access tokens end with it where the user is read (mode `user`).

    Raises:
        InvalidToken: not a refresh token of ours, expired, or its user is gone or inactive.
    """
    token = _read(_RefreshToken, refresh)
    _revoke(token["fam"], of=_holder(token))


def verify(text: str) -> None:
    """Return if the token, access or refresh, can be used now.

    Raises:
        InvalidToken: it cannot.
    """
    try:
        reader_of(text)
    except InvalidToken:
        token = _read(_RefreshToken, text)
        _holder(token)
        if not RefreshFamily.objects.filter(
            pk=token["fam"], current_jti=token["jti"], revoked_at=None
        ).exists():
            raise InvalidToken(SPENT) from None


def reader_of(access: str | bytes) -> tuple[User | Member, dict[str, Any]]:
    """Return who holds the access token, and its claims: a row in mode `user` (one query), else what it says itself.

    Raises:
        InvalidToken: it cannot be used now.
    """
    token = _read(_AccessToken, access)
    if settings.JWT_VERIFY == "stateless":
        member = Member(id=int(token["user_id"]), username=token["name"], role=token["role"])
        return member, token.payload
    return _holder(token, revoked=False), token.payload


def _read(kind: type[_Token], text: str | bytes) -> Any:  # noqa: ANN401 - a `kind`
    spelled = text.decode("latin-1") if isinstance(text, bytes) else text
    if not claims.is_canonical(spelled):
        raise InvalidToken(INVALID)
    # Beside its own errors the library lets through what odd JSON does to int(), datetime and the JSON parser.
    try:
        return kind(spelled)  # type: ignore[arg-type]
    except (
        TokenError,
        TokenBackendError,
        jwt.PyJWTError,
        ValueError,
        TypeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise InvalidToken(INVALID) from error


def _holder(token: _Token, *, revoked: bool = True) -> User:
    """Return the active user of the token's family; with `revoked`, also of a revoked one."""
    alive = {} if revoked else {"revoked_at": None}
    family = (
        RefreshFamily.objects.select_related("user")
        .filter(
            pk=token["fam"],
            user_id=int(token["user_id"]),
            user__is_active=True,
            user__token_version=token["ver"],
            **alive,
        )
        .first()
    )
    if family is None:
        raise InvalidToken(REVOKED)
    return family.user


def _revoke(family: str, *, of: User) -> bool:
    """Whether this call is the one that revoked the family."""
    revoked = RefreshFamily.objects.filter(pk=family, revoked_at=None).update(revoked_at=timezone.now())
    if revoked:
        credentials_ended.send(User, user_id=of.pk)
    return bool(revoked)


def _pair(user: User, refresh: dict[str, Any]) -> TokenPair:
    access = claims.access_claims(user, family=refresh["fam"], audience=settings.JWT_AUDIENCE)
    return TokenPair(
        access=_signed(_AccessToken, access),
        refresh=_signed(_RefreshToken, refresh),
        expires_in=access["exp"] - access["iat"],
    )


def _signed(kind: type[_Token], payload: dict[str, Any]) -> str:
    token = kind()
    token.payload = payload
    return str(token)


def _moment(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(epoch_s, tz=UTC)
