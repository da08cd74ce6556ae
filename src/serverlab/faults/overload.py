"""More requests than a stack can answer, whether or not earlier ones are answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serverlab.faults import flooding
from serverlab.faults.fault import Fault, NotEffective, Scene
from serverlab.faults.memory import ENDED, ENDS_SAID, measure_ends
from serverlab.faults.processes import app_containers
from serverlab.model.faults import Rule
from serverlab.probe import LOGIN, PASSWORD, USER

BEARS_IT = Rule(measured_at_most={"capacity_lost_share": 0.6, **ENDED}, said=ENDS_SAID)
"""What is asked of every overload: no more of the capacity is lost, and the app's containers live through it."""


@dataclass(frozen=True, kw_only=True)
class SigningIn(Fault):
    """People sign in, as a multiple or a share of how many the stack can sign in; nobody waits beyond ``patience_s``.

    Signing in costs the processor some 25 ms, so that one sender can ask for ten times of it. What the stack can do is
    found out first, by ``users`` who ask in turn for ``measured_s``, and is no part of what is judged.
    """

    users: int = 16
    measured_s: float = 4.0
    patience_s: float = 2.0

    def stack(self) -> Mapping[str, Any]:
        """Passwords are hashed as dearly as in service."""
        return {"app": {"LAB_CHEAP_HASHER": "off"}}

    def left_behind(self, scene: Scene) -> str | None:
        """A sender that still runs."""
        return flooding.still_sending(scene)

    def capacity_rps(self, scene: Scene) -> float:
        """How many a second the stack signs in.

        Raises:
            NotEffective: nobody.
        """
        return flooding.capacity_rps(scene, self.wanted(scene, per_s=0, duration_s=self.measured_s))

    def wanted(self, scene: Scene, *, per_s: float, duration_s: float) -> flooding.Wanted:
        """What the sender is to do; each fails once and for all."""
        return flooding.Wanted(
            url=scene.settings.inner_url,
            path=LOGIN,
            body=json.dumps({"username": USER, "password": PASSWORD}),
            per_s=per_s,
            users=self.users,
            timeout_s=self.patience_s,
            duration_s=duration_s,
        )


@dataclass(frozen=True, kw_only=True)
class Overload(SigningIn):
    """``factor`` times as many people sign in as the stack can sign in."""

    factor: float

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Find out what the stack can do, then send more than that; undone by ending the sender."""
        with self.overloaded(scene, capacity_rps=self.capacity_rps(scene)) as seen:
            yield seen

    @contextmanager
    def overloaded(self, scene: Scene, *, capacity_rps: float) -> Iterator[str]:
        """Send more than the capacity while the block runs, and measure what came of it.

        Raises:
            NotEffective: less was sent than had to be, or what came of it is not what was to.
        """
        per_s = self.factor * capacity_rps
        wanted = self.wanted(scene, per_s=per_s, duration_s=scene.hold_s + flooding.MARGIN_S)
        containers = app_containers(scene)
        scene.acted()
        with flooding.started(scene, wanted) as sender:
            seen = flooding.await_sent(sender, per_s)
            yield f"{seen}, {self.factor:g} times the {capacity_rps:.0f} that were answered"
            told = sender.stop()
            scene.lifted()
        measure_ends(scene, containers)
        _measure(scene, told, capacity_rps=capacity_rps, due_rps=per_s)
        if why := self.unlike(told, due_rps=per_s):
            raise NotEffective(why)

    def unlike(self, told: flooding.Told, *, due_rps: float) -> str | None:
        """Why it was not this overload, or None."""
        return flooding.too_few(told, due_rps=due_rps)


FAULTS = tuple(
    Overload(
        id=name,
        title=f"overload, {factor:g} times",
        what=(
            f"{factor:g} times as many people sign in each second as the stack can sign in; nobody waits for others, "
            "nor for longer than 2 s. To pass, at least 40 % of what it could do before has to be answered in time: "
            "below that, it mostly works for people who have left. No container of the app may end."
        ),
        factor=factor,
        hold_s=15.0,
        rule=BEARS_IT,
    )
    for name, factor in (("F-40", 2.0), ("F-40b", 5.0), ("F-40c", 10.0))
)


def _measure(scene: Scene, told: flooding.Told, *, capacity_rps: float, due_rps: float) -> None:
    """Keep what was asked for and what was answered."""
    counts, seconds = told.counts, told.seconds
    answered_rps = counts.ok / seconds
    scene.measure(
        capacity_rps=round(capacity_rps, 1),
        due_rps=round(due_rps, 1),
        sent_rps=round(counts.begun / seconds, 1),
        answered_rps=round(answered_rps, 1),
        answered_503_rps=round(counts.unavailable / seconds, 1),
        capacity_lost_share=round(max(0.0, 1 - answered_rps / capacity_rps), 3),
        most_open=counts.most_open,
    )
