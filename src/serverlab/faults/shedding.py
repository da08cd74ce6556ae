"""An overload of which the edge refuses at once what could not be answered in time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from serverlab.faults import flooding, nginx
from serverlab.faults.fault import EDGE, Scene
from serverlab.faults.overload import BEARS_IT, Overload

OF_PATIENCE = 0.5
"""What is let in is to be answered in this share of the time that anybody waits: an estimate may be wrong by two."""


@dataclass(frozen=True, kw_only=True)
class Shedding(Overload):
    """An overload while nginx lets no more requests at once to the app than it can answer in half of the patience.

    The others get 503 at once (``limit_conn``). The lab's edge has no such limit by itself, for its number is the
    capacity's: the same overload without it is F-40b.
    """

    needs: tuple[str, ...] = (EDGE,)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Find out what the stack can do, switch the limit on and send more; undone in the reverse order."""
        capacity_rps = self.capacity_rps(scene)
        at_once = max(1, math.floor(OF_PATIENCE * self.patience_s * capacity_rps))
        scene.measure(let_in_at_once=at_once)
        edge = nginx.container_of(scene)
        try:
            with nginx.rewritten(edge, _limited(at_once)):
                nginx.reload(edge)
                with self.overloaded(scene, capacity_rps=capacity_rps) as seen:
                    yield f"{seen}; the edge lets {at_once} at once to the app"
        finally:
            nginx.put_back(edge)

    def unlike(self, told: flooding.Told, *, due_rps: float) -> str | None:
        """As of any overload; and something has to have been shed."""
        if why := super().unlike(told, due_rps=due_rps):
            return why
        return None if told.counts.unavailable else "nothing was answered with 503: the edge shed nothing"


def _limited(at_once: int) -> Mapping[str, str]:
    """The configuration's text, and what takes its place; what is shed is not logged line by line."""
    upstream, location = "    upstream app {\n", "        location / {\n"
    return {
        upstream: f"    limit_conn_zone $server_name zone=shed:1m;\n    limit_conn_log_level info;\n{upstream}",
        location: f"{location}            limit_conn shed {at_once};\n",
    }


FAULTS = (
    Shedding(
        id="F-43",
        title="overload, 5 times, with load shedding",
        what=(
            "As F-40b, where nginx (limit_conn) lets no more requests at once to the app than it answers in one "
            "second, and the others get 503. The rule is that of F-40b, which shows the same overload without it."
        ),
        factor=5.0,
        hold_s=15.0,
        rule=BEARS_IT,
    ),
)
