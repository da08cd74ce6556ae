"""An edge that repeats requests whose answers were lost, as it does once it is allowed to."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serverlab.faults import nginx, postgres
from serverlab.faults.fault import NotEffective, Scene
from serverlab.faults.proxy import Toxic, proxy_of
from serverlab.faults.toxics import OnTheWay, touched_since
from serverlab.model.stacks import Database, Proxied
from serverlab.probe import answered

SENT = 20
REPEATED = {
    "server faultproxy:8000 max_fails=0;": "server faultproxy:8000 max_fails=0; server app:8000 max_fails=0;",
    "_next_upstream off;": "_next_upstream error timeout non_idempotent;",
}
"""nginx's own default is ``error timeout``: whatever is not idempotent is then not repeated once it was sent."""


@dataclass(frozen=True, kw_only=True)
class RetryStorm(OnTheWay):
    """There are two ways to the app, answers on the first are lost after the work was done, and the edge repeats.

    Entries of the fault's own, with a key and without one, show how often each was written; then they are removed.
    """

    way: Proxied = Proxied.UPSTREAM

    def stack(self) -> Mapping[str, Any]:
        """Rows are counted and removed in a database that is asked from outside of the app."""
        return {**super().stack(), "database": Database.POSTGRES}

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Lose answers, let the edge repeat, and send entries; undone in the reverse order."""
        proxy = proxy_of(scene.engine, scene.settings)
        edge = nginx.container_of(scene)
        before = proxy.traffic().touched
        keys = {guarded: [str(uuid.uuid4()) for _ in range(SENT)] for guarded in ("on", "off")}
        try:
            with nginx.rewritten(edge, REPEATED):
                nginx.reload(edge)
                with proxy.harmed([Toxic("limit_data", attributes={"bytes": 0})]):
                    statuses = _sent(scene, keys)
                    if (seen := touched_since(proxy, before)) is None:
                        raise NotEffective("no answer was lost")
                    more = {guarded: _copies(scene, each) - SENT for guarded, each in keys.items()}
                    scene.measure(duplicates_with_key=more["on"], duplicates_without_key=more["off"])
                    rows = f"{more['on']} rows too many with a key, {more['off']} without"
                    yield f"{seen}; {SENT} entries each: {rows} ({statuses})"
        finally:
            nginx.reload(edge)
            _remove(scene, [key for each in keys.values() for key in each])


def _sent(scene: Scene, keys: Mapping[str, list[str]]) -> str:
    """Send every entry once; which statuses came how often."""
    with scene.client() as client:
        statuses = [
            answered(client.post, f"/lab/ledger/?key={guarded}", json={"key": key}).status
            for guarded, each in keys.items()
            for key in each
        ]
    return json.dumps({str(status): statuses.count(status) for status in sorted({s or 0 for s in statuses})})


def _copies(scene: Scene, keys: list[str]) -> int:
    return int(postgres.sql(scene, f"SELECT count(*) FROM lab_entry WHERE key IN ({_listed(keys)})"))  # noqa: S608 - UUIDs of ours


def _remove(scene: Scene, keys: list[str]) -> None:
    """Take the fault's own entries away: the judge knows only those of the prober."""
    chosen = f"SELECT id FROM lab_entry WHERE key IN ({_listed(keys)})"  # noqa: S608 - UUIDs of ours
    postgres.sql(
        scene,
        f"DELETE FROM lab_entrychild WHERE entry_id IN ({chosen})",  # noqa: S608 - the same
        f"DELETE FROM lab_entry WHERE key IN ({_listed(keys)})",  # noqa: S608 - the same
    )


def _listed(keys: list[str]) -> str:
    return ", ".join(f"'{key}'" for key in keys)
