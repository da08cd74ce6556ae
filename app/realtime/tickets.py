"""Tickets: given out over HTTP, taken in by a handshake, each exactly once."""

import hashlib
import secrets
from datetime import timedelta

from django.utils import timezone

from realtime.credentials import Credential
from realtime.models import Ticket, Way

LIFETIME_S = 30


def issue(credential: Credential) -> str:
    """Return a ticket that stands for the credential; tickets that nobody used in time are cleared away."""
    now = timezone.now()
    Ticket.objects.filter(expires_at__lt=now).delete()
    ticket = secrets.token_urlsafe(32)
    Ticket.objects.create(
        digest=_digest(ticket),
        user_id=credential.user_id,
        way=credential.way,
        anchor=credential.anchor,
        version=credential.version,
        ends_at=credential.ends_at,
        expires_at=now + timedelta(seconds=LIFETIME_S),
    )
    return ticket


def redeem(ticket: str) -> Credential | None:
    """Return what the ticket stands for and spend it; None when it is unknown, spent or too old.

    Of several at once, in whichever processes, exactly one succeeds: the one whose DELETE finds the row.
    """
    good = Ticket.objects.filter(pk=_digest(ticket), expires_at__gt=timezone.now())
    row = good.first()
    if row is None or good.delete()[0] != 1:
        return None
    return Credential(
        user_id=row.user_id, way=Way(row.way), anchor=row.anchor, version=row.version, ends_at=row.ends_at
    )


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode(errors="replace")).hexdigest()
