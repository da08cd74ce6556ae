"""Faults of the database: it is slow, away, silent, full, cut off after a commit, or dies. All on PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serverlab.faults import postgres
from serverlab.faults.fault import Fault, NotEffective, Scene, await_effect
from serverlab.faults.holding import held, others_are_back
from serverlab.faults.processes import is_running
from serverlab.faults.proxy import Toxic, proxy_of
from serverlab.faults.retrying import WRITTEN
from serverlab.faults.silence import SILENT, BlackHole
from serverlab.faults.toxics import Down, OnTheWay, Poisoned, touched_since
from serverlab.model.faults import Rule
from serverlab.model.stacks import Database, Proxied
from serverlab.probe import answered

LEDGER = "/lab/ledger/"
COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""PostgreSQL's word that a transaction is committed: the message CommandComplete with the tag COMMIT."""

ASKED_WHEN_BACK = 20
"""Requests that are sent one after another as soon as the database is back."""

ENTRIES = "SELECT count(*) FROM lab_entry"
UNSYNCED_ENTRIES = 10
UNSYNCED_WITHIN_S = 20.0
RECOVERED = "automatic recovery in progress"


@dataclass(frozen=True, kw_only=True)
class DatabaseAway(Down):
    """The database refuses connections, and takes them again; what is asked first when it is back is counted."""

    way: Proxied = Proxied.DATABASE

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Close the way, open it, and ask at once."""
        with super().inject(scene) as seen:
            yield seen
        with scene.client() as client:
            statuses = [answered(client.get, LEDGER).status for _ in range(ASKED_WHEN_BACK)]
        errors = sum(status != 200 for status in statuses)
        scene.measure(errors_when_back=errors, errors_when_back_per_worker=errors / scene.expected.workers)


@dataclass(frozen=True, kw_only=True)
class Exhausted(Fault):
    """Other clients hold every connection that the database takes; those of the app have been ended."""

    most: int = 20

    def stack(self) -> Mapping[str, Any]:
        """A database that takes few connections."""
        return {"database": Database.POSTGRES, "app": {"LAB_DB_MAX_CONNECTIONS": str(self.most)}}

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Hold them, and let go."""
        with held(scene, most=self.most) as seen:
            yield seen
        others_are_back(scene)


