"""Takes a token apart, and says step by step and in plain words why it is accepted or refused.

A second reading of a token beside that of `accounts.jwt` and `accounts.plain`, for people: it goes on after the first
fault where that makes sense. A test holds its verdict against theirs.
"""

import base64
import enum
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from django.conf import settings

from accounts import claims
from accounts.models import RefreshFamily, User
from config.keys import Key

NAMES = {
    "alg": "how it is signed",
    "typ": "what it is",
    "kid": "which key signed it",
    "iss": "who issued it",
    "aud": "for whom",
    "user_id": "whose it is",
    "jti": "the name of this one token",
    "iat": "issued",
    "exp": "good until",
    "end": "its family ends",
    "fam": "its family: one sign-in and all that follows from it",
    "ver": "token version of the user: one more, and all before are void",
    "role": "what the user may do",
    "token_type": "what it may be used for",
    "name": "the user's name",
}
MOMENTS = ("iat", "exp", "nbf", "end")
LENGTHS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


class Verdict(enum.Enum):
    """What came of a step."""

    OK = "ok"
    REFUSED = "refused"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Step:
    """One question of the verification, and its answer in words."""

    name: str
    verdict: Verdict
    words: str


def anatomy(token: str, *, now: int) -> Iterator[str]:
    """Yield lines about the three segments, as far as they can be read; nothing is believed yet."""
    names = ("Header", "Payload", "Signature")
    for place, segment in enumerate(token.split(".")):
        name = names[place] if place < len(names) else f"Segment {place + 1}, which no token has"
        raw = _bytes(segment)
        said = _object(raw)
        yield f"{name}: {len(segment)} characters, base64url of {len(raw)} bytes"
        if place < 2 and said is not None:
            yield from (f"  {_line(claim, value, now=now)}" for claim, value in said.items())
        elif raw:
            yield f"  {raw[:32].hex(' ')}{' ...' if len(raw) > 32 else ''}"


def steps(token: str, *, now: int, verifying: str) -> Iterator[Step]:
    """Yield the steps of the verification at the moment `now` (epoch seconds) in mode `user` or `stateless`."""
    form = _form(token)
    yield form
    header, payload = (_object(_bytes(segment)) for segment in f"{token}.".split(".")[:2])
    if header is None or payload is None:
        yield Step("JSON", Verdict.REFUSED, "header or payload is no JSON object")
        return
    taken = [form, *_signed(token, header), *_said(payload, now=now)]
    yield from taken[1:]
    if verifying == "stateless" and payload.get("token_type") == claims.ACCESS:
        yield Step(
            "database", Verdict.NOT_ASKED, "mode `stateless`: what was revoked is good until it expires"
        )
    elif any(step.verdict is not Verdict.OK for step in taken):
        yield Step("database", Verdict.NOT_ASKED, "nothing of the token can be believed")
    else:
        yield from _on_record(token, payload)


def _form(token: str) -> Step:
    if claims.is_canonical(token):
        return Step(
            "form", Verdict.OK, "three segments of base64url in their one spelling, the first two JSON"
        )
    found = token.count(".") + 1
    if found != 3:
        words = f"a token has three segments, this has {found}"
    elif token.endswith("."):
        words = "there is no signature"
    else:
        words = "not the one spelling of its segments: padding, foreign characters, or no JSON in UTF-8"
    return Step("form", Verdict.REFUSED, words)


def _signed(token: str, header: dict[str, Any]) -> Iterator[Step]:
    key = settings.JWT_KEYS.of(header)
    if key is None:
        yield Step("key", Verdict.REFUSED, _no_key(header))
        yield Step("signature", Verdict.NOT_ASKED, "no key to verify it with")
        return
    yield Step("key", Verdict.OK, f"{key.kid} is a key of ours, and for {key.algorithm}")
    yield _signature(token, key)


def _no_key(header: dict[str, Any]) -> str:
    known = {key.kid: key.algorithm for key in settings.JWT_KEYS.keys}
    kid = header.get("kid", settings.JWT_KEYS.signing.kid)
    if isinstance(kid, str) and kid in known:
        return f"{kid} is for {known[kid]} only, and alg is {header.get('alg')!r}: a key is for one algorithm"
    return f"kid {kid!r} names none of our keys ({', '.join(known)})"


def _signature(token: str, key: Key) -> Step:
    try:
        jwt.api_jws.decode_complete(token, key.verifying, algorithms=[key.algorithm])
    except jwt.InvalidSignatureError:
        words = "not made with this key over these segments: another key, or something was changed"
        return Step("signature", Verdict.REFUSED, words)
    except jwt.PyJWTError as error:
        return Step("signature", Verdict.REFUSED, f"the header cannot be followed: {str(error)!a}")
    return Step("signature", Verdict.OK, "made with this key over the first two segments and the dot between")


