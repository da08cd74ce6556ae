"""Signing in, subscribing and listening, for the tests of the feed."""

import json
from contextlib import contextmanager

from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.db.models.signals import post_delete, post_save
from django.test import Client

from accounts.signals import credentials_ended
from config.asgi import application
from realtime import feed, publishing

PASSWORD = "correct-horse-battery"
TICKET = "/api/realtime/ticket/"
SAME_ORIGIN = [(b"host", b"testserver"), (b"origin", b"http://testserver")]
ALL_WAYS = ("jwt", "plain", "session")


@contextmanager
def a_feed(settings):
    """A server with a feed while the block runs."""
    settings.REALTIME = True
    settings.LAB_LOGIN_LIMITS = False
    publishing.begin()
    yield
    for model in publishing.MODELS:
        post_save.disconnect(sender=model, dispatch_uid=publishing.FEED)
        post_delete.disconnect(sender=model, dispatch_uid=publishing.FEED)
    credentials_ended.disconnect(dispatch_uid=publishing.FEED)


class SignedIn:
    """A client that signed in one of the three ways."""

    def __init__(self, way):
        self.way, self.client = way, Client()
        answer = self.post(f"/api/auth/{way}/login/", {"username": "reader", "password": PASSWORD})
        self.tokens = answer.json()
        if way != "session":
            self.client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {self.tokens['access']}"

    def post(self, path, content=None):
        return self.client.post(path, content or {}, content_type="application/json")

    def ticket(self):
        answer = self.post(TICKET)
        assert answer.status_code == 201, answer.content
        return answer.json()["ticket"]

    def log_out(self):
        content = None if self.way == "session" else {"refresh": self.tokens["refresh"]}
        assert self.post(f"/api/auth/{self.way}/logout/", content).status_code == 204


class Socket(ApplicationCommunicator):
    """The client's end of a WebSocket, without a server in between."""

    def __init__(self, ticket, *, headers=SAME_ORIGIN, path="/ws/feed/", protocols=None):
        offered = [feed.PROTOCOL, f"ticket.{ticket}"] if protocols is None else protocols
        path, _, query = path.partition("?")
        scope = {"type": "websocket", "path": path, "query_string": query.encode(), "headers": headers}
        super().__init__(application, scope | {"subprotocols": offered})

    async def connect(self):
        """The protocol that was picked, None for a handshake that was refused."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output()
        assert answer["type"] in ("websocket.accept", "websocket.close")
        return answer.get("subprotocol")

    async def disconnect(self):
        await self.send_input({"type": "websocket.disconnect", "code": 1005})
        await self.wait()

    async def hear(self):
        answer = await self.receive_output()
        return answer["code"] if answer["type"] == "websocket.close" else json.loads(answer["text"])


async def opened(ticket):
    """A socket of the feed after its welcome."""
    line = Socket(ticket)
    assert await line.connect() == feed.PROTOCOL
    assert (await line.hear())["type"] == "welcome"
    return line


def is_accepted(ticket, **options):
    async def ask():
        line = Socket(ticket, **options)
        protocol = await line.connect()
        await line.disconnect()
        return protocol is not None

    return async_to_sync(ask)()
