"""A generator that was started with its stack: it sleeps, loads its code when it is told to, and then waits once more.

Nothing is looked up, opened or sent before it is let go. The signals are blocked from the beginning, so that none is
lost that comes early.
"""

from __future__ import annotations

import gc
import json
import signal
import sys

WAKE, GO = signal.SIGUSR1, signal.SIGUSR2


def hold(event: str, *, until: signal.Signals) -> None:
    """Tell what has been reached, and sleep until the signal comes."""
    sys.stdout.write(json.dumps({"event": event}) + "\n")
    sys.stdout.flush()
    signal.sigwait({until})


def run() -> None:
    """Locust as it is started otherwise, held twice: before its code is loaded, and before its users are there."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {WAKE, GO})
    hold("asleep", until=WAKE)
    gc.disable()  # what is loaded stays: there is nothing to collect
    import locust.main  # noqa: PLC0415 - loading is what is put off

    gc.enable()
    locust.events.init.add_listener(lambda **_: hold("loaded", until=GO))
    locust.main.main()


if __name__ == "__main__":
    run()