def _said(payload: dict[str, Any], *, now: int) -> Iterator[Step]:
    for name, late, words in (("exp", True, "it expired"), ("iat", False, "it was issued in the future")):
        moment = payload.get(name)
        if type(moment) is not int or not 0 < moment <= claims.LATEST:
            yield Step(name, Verdict.REFUSED, "no moment in whole seconds")
        elif (moment <= now) if late else (moment > now):
            yield Step(name, Verdict.REFUSED, f"{words}: {_moment(moment, now=now)}")
        else:
            yield Step(name, Verdict.OK, _moment(moment, now=now))
    of_plain = payload.get("aud") == settings.PLAIN_AUDIENCE
    audience, way = (settings.PLAIN_AUDIENCE, "plain") if of_plain else (settings.JWT_AUDIENCE, "jwt")
    token_type = claims.REFRESH if payload.get("token_type") == claims.REFRESH else claims.ACCESS
    found = dict(claims.faults(payload, token_type=token_type, audience=audience))
    found |= _early(payload, now=now)
    yield _claim("iss", found, words=settings.JWT_ISSUER)
    yield _claim("aud", found, words=f"{audience}: the {way} way")
    wrong = "; ".join(f"{name} {fault}" for name, fault in found.items())
    words = f"all there and in the form in which we write them: {_article(token_type)} token"
    yield Step("claims", Verdict.REFUSED if wrong else Verdict.OK, wrong or words)


def _claim(name: str, found: dict[str, str], *, words: str) -> Step:
    """Return the step for one claim, and take it out of the faults that were found."""
    fault = found.pop(name, None)
    return Step(name, Verdict.REFUSED, fault) if fault else Step(name, Verdict.OK, words)


def _early(payload: dict[str, Any], *, now: int) -> dict[str, str]:
    """Return what is wrong with claims that we never write and libraries heed."""
    found = {}
    if "nbf" in payload and not (type(payload["nbf"]) is int and payload["nbf"] <= now):
        found["nbf"] = "is not in the past"
    if "sub" in payload and not isinstance(payload["sub"], str):
        found["sub"] = "is no text"
    return found


def _on_record(token: str, payload: dict[str, Any]) -> Iterator[Step]:
    user = User.objects.filter(pk=int(payload["user_id"])).first()
    if user is None or not user.is_active:
        words = "there is no such user" if user is None else "the user is not active"
        yield Step("user", Verdict.REFUSED, words)
        return
    yield Step("user", Verdict.OK, f"{user.username} is there and active")
    same = user.token_version == payload["ver"]
    words = (
        "the user's own" if same else f"the user's is {user.token_version}: a new password, or out everywhere"
    )
    yield Step("token version", Verdict.OK if same else Verdict.REFUSED, words)
    yield _family(token, payload, user=user)


def _family(token: str, payload: dict[str, Any], *, user: User) -> Step:
    """Return what the database knows of the chain that the token belongs to."""
    is_plain, is_access = payload["aud"] == settings.PLAIN_AUDIENCE, payload["token_type"] == claims.ACCESS
    if is_plain and is_access:
        return Step("family", Verdict.NOT_ASKED, "the plain way keeps nothing of access tokens")
    if is_plain:
        alive = user.refresh_family == payload["fam"]
        present = user.refresh_token_hash == hashlib.sha256(token.encode()).hexdigest()
    else:
        family = RefreshFamily.objects.filter(pk=payload["fam"], user=user, revoked_at=None).first()
        alive = family is not None
        present = alive and (is_access or family.current_jti == payload["jti"])
    if not alive:
        return Step("family", Verdict.REFUSED, "revoked, ended by another sign-in, or never there")
    if not present:
        return Step(
            "family", Verdict.REFUSED, "goes on, but this token of it is spent: to use it again revokes all"
        )
    return Step("family", Verdict.OK, "goes on" if is_access else "goes on, and this is the one to use next")


def _line(name: str, value: Any, *, now: int) -> str:  # noqa: ANN401 - whatever JSON holds
    said = json.dumps(value)
    name = (
        name if name.isidentifier() and name.isascii() else json.dumps(name)
    )  # nothing that moves a terminal's cursor
    shown = said if len(said) <= 80 else f"{said[:77]}..."
    is_moment = name in MOMENTS and type(value) is int and 0 < value <= claims.LATEST
    words = [NAMES.get(name, "")] + ([_moment(value, now=now)] if is_moment else [])
    return f"{name:<10} {shown:<36} {': '.join(word for word in words if word)}".rstrip()


def _moment(epoch_s: int, *, now: int) -> str:
    written = datetime.fromtimestamp(epoch_s, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{written}, {_distance(epoch_s - now)}"


def _distance(seconds: int) -> str:
    """Return how far away that is, in its two largest units."""
    left, parts = abs(seconds), []
    for unit, length in LENGTHS:
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    words = " ".join(parts[:2]) or "now"
    return words if not parts else (f"in {words}" if seconds > 0 else f"{words} ago")


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _bytes(segment: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        return b""


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
