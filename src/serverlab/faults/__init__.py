"""What can be broken on purpose: one class for each kind of fault, one line here for each fault."""

from __future__ import annotations

from collections.abc import Iterable

from serverlab.faults import (
    database,
    edge,
    exhausting,
    metastable,
    network,
    overload,
    release,
    repeating,
    rolling,
    shedding,
    slow,
    sockets,
)
from serverlab.faults.booting import Unimportable
from serverlab.faults.deadlock import Deadlock
from serverlab.faults.fault import Fault
from serverlab.faults.hanging import Hang, Leak
from serverlab.faults.process import Crash, Frozen, Killed, Nothing, Reload, the_master, the_worker
from serverlab.faults.stopping import Stopped
from serverlab.model.definitions import Interface
from serverlab.model.faults import Rule

IMPATIENT = (("LAB_TIMEOUT", "3"),)
"""So that what a server does with a worker that hangs is seen within seconds, where the variant takes this time-out.

Gunicorn's default has 30 s built in, Apache's daemon mode comes to 3.8 times of it with 16 threads, and uWSGI's and
Daphne's defaults and runserver have none: there, hangs end by themselves.
"""

OUTLASTS_S = 6.0
"""How long it is held what ends by itself: longer than the gap that is allowed, whatever the experiment says."""

RESTARTED = ("restart.yml",)
"""What a deployment adds to a container, and the stacks of the lab do not have."""

