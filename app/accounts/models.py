"""Users, and the chains of refresh tokens that DRF's way of signing in keeps for them."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Role(models.TextChoices):
    """What a user may do with the catalogue: read; also create and change; also delete."""

    READER = "reader"
    EDITOR = "editor"
    ADMIN = "admin"


class User(AbstractUser):
    """Who signs in. A model of our own from the first migration on, because it cannot be swapped in later.

    `token_version` is written into every token and every session: one more, and none of them is good any longer.
    `refresh_token_hash` is the SHA-256 (64 hex characters) of the one refresh token that the plain way accepts next,
    `refresh_family` the chain it belongs to; both null when nobody is signed in that way.
    """

    role = models.CharField(max_length=6, choices=Role, default=Role.READER)
    token_version = models.PositiveIntegerField(default=0)
    refresh_token_hash = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 - unique, so null
    refresh_family = models.CharField(max_length=32, null=True)  # noqa: DJ001 - null with the hash

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # What a session is held against at each request; without an override it is the password's hash alone.
        return f"{super()._get_session_auth_hash(secret)}.{self.token_version}"


class RefreshFamily(models.Model):
    """A sign-in and all refresh tokens that follow from it, of which only the one with `current_jti` is good.

    Not the library's blacklist: that one keeps raw tokens, and lets parallel refreshes of one token all win. Here
    whoever changes this row from the old id to the next has won, and nobody else can.
    """

    id = models.CharField(primary_key=True, max_length=32)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="families")
    current_jti = models.CharField(max_length=32)
    expires_at = models.DateTimeField(db_index=True)
    ends_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.id
