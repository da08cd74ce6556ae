"""The WebSocket of a subscriber: opened by a ticket, ended with the credential that the ticket was got with."""

import asyncio
import enum
import json
import logging
import time
from contextlib import suppress
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError
from redis.exceptions import RedisError

from accounts.models import User
from accounts.shapes import Member
from realtime import tickets
from realtime.credentials import Credential
from realtime.messages import Pace, answer_to, is_too_large
from realtime.publishing import FEED, group_of

PROTOCOL = "serverlab.feed.v1"
TICKET_PREFIX = "ticket."
CHECK_EVERY_S = 5.0
MESSAGES, WITHIN_S = 20, 10
UNREACHABLE = (DatabaseError, RedisError, OSError)
"""What asking the database, the cache or the channel layer may end in."""

log = logging.getLogger(__name__)


class Close(enum.IntEnum):
    """Why a socket was closed. Not 1009 and the like: what an application may send begins at 3000 on some servers."""

    ENDED = 4401  # the life of the credential is over
    REVOKED = 4403
    TOO_MANY = 4408
    TOO_LARGE = 4413
    UNKNOWN = 4503  # whether it is revoked cannot be found out


class Feed(AsyncWebsocketConsumer):
    """Sends every change, answers pings, and looks after the credential."""

    credential: Credential
    _groups: tuple[str, ...] = ()
    _watching: asyncio.Task[None] | None = None
    _closing = False

    async def connect(self) -> None:
        """Accept whoever brings a ticket; anybody else is refused before that."""
        self._pace = Pace(most=MESSAGES, within_s=WITHIN_S)
        try:
            user = await self._admitted()
        except UNREACHABLE:
            log.exception("a ticket cannot be checked, or its holder not be subscribed: refused")
            user = None
        if user is None:
            await self.close()
        else:
            await self._welcome(user)

    async def disconnect(self, code: int) -> None:
        """Leave nothing running."""
        if self._watching is not None:
            self._watching.cancel()
        with suppress(*UNREACHABLE):
            for group in self._groups:
                await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Answer a message, or close the socket if it is too large or one too many."""
        message = text_data if text_data is not None else bytes_data or b""
        if self._closing:
            return
        if not self._pace.allows(time.monotonic()):
            await self._end(Close.TOO_MANY)
        elif is_too_large(message):
            await self._end(Close.TOO_LARGE)
        else:
            await self._say(answer_to(message if isinstance(message, str) else ""))

    async def catalogue_change(self, event: dict[str, Any]) -> None:
        """Hand on a change."""
        await self._say(event["change"])

    async def credential_check(self, event: dict[str, Any]) -> None:
        """Look at once: something of this user has ended."""
        await self._check()

    async def _admitted(self) -> User | None:
        """Return who brings a good ticket, subscribed to everything; None for anybody else."""
        credential = await self._redeemed()
        if credential is None:
            return None
        # Subscribed before it is checked: what ends in between is noticed.
        self.credential = credential
        self._groups = (FEED, group_of(credential.user_id))
        for group in self._groups:
            await self.channel_layer.group_add(group, self.channel_name)
        user = await database_sync_to_async(credential.holder)()
        return user if credential.left_s() > 0 else None

    async def _redeemed(self) -> Credential | None:
        offered = self.scope["subprotocols"]
        brought = [each.removeprefix(TICKET_PREFIX) for each in offered if each.startswith(TICKET_PREFIX)]
        if PROTOCOL not in offered or len(brought) != 1:
            return None
        return await database_sync_to_async(tickets.redeem)(brought[0])

    async def _welcome(self, user: User) -> None:
        await self.accept(PROTOCOL)
        await self._say({"type": "welcome", "user": Member.of(user).as_json()})
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while not self._closing:
            await asyncio.sleep(max(0.0, min(CHECK_EVERY_S, self.credential.left_s())))
            await self._check()

    async def _check(self) -> None:
        if self.credential.left_s() <= 0:
            await self._end(Close.ENDED)
            return
        try:
            user = await database_sync_to_async(self.credential.holder)()
        except UNREACHABLE:
            log.exception("a credential cannot be checked: its socket is closed")
            await self._end(Close.UNKNOWN)
            return
        if user is None:
            await self._end(Close.REVOKED)

    async def _end(self, why: Close) -> None:
        if not self._closing:
            self._closing = True
            await self.close(code=int(why))

    async def _say(self, message: dict[str, Any]) -> None:
        if not self._closing:
            await self.send(json.dumps(message))
