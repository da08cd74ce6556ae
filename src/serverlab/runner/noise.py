"""Whether others than a cell's containers were at work on the machine, so that what was slow may be their doing."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from serverlab import procfs, sampler
from serverlab.compose import Engine

OTHERS_SHARE = 0.25
"""Of the machine's cores: where others keep more than this busy, no latency is a server's, and the cell is VOID."""


@dataclass(frozen=True)
class Work:
    """What all cores together have done so far, and what of it each container of ours; None where it is not told."""

    at_s: float
    busy_s: float | None
    ours_s: Mapping[str, float]


def read(engine: Engine) -> Work:
    """How it is at this moment."""
    samples = [sampler.read(container) for container in engine.containers()]
    ours_s = {each.container: each.cpu_s for each in samples if each is not None}
    return Work(at_s=time.monotonic(), busy_s=procfs.busy_s(), ours_s=ours_s)


def others(before: Work, after: Work) -> float | None:
    """How many cores others kept busy between the two; None where a container ended meanwhile, or it is not told."""
    took_s = after.at_s - before.at_s
    if (
        before.busy_s is None
        or after.busy_s is None
        or took_s <= 0
        or before.ours_s.keys() - after.ours_s.keys()
    ):
        return None
    grown = [cpu_s - before.ours_s.get(name, 0.0) for name, cpu_s in after.ours_s.items()]
    if min(grown, default=0.0) < 0:  # it was started again
        return None
    return max(0.0, after.busy_s - before.busy_s - sum(grown)) / took_s


def too_loud(when: str, before: Work, after: Work, *, cores: int | None = None) -> str | None:
    """Why what was measured ``when`` says nothing of the stack, or None."""
    count = cores or os.cpu_count() or 1
    found = others(before, after)
    if found is None or found <= OTHERS_SHARE * count:
        return None
    return f"host load: other work took {found:.1f} of the machine's {count} cores {when} the fault"
