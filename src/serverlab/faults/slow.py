"""Faults of clients that hold connections and hurry nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serverlab.faults import nginx
from serverlab.faults.clients import (
    PAUSE_S,
    SERVICE,
    STARTED_WITHIN_S,
    Clients,
    Counts,
    Wanted,
    measured,
    slow_clients,
    still_holding,
)
from serverlab.faults.fault import EDGE, Fault, NotEffective, Scene, await_effect
from serverlab.faults.memory import memory_mib
from serverlab.faults.processes import app_containers
from serverlab.faults.witnessed import Witnessed
from serverlab.formatting import plural
from serverlab.model.faults import Rule

OTHERS_ARE_SERVED = Rule(goodput_at_least=0.9)
"""What is asked under every slow client: nine of ten successes that there were before it came, and all afterwards."""

WITNESSED = Rule(goodput_at_least=0.9, measured_at_most={"witness_unavailable_share": 0.1})
"""The same, and slowhttptest has to see it so: both reasons are told where both do."""

ROOM = 512
LEDGER = "/lab/ledger/"
BIG = "/lab/big?mb=4"
"""More than the kernel takes from the server for a reader that does not read (tcp_wmem): of 1 MiB nothing is left."""

STATIC_FILE = "/static/lab/sample.css"
HOLD_S = 20.0
"""Longer than the edge gives a head or the next piece of a body (15 s), shorter than every server's idle time-out."""


@dataclass(frozen=True, kw_only=True)
class Slow(Fault):
    """``clients`` containers hold ``connections`` each, as their ``kind`` does (loadtests/shared/slow_clients.py).

    ``per_s`` are opened a second by each; every ``pace_s`` a connection sends, reads or asks once more. ``answered``
    says that an answer ends what the server owes it: a server that closes all of them then has let nobody hold any.
    With ``edge_connections`` the edge has room for so many, those to the app included.
    """

    kind: str
    path: str = "/healthz"
    connections: int = 40
    clients: int = 1
    per_s: float = 100.0
    pace_s: float = 2.0
    answered: bool = False
    edge_connections: int | None = None
    hold_s: float = HOLD_S
    rule: Rule = OTHERS_ARE_SERVED

    def stack(self) -> Mapping[str, Any]:
        """An edge with little room, where that is wanted."""
        wanted = self.edge_connections
        return {"app": {"LAB_EDGE_CONNECTIONS": str(wanted)}} if wanted else {}

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Start the clients and wait until all connections have been tried; undone by having them let go."""
        with nginx.has_room(scene), self._holding(scene) as seen:
            yield seen

    @contextmanager
    def _holding(self, scene: Scene) -> Iterator[str]:
        before = _memory_mib(scene, "before_")
        wanted = Wanted(
            kind=self.kind,
            path=self.path,
            connections=self.connections,
            per_s=self.per_s,
            pace_s=self.pace_s,
            clients=self.clients,
        )
        scene.acted()
        with slow_clients(scene, wanted) as clients:
            first = _await_settled(clients)
            if not first.held and not (self.answered and first.ended):
                raise NotEffective(f"no connection is held: {first.waiting} wait, {first.ended} have ended")
            held = plural(first.held, "connection")
            yield f"{held} held, {first.waiting} not taken, {first.ended} closed by the server"
            scene.measure(**before, **_memory_mib(scene))
            told = clients.stop()
            scene.lifted()
            scene.measure(**measured(told, first=first))

    def left_behind(self, scene: Scene) -> str | None:
        """A slow client."""
        return still_holding(scene, SERVICE)


def _await_settled(clients: Clients) -> Counts:
    """How many connections there are once all have been tried.

    Raises:
        NotEffective: they have not, in time.
    """
    seen: list[Counts] = []

    def look() -> str | None:
        seen.extend(filter(None, [clients.settled()]))
        return "tried" if seen else None

    await_effect("all connections are tried", look, within_s=STARTED_WITHIN_S, pause_s=PAUSE_S)
    return seen[-1]


def _memory_mib(scene: Scene, when: str = "") -> dict[str, float]:
    """What the app's containers use now, and the edge where there is one, in MiB by its name with ``when`` in it."""
    found = {f"memory_{when}mib": memory_mib(app_containers(scene))}
    if scene.expected.edge is not None:
        found[f"edge_memory_{when}mib"] = memory_mib([nginx.container_of(scene)])
    return found


FAULTS: tuple[Fault, ...] = (
    Slow(
        id="S-01",
        title="slow header",
        what="40 clients begin a request and send one more header every 2 s.",
        kind="header",
    ),
    Witnessed(
        id="S-01w",
        title="slow header, by slowhttptest",
        what="As S-01; slowhttptest holds the connections and says every second whether the service is available.",
        mode="-H",
        path="/healthz",
        rule=WITNESSED,
    ),
    Slow(
        id="S-02",
        title="slow body",
        what="40 clients announce a body of 4 KB and send a byte of it every 2 s.",
        kind="body",
        path=LEDGER,
    ),
    Witnessed(
        id="S-02w",
        title="slow body, by slowhttptest",
        what="As S-02, by slowhttptest.",
        mode="-B",
        path=LEDGER,
        rule=WITNESSED,
    ),
    Slow(
        id="S-03",
        title="idle connections",
        what="40 clients connect and say nothing.",
        kind="idle",
    ),
    Slow(
        id="S-04",
        title="slow read",
        what="40 clients ask for 4 MiB with a tiny window and read a byte of it every 10 s.",
        kind="read",
        path=BIG,
        pace_s=10.0,
    ),
    Witnessed(
        id="S-04w",
        title="slow read, by slowhttptest",
        what="As S-04, by slowhttptest.",
        mode="-X",
        path=BIG,
        options=("-w", "512", "-y", "1024", "-n", "10", "-z", "1", "-k", "1"),
        rule=WITNESSED,
    ),
    Slow(
        id="S-04r",
        title="many ranges",
        what="40 clients ask every 2 s for 1,000 overlapping parts of a static file of 16 KB.",
        kind="ranges",
        path=STATIC_FILE,
        answered=True,
        needs=("static",),
    ),
    Slow(
        id="S-05",
        title="edge: slow header, 600 of them",
        what="3 clients begin 200 requests each, as in S-01; the edge has room for 512 connections.",
        kind="header",
        connections=200,
        clients=3,
        edge_connections=ROOM,
        needs=(EDGE,),
    ),
    Slow(
        id="S-06",
        title="edge: slow body, 600 of them",
        what="3 clients announce 200 bodies each, as in S-02; the edge has room for 512 connections.",
        kind="body",
        path=LEDGER,
        connections=200,
        clients=3,
        edge_connections=ROOM,
        needs=(EDGE,),
    ),
    Slow(
        id="S-07",
        title="kept connections hoarded",
        what="200 clients ask once every 10 s and keep their connections in between.",
        kind="keep",
        connections=200,
        pace_s=10.0,
        answered=True,
    ),
    Slow(
        id="S-07b",
        title="flood of connections",
        what="200 clients connect at once and say nothing.",
        kind="idle",
        connections=200,
        per_s=10_000.0,
    ),
)
