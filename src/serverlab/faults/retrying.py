"""An edge that repeats requests whose answers were lost, as it does once it is allowed to."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
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
                scene.acted()
                with proxy.harmed([Toxic("limit_data", attributes={"bytes": 0})]):
                    statuses = _sent(scene, keys)
                    if (seen := touched_since(proxy, before)) is None:
                        raise NotEffective("no answer was lost")
                    copies = {guarded: postgres.copies(scene, each) for guarded, each in keys.items()}
                    yield f"{seen}; {SENT} entries each: {told_of(scene, copies)} ({statuses})"
                scene.lifted()
        finally:
            try:
                nginx.put_back(edge)
            finally:  # else the judge takes them for entries that nobody sent
                postgres.remove_entries(scene, [*keys["on"], *keys["off"]])


def _sent(scene: Scene, keys: Mapping[str, list[str]]) -> str:
    """Send every entry once; which statuses came how often."""
    with scene.client() as client:
        statuses = [
            answered(client.post, f"/lab/ledger/?key={guarded}", json={"key": key}).status
            for guarded, each in keys.items()
            for key in each
        ]
    return json.dumps({str(status): statuses.count(status) for status in sorted({s or 0 for s in statuses})})


def told_of(scene: Scene, copies: Mapping[str, Sequence[int]]) -> str:
    """Measure how many entries are there more than once, and how many are not, with a key ("on") and without ("off").

    Raises:
        NotEffective: nothing was repeated, for of those without a key there are no two.
    """
    twice = {guarded: sum(count > 1 for count in each) for guarded, each in copies.items()}
    missing = sum(count == 0 for each in copies.values() for count in each)
    scene.measure(
        duplicates_with_key=twice["on"], duplicates_without_key=twice["off"], entries_missing=missing
    )
    if not twice["off"]:
        raise NotEffective(f"the edge repeated nothing: no entry is there twice, {missing} are missing")
    return f"{twice['on']} are there more than once with a key, {twice['off']} without; {missing} are missing"
