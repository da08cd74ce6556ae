"""A load that a stack could bear, a short pause, and clients whose retries may keep the stack down after it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from serverlab.analysis.tolls import WELL_FOR_S
from serverlab.compose import Container
from serverlab.faults import flooding
from serverlab.faults.fault import NotEffective, Scene, await_effect, await_undone
from serverlab.faults.goodput import at_s, back_after_s, rates_of
from serverlab.faults.memory import ENDED, ENDS_SAID, measure_ends
from serverlab.faults.overload import SigningIn
from serverlab.faults.process import FROZEN, still_frozen
from serverlab.faults.processes import Process, app_containers, of_server, send, still_there
from serverlab.model.faults import Rule

BACK_WITHIN_S = 60.0
SETTLES_S, STEADY_S = 2.0, 5.0
"""Before the trigger, the load is looked at from so many seconds after it was begun, for so many."""

SEEN_WITHIN_S = 15.0
WATCH_PAUSE_S = 0.5
LATE_S = 10.0
"""How much longer than it is watched its last word may take."""

SPARE_S = 25.0
"""How much longer than all of this takes the sender may send: what is asked of the engine takes its time."""

METASTABLE = (
    f"METASTABLE: {BACK_WITHIN_S:g} s after the trigger had ended, the load's goodput had not returned"
)

Servers = Mapping[Container, list[Process]]


@dataclass(frozen=True, kw_only=True)
class Metastable(SigningIn):
    """People sign in at ``load`` times what the stack can do, and who is not answered asks again; then it is paused.

    All processes of the server are stopped for as long as the fault is held, and go on. The load stays until its
    goodput is back, or BACK_WITHIN_S have shown that it does not come back. ``retries`` of each request are sent, after
    pauses of up to ``backoff_s``, doubled each time; at most ``retry_budget`` for each request, taken over all.
    """

    load: float = 0.8
    retries: int = 3
    backoff_s: float = 0.0
    retry_budget: float | None = None

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Find out what the stack can do, load it, pause it; undone by ending first the pause and then the load."""
        capacity_rps = self.capacity_rps(scene)
        per_s = self.load * capacity_rps
        scene.measure(capacity_rps=round(capacity_rps, 1), due_rps=round(per_s, 1))
        with flooding.started(scene, self._loading(scene, per_s)) as sender:
            before_rps = _steady_rps(sender, per_s)
            servers = {container: of_server(container) for container in app_containers(scene)}
            scene.acted()
            paused_s = time.monotonic()
            try:
                seen = _freeze(servers)
                yield f"{per_s:.0f} requests/s are sent, {before_rps:.0f} were answered; {seen}"
            finally:
                _thaw(servers)
                thawed_s = time.monotonic()
                await_undone("the server's processes go on", lambda: _in_state(servers, frozen=False))
            back_s = _watched(sender, before_rps, since_s=thawed_s)
            told = sender.stop()
            scene.lifted()
        scene.measure(paused_s=round(thawed_s - paused_s, 3))
        _measure(scene, told, before_rps=before_rps)
        died = measure_ends(scene, servers)
        if back_s is not None or not died:  # of a server that is gone nobody can say that it stays down
            _measure_return(scene, told, before_rps=before_rps, thawed_s=thawed_s, back_s=back_s)

    def left_behind(self, scene: Scene) -> str | None:
        """A sender that still runs, or a process that is stopped."""
        return still_frozen(scene) or super().left_behind(scene)

    def _loading(self, scene: Scene, per_s: float) -> flooding.Wanted:
        lasts_s = SETTLES_S + STEADY_S + scene.hold_s + BACK_WITHIN_S + WELL_FOR_S + SPARE_S
        return replace(
            self.wanted(scene, per_s=per_s, duration_s=lasts_s),
            retries=self.retries,
            backoff_s=self.backoff_s,
            retry_budget=self.retry_budget,
        )


def _steady_rps(sender: flooding.Sender, per_s: float) -> float:
    """How many a second are answered while all is well.

    Raises:
        NotEffective: the load is not sent, or not answered: it is more than the stack can bear by itself.
    """
    seen: list[flooding.Counts] = []

    def look() -> str | None:
        told = sender.last()
        if told is None or told.seconds < SETTLES_S + STEADY_S:
            return None
        seen.extend(told.course)
        return "sent"

    await_effect("the load has been sent for a while", look, within_s=SEEN_WITHIN_S, pause_s=flooding.PAUSE_S)
    rates = rates_of(seen, STEADY_S)
    if min(rates.sent, rates.answered) < flooding.SENT_SHARE * per_s:
        raise NotEffective(
            f"before the trigger, {per_s:.0f} requests/s were due, {rates.sent:.0f} were sent and "
            f"{rates.answered:.0f} answered: it is not the load that was wanted"
        )
    return rates.answered