@dataclass(frozen=True, kw_only=True)
class CommitCut(OnTheWay):
    """The connection is reset when the database says that a transaction is committed: the app never hears of it.

    One entry is sent by the fault itself while it lasts, and again afterwards, under the same key; however often it is
    there is measured, and then it is removed.
    """

    way: Proxied = Proxied.DATABASE

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Cut at every commit; undone, send the entry once more and count it."""
        proxy = proxy_of(scene.engine, scene.settings)
        before = proxy.traffic().touched
        key = str(uuid.uuid4())
        scene.acted()
        try:
            with proxy.harmed([Toxic("cut_at", attributes={"hex": COMMITTED.hex()})]):
                first = _sent(scene, key)
                if (seen := touched_since(proxy, before)) is None or first in WRITTEN:
                    raise NotEffective(f"the commit was not cut off: its sender got {first}")
                if postgres.copies(scene, [key])[0] != 1:
                    raise NotEffective(
                        f"the entry that was to be committed and not told is not there ({first})"
                    )
                yield f"an entry is committed and its sender got {first}; {seen}"
            scene.lifted()
            again = _sent(scene, key)
            copies = postgres.copies(scene, [key])[0]
            scene.note(f"the same entry was sent twice: {first}, then {again}; it is there {copies} times")
            scene.measure(copies_after_retry=copies, first_status=first, retry_status=again)
        finally:
            postgres.remove_entries(scene, [key])


@dataclass(frozen=True, kw_only=True)
class Crashed(Fault):
    """All of the database's processes are killed at once, and it is started again: it recovers from its log.

    ``durable`` False is the control: commits do not wait for the disk, so that acknowledged rows have to be missing.
    """

    durable: bool = True

    def stack(self) -> Mapping[str, Any]:
        """A database with processes of its own."""
        return {"database": Database.POSTGRES}

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Kill, and start again until statements are taken."""
        container = postgres.container_of(scene)
        shown = "; ".join(postgres.sql(scene, f"SHOW {name}") for name in ("fsync", "synchronous_commit"))
        scene.note(f"fsync; synchronous_commit: {shown}")
        try:
            if not self.durable:
                _stop_waiting_for_the_disk(scene)
            scene.acted()
            container.kill()
            yield await_effect("the database is gone", lambda: None if is_running(container) else "killed")
        finally:
            postgres.start_again(scene)
            if not self.durable:
                postgres.sql(scene, "ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
        logged = container.logs().decode(errors="replace")
        scene.measure(recoveries=logged.count(RECOVERED))


def _stop_waiting_for_the_disk(scene: Scene) -> None:
    """Have commits told before they are on the disk, and wait until some are."""
    postgres.sql(
        scene,
        "ALTER SYSTEM SET synchronous_commit = off",
        "ALTER SYSTEM SET wal_writer_delay = '10s'",
        "SELECT pg_reload_conf()",
    )
    enough = int(postgres.sql(scene, ENTRIES)) + UNSYNCED_ENTRIES

    def written() -> str | None:
        entries = int(postgres.sql(scene, ENTRIES))
        return f"{entries} entries" if entries >= enough else None

    await_effect("entries are committed without the disk", written, within_s=UNSYNCED_WITHIN_S, pause_s=0.1)


def _sent(scene: Scene, key: str) -> int:
    """The status of the answer to an entry, 0 when there was none."""
    with scene.client() as client:
        return answered(client.post, LEDGER, json={"key": key}).status or 0


LATER_S = 5.0
"""Until the request is sent that is judged: what threads there are have been taken by then."""

BOUNDED_WITHIN_S = 40.0
"""LAB_TIMEOUT is 30 seconds, the edge waits for 35, and who is behind in a queue waits for the app's pool besides."""

SHORTEST_TIME_OUT_S = 25.0
"""What a request is given at least (compose/README.md) before a server ends it without a word."""

FAULTS: tuple[Fault, ...] = (
    Poisoned(
        id="F-20",
        title="database slow by 200 ms",
        what="Every answer of the database comes 200 ms later.",
        way=Proxied.DATABASE,
        toxics=(Toxic("latency", attributes={"latency": 200}),),
    ),
    Poisoned(
        id="F-20b",
        title="database slow by 2 s",
        what="Every answer of the database comes 2 s later, which is also how long the app waits for a connection.",
        way=Proxied.DATABASE,
        toxics=(Toxic("latency", attributes={"latency": 2000}),),
    ),
    DatabaseAway(
        id="F-21",
        title="database away",
        what="The database refuses connections for 10 s, those that there were are closed; then it is back.",
        hold_s=10.0,
        rule=Rule(measured_at_most={"errors_when_back_per_worker": 1}),
    ),
    BlackHole(
        id="F-22",
        title="database silent",
        what="Connections to the database stay open and take new ones, and nothing that is said arrives.",
        way=Proxied.DATABASE,
        toxics=SILENT,
        path=LEDGER,
        silent_from_s=SHORTEST_TIME_OUT_S,
        later_s=LATER_S,
        hold_s=LATER_S + BOUNDED_WITHIN_S + 1,
        rule=Rule(measured_at_most={"bounded_after_s": BOUNDED_WITHIN_S}),
    ),
    Exhausted(
        id="F-23",
        title="no connection left",
        what="Other clients hold all 20 connections that the database takes.",
    ),
    CommitCut(
        id="F-24",
        title="cut off after the commit",
        what="The connection is reset when the database says that it has committed; the same entry is then sent again.",
        rule=Rule(measured_at_most={"copies_after_retry": 1}),
    ),
    Crashed(
        id="F-26",
        title="database killed",
        what="All processes of the database get SIGKILL; it is started again and recovers from its log.",
    ),
    Crashed(
        id="F-26c",
        title="database killed, commits not waited for",
        what="The control of F-26: with synchronous_commit off, rows that were acknowledged have to be missing.",
        durable=False,
        rule=Rule(recovers=False, must_lose=True),
    ),
)
