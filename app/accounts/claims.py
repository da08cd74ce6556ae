"""What our tokens say, in the one exact form that is accepted again.

Libraries read claims too trustingly (an `exp` of 10^20 or a user id that is a list end in a server error), so every
way of signing in holds them against the form below, after the signature and before anything else.
"""

import base64
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from django.conf import settings

from accounts.models import Role, User

ACCESS, REFRESH = "access", "refresh"
LATEST: Final = 253_402_300_799  # the last second of the year 9999
LARGEST_ID: Final = 2**63 - 1
LARGEST_VERSION: Final = 2**31 - 1
USER_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
HEX_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Odd(ValueError):
    """A claim is missing, or has a form in which we never write it."""


def new_id() -> str:
    """Return 32 random hexadecimal digits."""
    return secrets.token_hex(16)


def is_canonical(token: str) -> bool:
    """Whether this is the one spelling of a compact JWS that is accepted.

    Decoders also take padding, any value in the unused bits of a segment's last character, and JSON in UTF-16: a token
    that was spent must not come back in another spelling.
    """
    segments = token.split(".")
    if len(segments) != 3:
        return False
    header, payload, signature = map(_decoded, segments)
    return header.startswith(b'{"') and payload.startswith(b'{"') and signature != b""


def _decoded(segment: str) -> bytes:
    """Return the bytes of a segment, none at all if it is not spelled as we would spell them."""
    try:
        raw = base64.b64decode(f"{segment}{'=' * (-len(segment) % 4)}", altchars=b"-_", validate=True)
    except ValueError:
        return b""
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == segment else b""


def access_claims(user: User, *, family: str, audience: str) -> dict[str, Any]:
    """Return the claims of an access token for `user`, from now on."""
    lifetime_s = _seconds(settings.ACCESS_LIFETIME)
    return _common(user, family=family, audience=audience, lifetime_s=lifetime_s) | {
        "token_type": ACCESS,
        "name": user.username,
    }


def refresh_claims(user: User, *, family: str, audience: str, end: int | None = None) -> dict[str, Any]:
    """Return the claims of a refresh token; `end` is when its family ends at the latest, None for a new family."""
    end = int(time.time()) + _seconds(settings.FAMILY_LIFETIME) if end is None else end
    claims = _common(user, family=family, audience=audience, lifetime_s=_seconds(settings.REFRESH_LIFETIME))
    return claims | {"token_type": REFRESH, "end": end, "exp": min(claims["exp"], end)}


def check(claims: Mapping[str, Any], *, token_type: str, audience: str) -> None:
    """Return if the claims are those of a token of ours of this type and for this audience; time is not looked at.

    Raises:
        Odd: they are not.
    """
    for name, fault in faults(claims, token_type=token_type, audience=audience):
        raise Odd(f"{name} {fault}")


def faults(claims: Mapping[str, Any], *, token_type: str, audience: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each claim that is wrong, and what is wrong with it; time is not looked at."""
    expected = {"token_type": token_type, "aud": audience, "iss": settings.JWT_ISSUER}
    for name, wanted in expected.items():
        if claims.get(name) != wanted:
            yield name, f"is not {wanted!r}"
    for name, is_ours in (_ACCESS_FORMS if token_type == ACCESS else _REFRESH_FORMS).items():
        if name not in claims:
            yield name, "is missing"
        elif not is_ours(claims[name]):
            yield name, "has not the form in which we write it"


def _common(user: User, *, family: str, audience: str, lifetime_s: int) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": settings.JWT_ISSUER,
        "aud": audience,
        "user_id": str(user.pk),
        "jti": new_id(),
        "iat": now,
        "exp": now + lifetime_s,
        "fam": family,
        "ver": user.token_version,
        "role": user.role,
    }


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())


def _is_moment(value: object) -> bool:
    return type(value) is int and 0 < value <= LATEST


def _is_user_id(value: object) -> bool:
    return isinstance(value, str) and bool(USER_ID.fullmatch(value)) and int(value) <= LARGEST_ID


def _is_hex_id(value: object) -> bool:
    return isinstance(value, str) and bool(HEX_ID.fullmatch(value))


def _is_version(value: object) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_VERSION


def _is_role(value: object) -> bool:
    return isinstance(value, str) and value in Role.values


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 150


_Form = Callable[[object], bool]
_COMMON_FORMS: dict[str, _Form] = {
    "user_id": _is_user_id,
    "jti": _is_hex_id,
    "iat": _is_moment,
    "exp": _is_moment,
    "fam": _is_hex_id,
    "ver": _is_version,
    "role": _is_role,
}
_ACCESS_FORMS = _COMMON_FORMS | {"name": _is_name}
_REFRESH_FORMS = _COMMON_FORMS | {"end": _is_moment}
