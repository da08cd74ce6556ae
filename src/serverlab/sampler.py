"""Reads what the containers use, as a series of samples, and cuts a window out of it.

CPU, working set and throttling are the engine's words, on cgroup v1 and v2 alike. Proportional set sizes and open
connections are read from the files of proc(5) on this machine: from outside, because a command in a container would
use CPU time that is then charged to it.
"""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from types import TracebackType
from typing import Any, Self

import docker.errors

from serverlab import procfs
from serverlab.compose import ENGINE_ERRORS, SERVICE_LABEL, Container
from serverlab.errors import TrialFailed
from serverlab.model.usage import Usage

INTERVAL_S = 0.5

WEIGHED_EVERY = 4
"""The memory of single processes is read with every so many samples: each reading costs about 1 ms per 100 MB."""

EDGE_S = 1.0
"""A reading of memory so shortly after the window still counts as one of its end."""

FEWEST_FOR_GROWTH = 6
"""Fewer readings of memory within a window tell no trend."""

DATABASE, DATABASE_PORT = "db", 5432
ENDED = ("exited", "dead")


@dataclass(frozen=True, slots=True)
class Sample:
    """What one container had used up to ``t`` (seconds since the epoch): CPU and throttling are running totals.

    ``pss`` holds the proportional set size of each process where it was read this time, ``connections`` how many
    connections to the database were open.
    """

    t: float
    role: str
    container: str
    cpu_s: float
    memory_bytes: int
    throttled_s: float
    user_s: float | None = None
    system_s: float | None = None
    pss: dict[int, int] | None = None
    connections: int | None = None


class Sampler:
    """A thread that samples the containers it watches every half second while its ``with`` block runs."""

    def __init__(
        self,
        *,
        lead_s: Callable[[], float] | None = None,
        on_end: Callable[[Container], None] = lambda _container: None,
    ) -> None:
        """Watch nothing yet; ``lead_s`` tells by how much the wall clock is ahead of the steady one.

        ``on_end`` is called once, by the sampling thread, with each watched container that has ended.
        """
        self._lead_s = lead_s
        self._on_end = on_end
        self._ended: set[str] = set()
        self._leads: list[float] = []
        self._watched: list[Container] = []
        self._samples: list[Sample] = []
        self._weighed: dict[str, list[int]] = {}
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

    @property
    def leads_s(self) -> list[float]:
        """The wall clock's lead at each sample up to now, in the order of the samples; none where nobody reads it."""
        return list(self._leads)

    @property
    def watched(self) -> tuple[Container, ...]:
        """The containers that are sampled."""
        return tuple(self._watched)

    def watch(self, containers: Iterable[Container]) -> None:
        """Sample these containers too, from now on."""
        self._watched += containers
        self.sample()

    def weigh(self, pids: Mapping[str, Iterable[int]]) -> None:
        """Read the memory of these processes, by container, now and then from now on."""
        self._weighed = {container: list(each) for container, each in pids.items()}

    def sample(self, *, weighing: bool = False) -> list[Container]:
        """Take one sample of every watched container at once, with the memory of its processes or without.

        Returns:
            Those that gave none, because they do not run.
        """
        if self._lead_s is not None:
            self._leads.append(self._lead_s())
        pids = self._weighed if weighing else {}
        samples = [(each, read(each, pids.get(each.id[:12]))) for each in list(self._watched)]
        self._samples += [sample for _, sample in samples if sample is not None]
        return [container for container, sample in samples if sample is None]

    def _sample_on(self) -> None:
        turn = 0
        try:
            while not self._over.wait(INTERVAL_S):
                turn += 1
                self._tell_ends(self.sample(weighing=turn % WEIGHED_EVERY == 0))
        except ENGINE_ERRORS as broke:
            self._broke = broke
        except Exception as broke:  # noqa: BLE001 - a thread tells nobody; it is raised where the block ends
            said = f"{type(broke).__name__}: {broke}"
            self._broke = TrialFailed(
                f"the sampler ended early: {said}", "Report it: that is a mistake of the lab."
            )

    def _tell_ends(self, silent: Iterable[Container]) -> None:
        for container in silent:
            if container.id not in self._ended and has_ended(container):
                self._ended.add(container.id)
                self._on_end(container)


def has_ended(container: Container) -> bool:
    """Whether the container no longer runs, or is gone."""
    try:
        container.reload()
    except docker.errors.NotFound:
        return True
    return container.status in ENDED