_ALL: Iterable[Fault] = (
    Nothing(
        id="F-00",
        title="no fault",
        what="Nothing is done: what is lost here, the lab loses.",
        hold_s=5.0,
        rule=Rule(failures_at_most=0, longest_gap_s=1.0, goodput_at_least=0.95),
    ),
    Killed(
        id="F-01",
        title="worker killed",
        what="The process that answers gets SIGKILL.",
        whom=the_worker,
        hold_s=OUTLASTS_S,
        rule=Rule(longest_gap_s=5.0),
    ),
    Killed(
        id="F-01r",
        title="worker killed, restart policy",
        what="As F-01, where the engine starts a container again that ends with an error.",
        whom=the_worker,
        overlays=RESTARTED,
        hold_s=OUTLASTS_S,
        rule=Rule(longest_gap_s=5.0),
    ),
    Crash(
        id="F-02",
        title="worker exits",
        what="A view ends its process with os._exit(1).",
        path="/lab/exit?code=1",
        hold_s=OUTLASTS_S,
        rule=Rule(longest_gap_s=5.0),
    ),
    Crash(
        id="F-02x",
        title="worker exits with 3",
        what="As F-02, with the exit code by which Gunicorn's workers say that they cannot start.",
        path="/lab/exit?code=3",
        hold_s=OUTLASTS_S,
        rule=Rule(longest_gap_s=5.0),
    ),
    Crash(
        id="F-02s",
        title="worker crashes",
        what="A view reads from address 0, as a broken extension does: the kernel ends its process.",
        path="/lab/segfault",
        hold_s=OUTLASTS_S,
        rule=Rule(longest_gap_s=5.0),
    ),
    Unimportable(
        id="F-02i",
        title="app that cannot be imported",
        what=(
            "The server is stopped and one is started in its place whose app cannot be imported; after 6 s, or when it "
            "has ended, the first one is started again. It may not end as if all were well."
        ),
        hold_s=OUTLASTS_S,
        rule=Rule(measured_at_most={"boot_ended_with_0": 0}),
    ),
    Killed(
        id="F-03",
        title="master killed",
        what="The server's first process gets SIGKILL; nothing restarts containers here.",
        whom=the_master,
        hold_s=OUTLASTS_S,
        rule=Rule(longest_gap_s=5.0),
    ),
    Killed(
        id="F-03r",
        title="master killed, restart policy",
        what="As F-03, where the engine starts a container again that ends with an error.",
        whom=the_master,
        overlays=RESTARTED,
        hold_s=OUTLASTS_S,
        rule=Rule(longest_gap_s=5.0),
    ),
    Hang(
        id="F-04",
        title="all workers hang",
        what="As many requests as the server works on at once wait for nothing. LAB_TIMEOUT is 3 s, for who heeds it.",
        path="/lab/sleep?s={s}",
        environment=IMPATIENT,
        hold_s=6.0,
        rule=Rule(longest_gap_s=5.0),
    ),
    Hang(
        id="F-05",
        title="interpreter held",
        what="A view stays in C code and holds the interpreter's lock. LAB_TIMEOUT is 3 s, for who heeds it.",
        path="/lab/gil?s={s}",
        count=1,
        environment=IMPATIENT,
        hold_s=8.0,
        rule=Rule(longest_gap_s=6.0),
    ),
    Hang(
        id="F-05b",
        title="event loop blocked",
        what="A coroutine calls time.sleep. LAB_TIMEOUT is 3 s, for who heeds it.",
        path="/lab/block?s={s}",
        count=1,
        only=Interface.ASGI,
        environment=IMPATIENT,
        hold_s=8.0,
        rule=Rule(longest_gap_s=6.0),
    ),
    Hang(
        id="F-06",
        title="a request computes",
        what="One view computes and lets other threads have their turns.",
        path="/lab/spin?s={s}",
        count=1,
        hold_s=6.0,
        rule=Rule(failures_at_most=0, longest_gap_s=2.0, goodput_at_least=0.9),
    ),
    Deadlock(
        id="F-07",
        title="deadlock in the app",
        what=(
            "Requests wait for a lock that nobody releases: three times as many as the server works on at once, or "
            "three times eight where nothing bounds that. The clients leave, and nothing else is undone. LAB_TIMEOUT "
            "is 3 s, for who heeds it."
        ),
        environment=IMPATIENT,
        hold_s=6.0,
        rule=Rule(longest_gap_s=5.0),
    ),
    Leak(
        id="F-08",
        title="memory leak",
        what="Views keep 16 MiB each until the container's 256 MiB are used up.",
        hold_s=OUTLASTS_S,
        rule=Rule(longest_gap_s=5.0),
    ),
    Stopped(
        id="F-09",
        title="stopped in flight",
        what="The server gets its stop signal while it works on requests of 2 s, and is started again.",
        rule=Rule(measured_at_most={"in_flight_lost": 0, "killed": 0}),
    ),
    Stopped(
        id="F-10",
        title="stopped with idle and slow clients",
        what="As F-09, with 4 idle connections, and 4 clients with half of a request where there is room for them.",
        in_flight=1,
        work_s=4.0,
        idle=4,
        slow=4,
        rule=Rule(measured_at_most={"in_flight_lost": 0, "killed": 0}),
    ),
    Stopped(
        id="F-10b",
        title="stopped with too little time",
        what="As F-09, with one request of 4 s in flight; who has not ended after 2 s is killed.",
        in_flight=1,
        work_s=4.0,
        grace_s=2.0,
        rule=Rule(measured_at_most={"stopped_after_s": 3}),
    ),
    Reload(
        id="F-11",
        title="reload under load",
        what=(
            "The server gets the signal on which it replaces its workers; it is over when the last old one is gone. "
            "Where the app is loaded before workers are forked, as with Gunicorn's preload, that takes up no new code."
        ),
        hold_s=6.0,
        rule=Rule(failures_at_most=0, longest_gap_s=2.0),
    ),
    Frozen(
        id="F-35",
        title="worker frozen",
        what="The process that answers is stopped for 5 s and goes on.",
        whom=the_worker,
        hold_s=5.0,
        rule=Rule(longest_gap_s=6.0),
    ),
    Frozen(
        id="F-35m",
        title="master frozen",
        what="The server's first process is stopped for 5 s and goes on.",
        whom=the_master,
        hold_s=5.0,
        rule=Rule(longest_gap_s=6.0),
    ),
)

FAULTS: dict[str, Fault] = {
    each.id: each
    for each in (
        *_ALL,
        *rolling.FAULTS,
        *repeating.FAULTS,
        *release.FAULTS,
        *exhausting.FAULTS,
        *overload.FAULTS,
        *metastable.FAULTS,
        *shedding.FAULTS,
        *database.FAULTS,
        *network.FAULTS,
        *edge.FAULTS,
        *sockets.FAULTS,
        *slow.FAULTS,
    )
}
"""Every fault by its id, in the order in which they are told."""
