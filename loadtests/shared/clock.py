"""The one clock of the generator: seconds since the epoch that no correction of the machine's time makes jump."""

from __future__ import annotations

import time

_OFFSET_S = time.time() - time.perf_counter()


def now_s() -> float:
    """Now, to a quarter of a microsecond; as ``time.time()`` was when this process started, and never set since."""
    return _OFFSET_S + time.perf_counter()


def ticks_s(moment_s: float) -> float:
    """The moment on the kernel's monotonic clock, which is what ``time.perf_counter()`` reads on Linux."""
    return moment_s - _OFFSET_S