def read(container: Container, pids: Sequence[int] | None = None) -> Sample | None:
    """What the container has used up to now, with the memory of its processes ``pids``; None when it is not running."""
    before = time.time()
    try:
        stats = container.client.api.stats(container.id, stream=False, one_shot=True)
    except docker.errors.NotFound:
        return None
    if not stats.get("memory_stats", {}).get("usage"):
        return None
    moment, role, cpu = (
        (before + time.time()) / 2,
        container.labels.get(SERVICE_LABEL, "?"),
        stats["cpu_stats"],
    )
    return Sample(
        t=moment,
        role=role,
        container=container.id[:12],
        cpu_s=cpu["cpu_usage"]["total_usage"] / 1e9,
        memory_bytes=working_set(stats["memory_stats"]),
        throttled_s=cpu.get("throttling_data", {}).get("throttled_time", 0) / 1e9,
        user_s=_seconds(cpu["cpu_usage"].get("usage_in_usermode")),
        system_s=_seconds(cpu["cpu_usage"].get("usage_in_kernelmode")),
        pss=None if pids is None else _pss(pids),
        connections=_connections(container) if role == DATABASE else None,
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


def largest_pss(samples: Iterable[Sample], *, start: float, end: float) -> dict[int, int]:
    """The largest proportional set size of each process that was read within the window or at its end, in bytes."""
    found: dict[int, int] = {}
    for pid, size in chain.from_iterable(each.items() for each in _weighed(samples, start, end)):
        found[pid] = max(size, found.get(pid, 0))
    return found


def as_lines(samples: Sequence[Sample]) -> str:
    """The samples as JSON, one per line."""
    return "".join(json.dumps(asdict(sample)) + "\n" for sample in samples)


def _summed(containers: list[list[Sample]], start: float, end: float) -> Usage:
    inside = [[each for each in series if start <= each.t <= end] for series in containers]
    cpu_s = sum(_grown(series, "cpu_s", start, end) for series in containers)
    user_s = _user_s(containers, cpu_s, start, end)
    return Usage(
        cpu_s=cpu_s,
        memory_peak_bytes=sum(max((each.memory_bytes for each in series), default=0) for series in inside),
        throttled_s=sum(_grown(series, "throttled_s", start, end) for series in containers),
        samples=min(len(series) for series in inside),
        user_s=user_s,
        system_s=None if user_s is None else cpu_s - user_s,
        memory_pss_bytes=_peak_pss(containers, start, end),
        connections=_most_connections(inside),
        memory_growth=_growth(inside, start, end),
    )


def _growth(inside: list[list[Sample]], start: float, end: float) -> float | None:
    """Memory at the end over memory at the beginning, by least squares through the samples of each container."""
    if any(len(series) < FEWEST_FOR_GROWTH for series in inside):
        return None
    fits = [
        statistics.linear_regression(
            [each.t - start for each in series], [each.memory_bytes for each in series]
        )
        for series in inside
    ]
    first = sum(fit.intercept for fit in fits)
    return 1 + sum(fit.slope for fit in fits) * (end - start) / first if first > 0 else None


def _user_s(containers: list[list[Sample]], cpu_s: float, start: float, end: float) -> float | None:
    """The part of the CPU time that was spent in user mode.

    Control groups v1 tell it in clock ticks, which do not add up to the exact total; as the kernel does for processes
    (cputime_adjust in kernel/sched/cputime.c), the exact total is split in the ticks' proportion.
    """
    if any(each.user_s is None or each.system_s is None for series in containers for each in series):
        return None
    user, system = (
        sum(_grown(series, field, start, end) for series in containers) for field in ("user_s", "system_s")
    )
    if user + system > 0:
        return cpu_s * user / (user + system)
    return 0.0 if cpu_s == 0 else None


def _peak_pss(containers: list[list[Sample]], start: float, end: float) -> int | None:
    """The largest sum over the processes of each container, summed over containers; None if one was never read."""
    peaks = [
        max((sum(each.values()) for each in _weighed(series, start, end)), default=None)
        for series in containers
    ]
    known = [peak for peak in peaks if peak is not None]
    return sum(known) if len(known) == len(peaks) else None


def _weighed(samples: Iterable[Sample], start: float, end: float) -> list[dict[int, int]]:
    return [each.pss for each in samples if each.pss is not None and start <= each.t <= end + EDGE_S]


def _most_connections(inside: list[list[Sample]]) -> int | None:
    """The most connections that were open at once in a sample, summed over containers."""
    found = [[each.connections for each in series if each.connections is not None] for series in inside]
    return sum(max(each) for each in found) if all(found) else None


def _pss(pids: Sequence[int]) -> dict[int, int] | None:
    """The memory of each process; None as soon as one may not be read: a sum without it would be too small."""
    sizes = {pid: procfs.pss_bytes(pid) for pid in pids}
    known = {pid: size for pid, size in sizes.items() if size is not None}
    return known if len(known) == len(sizes) else None


def _connections(container: Container) -> int | None:
    """How many connections to the database are open, by the kernel's table of its network namespace.

    The database is not asked itself: the question would be a connection, and work, of its own.
    """
    pid = int(container.attrs["State"].get("Pid") or 0)
    return procfs.established(pid, DATABASE_PORT) if procfs.is_of_container(pid, container.id) else None


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9


def _grown(series: list[Sample], field: str, start: float, end: float) -> float:
    return _at(series, field, end) - _at(series, field, start)


def _at(series: list[Sample], field: str, t: float) -> float:
    before = [each for each in series if each.t <= t]
    after = [each for each in series if each.t >= t]
    if not before or not after:
        raise TrialFailed(
            f"{series[0].role}: no samples on both sides of the measurement: the machine was too busy",
            "End what else runs on it, then measure again.",
        )
    left, right = before[-1], after[0]
    low, high = float(getattr(left, field)), float(getattr(right, field))
    share = (t - left.t) / (right.t - left.t) if right.t > left.t else 0.0
    return low + (high - low) * share
