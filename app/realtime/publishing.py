"""Tells subscribers what happens, once it has: nothing is sent of a transaction that is rolled back.

Sending never fails a write that has been done: if the channel layer does not answer, that is logged, and subscribers
miss a message.
"""

import asyncio
import time
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_delete, post_save

from accounts.signals import credentials_ended
from catalogue.idempotency import current_key
from catalogue.models import Author, Book, Publisher

FEED = "feed"
PATIENCE_S = 2.0
MODELS = (Author, Book, Publisher)


def begin() -> None:
    """Listen to changes of the catalogue and to the end of credentials, from now on and only once."""
    for model in MODELS:
        post_save.connect(_saved, sender=model, dispatch_uid=FEED)
        post_delete.connect(_deleted, sender=model, dispatch_uid=FEED)
    credentials_ended.connect(_ended, dispatch_uid=FEED)


def group_of(user_id: int) -> str:
    """Return the name of the group of all sockets of a user."""
    return f"user.{user_id}"


def _saved(*, instance: Model, created: bool, raw: bool, **_: object) -> None:
    if not raw:
        _announce(instance, "created" if created else "updated")


def _deleted(*, instance: Model, **_: object) -> None:
    _announce(instance, "deleted")


def _ended(*, user_id: int, **_: object) -> None:
    _after_commit(group_of(user_id), {"type": "credential.check"})


def _announce(instance: Model, action: str) -> None:
    change = {
        "type": "change",
        "model": type(instance).__name__.lower(),
        "action": action,
        "id": instance.pk,
        "at": time.time(),
        "token": current_key.get(),
    }
    _after_commit(FEED, {"type": "catalogue.change", "change": change})


def _after_commit(group: str, message: dict[str, Any]) -> None:
    def publish() -> None:
        async_to_sync(_send)(group, message)

    transaction.on_commit(publish, robust=True)


async def _send(group: str, message: dict[str, Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await get_channel_layer().group_send(group, message)
