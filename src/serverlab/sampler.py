"""Reads what the containers use, as a series of samples, and cuts a window out of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

import docker.errors

from serverlab.compose import ENGINE_ERRORS, SERVICE_LABEL, Container
from serverlab.errors import TrialFailed
from serverlab.model.records import Usage

INTERVAL_S = 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    """What one container had used up to ``t`` (seconds since the epoch): CPU and throttling are running totals."""

    t: float
    role: str
    container: str
    cpu_s: float
    memory_bytes: int
    throttled_s: float


class Sampler:
    """A thread that samples the containers it watches every half second while its ``with`` block runs."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._watched: list[Container] = []
        self._samples: list[Sample] = []
        self._over = threading.Event()
        self._broke: BaseException | None = None
        self._thread = threading.Thread(target=self._sample_on, daemon=True)

    def __enter__(self) -> Self:
        """Begin to sample."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Sample no more; the thread has ended when this returns, and what stopped it early is raised."""
        self._over.set()
        self._thread.join()
        if self._broke is not None and error is None:
            raise self._broke

    @property
    def samples(self) -> list[Sample]:
        """All samples up to now."""
        return list(self._samples)

    def watch(self, containers: Iterable[Container]) -> None:
        """Sample these containers too, from now on."""
        self._watched += containers
        self.sample()

    def sample(self) -> None:
        """Take one sample of every watched container at once."""
        self._samples += [sample for sample in map(read, list(self._watched)) if sample is not None]

    def _sample_on(self) -> None:
        try:
            while not self._over.wait(INTERVAL_S):
                self.sample()
        except ENGINE_ERRORS as broke:
            self._broke = broke


def read(container: Container) -> Sample | None:
    """What the container has used up to now, or None when it is not running."""
    before = time.time()
    try:
        stats = container.client.api.stats(container.id, stream=False, one_shot=True)
    except docker.errors.NotFound:
        return None
    if not stats.get("memory_stats", {}).get("usage"):
        return None
    return Sample(
        t=(before + time.time()) / 2,
        role=container.labels.get(SERVICE_LABEL, "?"),
        container=container.id[:12],
        cpu_s=stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        memory_bytes=working_set(stats["memory_stats"]),
        throttled_s=stats["cpu_stats"].get("throttling_data", {}).get("throttled_time", 0) / 1e9,
    )


def working_set(memory: dict[str, Any]) -> int:
    """Memory in use less the inactive page cache, in bytes, on cgroup v1 and v2 (as ``docker stats`` counts it)."""
    details = memory.get("stats", {})
    inactive = details.get("total_inactive_file", details.get("inactive_file", 0))
    return max(0, int(memory["usage"]) - int(inactive))


def usage_within(samples: Sequence[Sample], *, start: float, end: float) -> dict[str, Usage]:
    """What each role used between two moments, summed over its containers.

    CPU at the edges of the window is interpolated linearly between the samples beside them.

    Raises:
        TrialFailed: a container has no samples on both sides of the window.
    """
    roles: dict[str, dict[str, list[Sample]]] = {}
    for sample in sorted(samples, key=lambda each: each.t):
        roles.setdefault(sample.role, {}).setdefault(sample.container, []).append(sample)
    return {role: _summed(list(series.values()), start, end) for role, series in roles.items()}


def as_lines(samples: Sequence[Sample]) -> str:
    """The samples as JSON, one per line."""
    return "".join(json.dumps(asdict(sample)) + "\n" for sample in samples)


def _summed(containers: list[list[Sample]], start: float, end: float) -> Usage:
    inside = [[each for each in series if start <= each.t <= end] for series in containers]
    return Usage(
        cpu_s=sum(_grown(series, "cpu_s", start, end) for series in containers),
        memory_peak_bytes=sum(max((each.memory_bytes for each in series), default=0) for series in inside),
        throttled_s=sum(_grown(series, "throttled_s", start, end) for series in containers),
        samples=min(len(series) for series in inside),
    )


def _grown(series: list[Sample], field: str, start: float, end: float) -> float:
    return _at(series, field, end) - _at(series, field, start)


def _at(series: list[Sample], field: str, t: float) -> float:
    before = [each for each in series if each.t <= t]
    after = [each for each in series if each.t >= t]
    if not before or not after:
        raise TrialFailed(
            f"{series[0].role}: no samples on both sides of the measurement: the machine was too busy"
        )
    left, right = before[-1], after[0]
    low, high = float(getattr(left, field)), float(getattr(right, field))
    share = (t - left.t) / (right.t - left.t) if right.t > left.t else 0.0
    return low + (high - low) * share
