"""Idle WebSockets while the server that holds them, or the edge on their way, is told to begin anew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import httpx2
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from serverlab.compose import StackDied
from serverlab.faults import nginx, returning
from serverlab.faults.fault import EDGE, Fault, NotEffective, Scene
from serverlab.faults.processes import app_containers, is_running
from serverlab.faults.stopping import GRACE_S
from serverlab.model.faults import Rule
from serverlab.probe import FEED, LOGIN, PASSWORD, USER, Expectation, front_url

PROTOCOL = "serverlab.feed.v1"
OPEN_S = 8.0
BACK_S = 30.0
BROKEN = (WebSocketException, OSError, httpx2.HTTPError)


@dataclass(frozen=True, kw_only=True)
class Sockets(Fault):
    """As many idle WebSockets as ``sockets`` are open when it happens; how many of them end is measured."""

    sockets: int = 50

    def applicable(self, expected: Expectation) -> str | None:
        """The server has to serve WebSockets itself."""
        if not expected.speaks_websocket:
            return "the server serves no WebSocket"
        return super().applicable(expected)


@dataclass(frozen=True, kw_only=True)
class SocketsOfAStoppedServer(Sockets):
    """The server is stopped by its signal and started again; clients connect again."""

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Stop it, and start it until a socket can be opened."""
        containers = app_containers(scene)
        with _open(scene, self.sockets) as links:
            began = time.monotonic()
            scene.acted()
            try:
                for each in containers:
                    each.stop(timeout=int(GRACE_S))
                took_s = time.monotonic() - began
                lost = _lost(links)
                if any(is_running(each) for each in containers):
                    raise NotEffective("the server still runs")
                scene.measure(sockets=len(links), sockets_lost=lost, stopped_after_s=round(took_s, 3))
                yield f"the server ended after {took_s:.1f} s, and {lost} of {len(links)} sockets with it"
            finally:
                returning.start(scene, containers)
                started = time.monotonic()
                returning.await_ready(scene)
            scene.measure(reconnected_after_s=round(_until_one_opens(scene, since=started), 3))


@dataclass(frozen=True, kw_only=True)
class SocketsOfAReloadedEdge(Sockets):
    """The edge reads its configuration again: its old worker keeps the sockets that it has; nothing is undone."""

    needs: tuple[str, ...] = (EDGE,)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Reload it, and count what is lost by the end of the fault."""
        with _open(scene, self.sockets) as links:
            scene.acted()
            yield nginx.reload(nginx.container_of(scene), told=scene.lifted)
            scene.measure(sockets=len(links), sockets_lost=_lost(links))
        scene.measure(reconnected_after_s=round(_until_one_opens(scene, since=time.monotonic()), 3))


@contextmanager
def _open(scene: Scene, count: int) -> Iterator[list[ClientConnection]]:
    """That many idle sockets for the block.

    Raises:
        NotEffective: they could not all be opened.
    """
    url = scene.url
    with ExitStack() as held:
        try:
            links = [held.enter_context(_opened(url)) for _ in range(count)]
        except BROKEN as broken:
            raise NotEffective(f"{count} sockets could not be opened: {broken!r}") from None
        yield links


def _opened(url: str) -> ClientConnection:
    """A socket to the feed, opened with a ticket of its own."""
    with httpx2.Client(base_url=url, timeout=OPEN_S) as client:
        signed_in = client.post(LOGIN, json={"username": USER, "password": PASSWORD}).raise_for_status()
        bearer = {"Authorization": f"Bearer {signed_in.json()['access']}"}
        ticket = client.post("/api/realtime/ticket/", headers=bearer).raise_for_status().json()["ticket"]
    return connect(
        f"{url.replace('http', 'ws', 1)}{FEED}",
        origin=Origin(url),
        subprotocols=[Subprotocol(PROTOCOL), Subprotocol(f"ticket.{ticket}")],
        open_timeout=OPEN_S,
        close_timeout=1.0,
        compression=None,
        proxy=None,
    )


def _lost(links: list[ClientConnection]) -> int:
    """How many of the sockets have ended."""
    return sum(_has_ended(link) for link in links)


def _has_ended(link: ClientConnection) -> bool:
    try:
        with suppress(TimeoutError):
            while True:  # what the feed has said meanwhile is not looked at
                link.recv(timeout=0.05)
    except ConnectionClosed:
        return True
    return False


def _until_one_opens(scene: Scene, *, since: float) -> float:
    """The seconds from then until a socket can be opened; where none can for BACK_S from now that is noted.

    They are then those for which none could.
    """

    def again() -> str | None:
        try:
            url = front_url(scene.engine, scene.settings)
        except (
            StackDied
        ):  # the engine's answer: it has ended; what else the engine says is no word on the server
            return None
        try:
            with _opened(url):
                return "opened"
        except BROKEN:
            return None

    returning.await_return(scene, "a socket is opened again", again, within_s=BACK_S, pause_s=0.1)
    return time.monotonic() - since


FAULTS: tuple[Fault, ...] = (
    SocketsOfAStoppedServer(
        id="F-63",
        title="WebSockets of a server that is restarted",
        what="The server gets its stop signal while 50 idle WebSockets are open, and is started again.",
        rule=Rule(measured_at_most={"reconnected_after_s": 5}),
    ),
    SocketsOfAReloadedEdge(
        id="F-63b",
        title="WebSockets through an edge that is reloaded",
        what="Nginx reads its configuration again while 50 idle WebSockets go through it.",
        rule=Rule(failures_at_most=0, measured_at_most={"sockets_lost": 0, "reconnected_after_s": 5}),
    ),
)