def _freeze(servers: Servers) -> str:
    """Stop all processes of the servers as a debugger does; how many there are.

    Raises:
        NotEffective: one goes on.
    """
    for container, family in servers.items():
        send(container, "SIGSTOP", [each.pid for each in family])
    return await_effect("the server's processes are stopped", lambda: _in_state(servers, frozen=True))


def _thaw(servers: Servers) -> None:
    """Have those go on that are still there."""
    for container, family in servers.items():
        if left := still_there(container, family):
            send(container, "SIGCONT", [each.pid for each in left])


def _in_state(servers: Servers, *, frozen: bool) -> str | None:
    """That all of the processes are stopped, or go on or are gone; None while one is not."""
    now = [row for container, family in servers.items() for row in still_there(container, family)]
    if any((row.state in FROZEN) is not frozen for row in now) or (frozen and not now):
        return None
    return f"{len(now)} processes are {'stopped' if frozen else 'going on'}"


def _watched(sender: flooding.Sender, before_rps: float, *, since_s: float) -> float | None:
    """After how many seconds from then its goodput is back, as soon as that is known; None when it has not come back.

    Raises:
        NotEffective: the sender does not tell.
    """
    found: list[float | None] = []

    def look() -> str | None:
        told = sender.last()
        if told is None:
            return None
        if told.ended:
            raise NotEffective("the load ended by itself, before it was known whether its goodput returns")
        back_s = back_after_s(told.course, before_rps=before_rps, since_s=since_s, within_s=BACK_WITHIN_S)
        if back_s is None and at_s(told.course[-1]) < since_s + BACK_WITHIN_S + WELL_FOR_S:
            return None
        found.append(back_s)
        return "known"

    await_effect(
        "it is known whether the goodput returns",
        look,
        within_s=BACK_WITHIN_S + WELL_FOR_S + LATE_S,
        pause_s=WATCH_PAUSE_S,
    )
    return found[-1]


def _measure(scene: Scene, told: flooding.Told, *, before_rps: float) -> None:
    """Keep what was answered before, and in the last seconds that it was looked at."""
    rates = rates_of(told.course, WELL_FOR_S)
    scene.measure(
        answered_before_rps=round(before_rps, 1),
        answered_in_the_end_rps=round(rates.answered, 1),
        sent_again_in_the_end_rps=round(rates.sent_again, 1),
        retries=told.counts.retried,
        given_up=told.counts.failed,
    )


def _measure_return(
    scene: Scene, told: flooding.Told, *, before_rps: float, thawed_s: float, back_s: float | None
) -> None:
    """Keep whether as much is answered again as before."""
    scene.measure(metastable=int(back_s is None))
    if back_s is not None:
        scene.measure(goodput_back_after_s=round(back_s, 1))
        return
    watched_s, kept = (
        at_s(told.course[-1]) - thawed_s,
        rates_of(told.course, WELL_FOR_S).answered / before_rps,
    )
    scene.note(f"{METASTABLE}: after {watched_s:.0f} s {kept:.0%} of it were there")


RETURNS = Rule(measured_at_most={"metastable": 0, **ENDED}, said={"metastable": METASTABLE, **ENDS_SAID})

FAULTS = (
    Metastable(
        id="F-41",
        title="a pause under load, retried at once",
        what=(
            "People sign in at 0.8 of what the stack can do; who is not answered within 2 s asks again at once, up to "
            "3 times. All processes of the server are stopped for 3 s. The load stays: to pass, nine tenths of its "
            "goodput have to be there again within 60 s, for ten seconds, and all has to be well when it has gone."
        ),
        hold_s=3.0,
        rule=RETURNS,
    ),
    Metastable(
        id="F-41b",
        title="a pause under load, retried with backoff and a budget",
        what=(
            "As F-41, where a retry waits for a random time of up to 1, 2 and 4 s, and all of them together may be a "
            "tenth of the requests, beside 10 that are saved up."
        ),
        backoff_s=1.0,
        retry_budget=0.1,
        hold_s=3.0,
        rule=RETURNS,
    ),
)
