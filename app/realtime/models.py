"""Tickets that open a WebSocket, once."""

from django.db import models

from accounts.models import User


class Way(models.TextChoices):
    """How somebody signed in."""

    JWT = "jwt"
    PLAIN = "plain"
    SESSION = "session"


class Ticket(models.Model):
    """Stands in for a credential in the one place where a browser can send no header: the WebSocket handshake.

    `digest` is the SHA-256 of the ticket, which itself is kept nowhere. `anchor` is the token's family or the
    session's key, `ends_at` when the credential ends; the socket ends with it.
    """

    digest = models.CharField(primary_key=True, max_length=64)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    way = models.CharField(max_length=7, choices=Way)
    anchor = models.CharField(max_length=40)
    version = models.PositiveIntegerField()
    ends_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest
