"""An edge that repeats requests whose answers were lost, as it does once it is allowed to."""

from __future__ import annotations

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
WRITTEN = (200, 201)
"""What the sender of an entry is told that is there."""

ONE_WAY = "server faultproxy:8000 max_fails=0;"
TWO_WAYS = {ONE_WAY: f"{ONE_WAY} server app:8000 max_fails=0;"}
NOTHING_REPEATED = "_next_upstream off;"
DEFAULT = "error timeout"
"""What nginx repeats unless it is told otherwise: nothing that is not idempotent, once it was sent."""

WRITES_TOO = f"{DEFAULT} non_idempotent"


@dataclass(frozen=True, kw_only=True)
class RetryStorm(OnTheWay):
    """There are two ways to the app, answers on the first are lost after the work was done, and the edge repeats.

    ``repeats`` says what, in the words of its directive. Entries of the fault's own, with a key and without one, show
    how often each was written; then they are removed.
    """

    way: Proxied = Proxied.UPSTREAM
    repeats: str

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
            with nginx.rewritten(edge, TWO_WAYS | {NOTHING_REPEATED: f"_next_upstream {self.repeats};"}):
                nginx.reload(edge)
                scene.acted()
                with proxy.harmed([Toxic("limit_data", attributes={"bytes": 0})]):
                    statuses = _sent(scene, keys)
                    if (seen := touched_since(proxy, before)) is None:
                        raise NotEffective("no answer was lost")
                    copies = {guarded: postgres.copies(scene, each) for guarded, each in keys.items()}
                    said = told_of(scene, copies, statuses, writes_too=self.repeats == WRITES_TOO)
                    yield f"{seen}; {SENT} entries each: {said}"
                scene.lifted()
        finally:
            try:
                nginx.put_back(edge)
            finally:  # else the judge takes them for entries that nobody sent
                postgres.remove_entries(scene, [*keys["on"], *keys["off"]])


def _sent(scene: Scene, keys: Mapping[str, list[str]]) -> list[int]:
    """Send every entry once; the statuses of the answers, 0 where there was none."""
    with scene.client() as client:
        return [
            answered(client.post, f"/lab/ledger/?key={guarded}", json={"key": key}).status or 0
            for guarded, each in keys.items()
            for key in each
        ]


def told_of(
    scene: Scene, copies: Mapping[str, Sequence[int]], statuses: Sequence[int], *, writes_too: bool
) -> str:
    """Measure how many entries are there more than once, and how many are not, with a key ("on") and without ("off").

    And of how many the sender was not told.

    Raises:
        NotEffective: an edge that repeats writes as well has repeated none, for of those without a key there are no
            two; or one that does not has told of all.
    """
    twice = {guarded: sum(count > 1 for count in each) for guarded, each in copies.items()}
    missing = sum(count == 0 for each in copies.values() for count in each)
    untold = sum(status not in WRITTEN for status in statuses)
    scene.measure(
        duplicates_with_key=twice["on"],
        duplicates_without_key=twice["off"],
        entries_missing=missing,
        entries_untold=untold,
    )
    if writes_too and not twice["off"]:
        raise NotEffective(f"the edge repeated nothing: no entry is there twice, {missing} are missing")
    if not writes_too and not untold:
        raise NotEffective("every sender of an entry was told of it: no answer of one was lost")
    return (
        f"{twice['on']} are there more than once with a key, {twice['off']} without; {missing} are missing, "
        f"the senders of {untold} were not told"
    )
