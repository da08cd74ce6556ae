"""Tokens of the plain way, made and read with PyJWT alone.

A user has at most one family of refresh tokens: the columns `refresh_token_hash` and `refresh_family` hold the
SHA-256 of the one token that is accepted next, never the token. Signing in again begins another family, and ends
the one before.
"""

import hashlib
import logging
from typing import Any

import jwt
from django.conf import settings

from accounts import claims
from accounts.credentials import INVALID, REVOKED, SPENT
from accounts.models import User
from accounts.shapes import Member, TokenPair

log = logging.getLogger(__name__)


class InvalidToken(Exception):
    """The token cannot be used; the text says why, for people, and never holds the token."""


def issue(user: User) -> TokenPair:
    """Return the first pair of a new family; the one before, if any, can no longer be refreshed."""
    pair, digest, family = _next(user, family=claims.new_id(), end=None)
    User.objects.filter(pk=user.pk).update(refresh_token_hash=digest, refresh_family=family)
    return pair


def rotate(refresh: str) -> TokenPair:
    """Return the next pair and spend `refresh`; of several at once exactly one succeeds.

    A token of the present family that was spent before has been copied: the family is revoked.

    Raises:
        InvalidToken: not a refresh token of ours, expired, spent, revoked, or its user is gone or inactive.
    """
    said = _read(refresh, token_type=claims.REFRESH)
    user = _row(said)
    pair, digest, family = _next(user, family=said["fam"], end=said["end"])
    # One statement: whoever finds the old hash still there has won, and nobody else can.
    won = User.objects.filter(
        pk=user.pk,
        refresh_family=family,
        refresh_token_hash=_digest(refresh),
    ).update(refresh_token_hash=digest)
    if not won:
        if _revoke(user.pk, family):
            log.warning("refresh token reused: family revoked", extra={"user_id": user.pk, "family": family})
        raise InvalidToken(SPENT)
    return pair


def log_out(refresh: str) -> None:
    """End the family of a refresh token. Access tokens go on until they expire: nothing of them is on record.

    Raises:
        InvalidToken: not a refresh token of ours, expired, or its user is gone or inactive.
    """
    said = _read(refresh, token_type=claims.REFRESH)
    _revoke(_row(said).pk, said["fam"])


def verify(text: str) -> None:
    """Return if the token, access or refresh, can be used now.

    Raises:
        InvalidToken: it cannot.
    """
    try:
        reader_of(text)
    except InvalidToken:
        said = _read(text, token_type=claims.REFRESH)
        user = _row(said)
        if (user.refresh_family, user.refresh_token_hash) != (said["fam"], _digest(text)):
            raise InvalidToken(SPENT) from None


def reader_of(access: str) -> tuple[User | Member, dict[str, Any]]:
    """Return who holds the access token, and its claims: a row in mode `user` (one query), else what it says itself.

    Raises:
        InvalidToken: it cannot be used now.
    """
    said = _read(access, token_type=claims.ACCESS)
    if settings.JWT_VERIFY == "stateless":
        return Member(id=int(said["user_id"]), username=said["name"], role=said["role"]), said
    return _row(said), said


def _read(text: str, *, token_type: str) -> dict[str, Any]:
    if not claims.is_canonical(text):
        raise InvalidToken(INVALID)
    try:
        key = settings.JWT_KEYS.of(jwt.get_unverified_header(text))
        if key is None:
            raise InvalidToken(INVALID)
        said = jwt.decode(
            text,
            key.verifying,
            algorithms=[key.algorithm],
            audience=settings.PLAIN_AUDIENCE,
            issuer=settings.JWT_ISSUER,
        )
        claims.check(said, token_type=token_type, audience=settings.PLAIN_AUDIENCE)
    # The library lets through what odd JSON does to int(), datetime and the JSON parser.
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        raise InvalidToken(INVALID) from None
    return said


def _row(said: dict[str, Any]) -> User:
    user = User.objects.filter(pk=int(said["user_id"]), is_active=True, token_version=said["ver"]).first()
    if user is None:
        raise InvalidToken(REVOKED)
    return user


def _revoke(user_id: int, family: str) -> bool:
    """Whether this call is the one that revoked the family."""
    alive = User.objects.filter(pk=user_id, refresh_family=family)
    return bool(alive.update(refresh_token_hash=None, refresh_family=None))


def _next(user: User, *, family: str, end: int | None) -> tuple[TokenPair, str, str]:
    """Return a new pair of the family, the hash of its refresh token, and the family."""
    access = claims.access_claims(user, family=family, audience=settings.PLAIN_AUDIENCE)
    refresh = _signed(claims.refresh_claims(user, family=family, audience=settings.PLAIN_AUDIENCE, end=end))
    lifetime_s = access["exp"] - access["iat"]
    return TokenPair(access=_signed(access), refresh=refresh, expires_in=lifetime_s), _digest(refresh), family


def _signed(payload: dict[str, Any]) -> str:
    key = settings.JWT_KEYS.signing
    return jwt.encode(payload, key.signing, algorithm=key.algorithm, headers={"kid": key.kid})


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
