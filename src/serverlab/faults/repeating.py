"""Deploys again and again, while a stack has half of the work that it can do: what they lose is seen under load."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from serverlab.faults import flooding, returning, rolling
from serverlab.faults.fault import Fault, NotEffective, Scene
from serverlab.faults.process import Reload
from serverlab.model.faults import Rule
from serverlab.probe import Expectation

PATH = "/lab/ledger/"
"""What is asked: the newest entry, one query of the database."""

WITHIN_S = 210.0
"""Until when the last repetition has to have begun."""

LOAD_S = 240.0
"""How long the load is sent at most, which is the sender's own bound (loadtests/shared/flood.py)."""


@dataclass(frozen=True, kw_only=True)
class Repeated(Fault):
    """A fault that ends by itself, ``times`` times, each once the one before is over and the stack is ready again.

    Meanwhile ``share`` of what the stack can answer is asked of it beside the prober, at a fixed rate and each request
    on a connection of its own; what is not answered with 200 within ``patience_s`` has failed. What the stack can
    answer is found out just before, by ``users`` who ask in turn for ``measured_s`` beside the same prober.
    """

    each: Fault
    times: int = 5
    share: float = 0.5
    users: int = 8
    measured_s: float = 4.0
    patience_s: float = 5.0

    def stack(self) -> Mapping[str, Any]:
        """What the fault that is repeated needs."""
        return self.each.stack()

    def applicable(self, expected: Expectation) -> str | None:
        """As the fault that is repeated says."""
        return self.each.applicable(expected)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Find out what the stack can answer, ask for the share of it, and repeat; undone by ending the load."""
        capacity_rps = flooding.capacity_rps(scene, self._wanted(scene, per_s=0, duration_s=self.measured_s))
        per_s = self.share * capacity_rps
        with flooding.started(scene, self._wanted(scene, per_s=per_s, duration_s=LOAD_S)) as sender:
            flooding.await_sent(sender, per_s)
            seen = self._repeat(scene)
            yield f"{seen}; {per_s:.0f} requests/s were asked, {capacity_rps:.0f} had been answered"
            told = sender.stop()
            scene.lifted()
        _measure(scene, told, capacity_rps=capacity_rps, due_rps=per_s)

    def left_behind(self, scene: Scene) -> str | None:
        """A sender that still runs, or what the fault that is repeated leaves."""
        return flooding.still_sending(scene) or self.each.left_behind(scene)

    def _wanted(self, scene: Scene, *, per_s: float, duration_s: float) -> flooding.Wanted:
        return flooding.Wanted(
            url=scene.settings.inner_url,
            path=PATH,
            body="",
            per_s=per_s,
            users=self.users,
            timeout_s=self.patience_s,
            duration_s=duration_s,
        )

    def _repeat(self, scene: Scene) -> str:
        """How often it was done, and what was seen last; it ends early where the stack does not come back.

        Raises:
            NotEffective: the time was over before.
        """
        measured: dict[str, float] = {}
        inner = replace(scene, measure=measured.update)
        told: list[str] = []
        took_s: list[float] = []
        began_s = time.monotonic()
        while len(took_s) < self.times and self._goes_on(measured):
            each_began_s = time.monotonic()
            if each_began_s - began_s > WITHIN_S:
                raise NotEffective(f"{len(took_s)} of {self.times} could be done within {WITHIN_S:g} s")
            with self.each.inject(inner) as seen:
                told.append(seen)
            is_ready = returning.await_ready(scene)
            took_s.append(time.monotonic() - each_began_s)
            if not is_ready:
                break
        bounded = {name: measured[name] for name in self.each.rule.measured_at_most if name in measured}
        scene.measure(times=len(took_s), slowest_s=round(max(took_s), 3), **bounded)
        return f"{len(took_s)} times, the last one: {told[-1]}"

    def _goes_on(self, measured: Mapping[str, float]) -> bool:
        """Whether the last repetition kept the bounds of its own rule."""
        return all(measured.get(name, most) <= most for name, most in self.each.rule.measured_at_most.items())


_, DRAINED = rolling.FAULTS

NOBODY_NOTICES = Rule(
    recovers=False, failures_at_most=0, measured_at_most={"load_failed": 0, "replicas_ill": 0}
)

FAULTS = (
    Repeated(
        id="F-11n",
        title="reloads at half capacity",
        what=(
            "As F-11, five times, each once the one before is over, while half of what the stack could answer just "
            "before is asked of it."
        ),
        each=Reload(id="F-11", title="reload under load", what="The server replaces its workers."),
        hold_s=6.0,
        rule=Rule(recovers=False, failures_at_most=0, measured_at_most={"load_failed": 0}),
    ),
    Repeated(
        id="F-12n",
        title="drained replacements at half capacity",
        what=(
            "As F-12d, five times, each once the one before is over, while half of what the stack could answer just "
            "before is asked of it."
        ),
        each=DRAINED,
        hold_s=6.0,
        rule=NOBODY_NOTICES,
    ),
    Repeated(
        id="F-12w",
        title="light replacements at half capacity",
        what="As F-12n, where a replica has a tenth of the weight of others, for CPU time, until it is healthy.",
        each=replace(DRAINED, starting_weight=rolling.FULL_WEIGHT // 10),
        hold_s=6.0,
        rule=NOBODY_NOTICES,
    ),
)


def _measure(scene: Scene, told: flooding.Told, *, capacity_rps: float, due_rps: float) -> None:
    """Keep what was asked for and what was not answered.

    Raises:
        NotEffective: less was asked for than had to be, or not to the end.
    """
    counts = told.counts
    scene.measure(
        capacity_rps=round(capacity_rps, 1),
        load_rps=round(counts.begun / told.seconds, 1),
        load_sent=counts.begun,
        load_failed=counts.failed,
    )
    if not counts.stopped:
        raise NotEffective(f"the load ended by itself after {told.seconds:.0f} s, before all was done")
    if why := flooding.too_few(told, due_rps=due_rps):
        raise NotEffective(why)
