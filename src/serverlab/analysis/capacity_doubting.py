"""What is doubtful about the trials whose numbers stand in a row of capacities."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from serverlab.analysis.evidence import Sample
from serverlab.analysis.suspicions import FLOOR_US, KEPT_SHARE, SLOW_CORE
from serverlab.formatting import milliseconds, percent, plural, span

QUEUED_SHARE = 0.01
"""With fewer, all arrivals that waited for a user may lie beyond p99, the highest percentile that is shown."""


def doubts(
    confirmed: Sample | None, at_shares: Mapping[float, Sample], *, core_speed: float | None
) -> Iterator[str]:
    """A sentence for each doubt, which begins with the number of the row that it is about.

    ``confirmed`` is the trial that the capacity stands on, ``at_shares`` those that tell latency; ``core_speed`` is the
    median of the run's calibration loops. None is what there is not.
    """
    shown = [("at its capacity", confirmed)] if confirmed else []
    shown += [(f"at {percent(share)} of its capacity", sample) for share, sample in at_shares.items()]
    for where, sample in shown:
        for said in (_queued(sample), _unsent(sample), _slow(sample, core_speed)):
            if said is not None:
                yield f"{where}: {said}"
    plateau = _plateau(at_shares.values())
    if plateau is not None:
        yield f"from {percent(min(at_shares))} to {percent(max(at_shares))} of its capacity: {plateau}"


def _queued(sample: Sample) -> str | None:
    """Whether many arrivals waited until a user was free to send them."""
    load = sample.load
    share = (load.queued or 0) / (load.scheduled or 1)
    if share < QUEUED_SHARE:
        return None
    return (
        f"{percent(share)} of the arrivals found all {plural(load.users, 'user')} busy and were sent late: their "
        "waiting is in the latencies"
    )


def _unsent(sample: Sample) -> str | None:
    """Whether arrivals, be it a single one, waited for a user until the window ended."""
    load = sample.load
    if not load.unsent:
        return None
    return (
        f"{percent(load.unsent / (load.scheduled or 1))} of the arrivals were never sent, because all "
        f"{plural(load.users, 'user')} were busy: the latencies have what they had waited when the window ended"
    )


def _slow(sample: Sample, core_speed: float | None) -> str | None:
    """Whether the stack's core was more than 10 % slower than in the middle of the run."""
    if core_speed is None or sample.speed is None or sample.speed >= core_speed * SLOW_CORE:
        return None
    slower = percent(1 - sample.speed / core_speed)
    return f"just before or after it the core was {slower} slower than the run's median"


def _plateau(samples: Collection[Sample]) -> str | None:
    """Whether on kept connections the median lies where delayed ACKs put it, however busy the server is.

    Where only part of the answers is held back, the least latencies do not show it; but a queue, which might put the
    median there too, grows with the load.
    """
    middles = [middle for each in samples if (middle := each.percentile_us(50)) is not None]
    opened = sum(each.load.connections.get("opened", 0) for each in samples)
    kept = opened < KEPT_SHARE * sum(each.load.ended for each in samples)
    if not kept or len(middles) < max(2, len(samples)):
        return None
    if not FLOOR_US[0] <= min(middles) <= max(middles) <= FLOOR_US[1]:
        return None
    return (
        f"p50 is {span(min(middles), max(middles), milliseconds)} ms and does not grow with the load, on kept "
        "connections: consistent with Nagle's algorithm waiting for a delayed ACK, where an answer is sent in two "
        "small writes"
    )
