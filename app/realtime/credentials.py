"""What somebody signed in with, as far as it has to be known to notice its end."""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Self

from django.conf import settings
from django.utils import timezone
from rest_framework.request import Request

from accounts.models import RefreshFamily, User
from realtime.models import Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A token or a session of a user: `anchor` is the token's family or the session's key."""

    user_id: int
    way: Way
    anchor: str
    version: int
    ends_at: datetime

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return what an authenticated request came with."""
        claims = request.auth
        if claims is None:
            return cls(
                user_id=request.user.pk,
                way=Way.SESSION,
                anchor=request.session.session_key,
                version=request.user.token_version,
                ends_at=request.session.get_expiry_date(),
            )
        return cls(
            user_id=int(claims["user_id"]),
            way=Way.PLAIN if claims["aud"] == settings.PLAIN_AUDIENCE else Way.JWT,
            anchor=claims["fam"],
            version=claims["ver"],
            ends_at=datetime.fromtimestamp(claims["exp"], tz=UTC),
        )

    def left_s(self) -> float:
        """Return the seconds until it ends by itself, 0 or less when it has."""
        return (self.ends_at - timezone.now()).total_seconds()

    def holder(self) -> User | None:
        """Return whose it is, None when it was revoked; its end in time is not looked at.

        Revoked means: the user is gone or inactive, everything of the user was ended, or the family or the session
        was. A family of the plain way lives on after a log-out, as its access tokens do.
        """
        user = User.objects.filter(pk=self.user_id, is_active=True, token_version=self.version)
        match self.way:
            case Way.JWT:
                alive = RefreshFamily.objects.filter(pk=self.anchor, revoked_at=None)
                return user.filter(families__in=alive).first()
            case Way.PLAIN:
                return user.first()
            case Way.SESSION:
                sessions = import_module(settings.SESSION_ENGINE).SessionStore()
                return user.first() if sessions.exists(self.anchor) else None
