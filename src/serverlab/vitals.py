"""What is read of a stack at both edges of the window, from outside its containers: processes and network; and clocks.

The engine tells what a whole container used, the kernel what each process of it did and what became of connections.
Both edges are read by files alone: no command runs in a container, and the engine is not asked, so that nothing is
added to what is measured but a few milliseconds beside it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from serverlab import netstat, procfs
from serverlab.compose import SERVICE_LABEL, Container
from serverlab.model.usage import NetworkCounts, ProcessUse, Usage
from serverlab.procfs import ProcessReading

CLOCK_READINGS = 5
TICK_DIGITS = 4
"""Times of processes are whole clock ticks, of a hundredth of a second as a rule: more digits would be noise."""

FORGOTTEN_SHARE = 0.05
"""Share of a process's CPU time that threads which have ended may have used before its switches count as unknown."""


@dataclass(frozen=True, slots=True)
class ContainerVitals:
    """One container at one moment; None is what this machine or this user cannot see."""

    role: str
    container: str
    processes: tuple[ProcessReading, ...] | None
    network: NetworkCounts | None


@dataclass(frozen=True, slots=True)
class Vitals:
    """All containers of a trial at one moment."""

    busy_s: float | None
    containers: tuple[ContainerVitals, ...]

    @property
    def pids(self) -> dict[str, list[int]]:
        """The processes that can be seen, by container."""
        return {
            each.container: [process.pid for process in each.processes]
            for each in self.containers
            if each.processes is not None
        }


def read(containers: Iterable[Container], root: Path = procfs.ROOT) -> Vitals:
    """Return how the containers are at this moment."""
    pids = {each.id: pid_of(each, root) for each in containers}
    families = procfs.families([pid for pid in pids.values() if pid], root) if any(pids.values()) else {}
    return Vitals(
        busy_s=procfs.busy_s(root) if families else None,
        containers=tuple(_read(each, pids[each.id], families, root) for each in containers),
    )


def pid_of(container: Container, root: Path = procfs.ROOT) -> int | None:
    """Return the container's first process as this machine numbers it, None where it does not see it."""
    pid = int(container.attrs["State"].get("Pid") or 0)
    return pid if procfs.is_of_container(pid, container.id, root) else None


def clock_lead_s(
    wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
) -> float:
    """Return by how much the wall clock is ahead of the steady one, by the closest of several pairs of readings."""
    readings = [(steady(), wall(), steady()) for _ in range(CLOCK_READINGS)]
    before, at, after = min(readings, key=lambda each: each[2] - each[0])
    return at - (before + after) / 2


def clock_jump_s(leads_s: Sequence[float]) -> float | None:
    """Return the farthest that the wall clock was set between any two readings of its lead; below 0 it was set back.

    A step forth and back is as far as one that stays. None where there are no two readings.
    """
    if len(leads_s) < 2:
        return None
    earliest, latest = sorted((leads_s.index(min(leads_s)), leads_s.index(max(leads_s))))
    return leads_s[latest] - leads_s[earliest]


def network_within(before: Vitals, after: Vitals) -> dict[str, NetworkCounts]:
    """Return what was counted between the two moments, by role; a role that cannot be seen is missing."""
    at_first = {each.container: each.network for each in before.containers}
    found: dict[str, list[NetworkCounts]] = defaultdict(list)
    for each in after.containers:
        first = at_first.get(each.container)
        if first is not None and each.network is not None:
            found[each.role].append(netstat.grown(first, each.network))
    return {role: netstat.together(counts) for role, counts in found.items()}


def other_cpu_s(before: Vitals, after: Vitals, usage: Mapping[str, Usage]) -> float | None:
    """Return the CPU time that none of the containers used between the two moments, None if it cannot be told."""
    if before.busy_s is None or after.busy_s is None:
        return None
    return max(0.0, after.busy_s - before.busy_s - sum(each.cpu_s for each in usage.values()))


def with_processes(
    usage: Mapping[str, Usage], before: Vitals, after: Vitals, pss: Mapping[int, int]
) -> dict[str, Usage]:
    """Return the usage of each role with its processes and their sums; ``pss`` holds the largest PSS of each pid."""
    found = processes_within(before, after, pss)
    return {role: _with(each, found.get(role)) for role, each in usage.items()}


def processes_within(
    before: Vitals, after: Vitals, pss: Mapping[int, int]
) -> dict[str, tuple[ProcessUse, ...]]:
    """Return what each process did between the two moments, by role; a role is missing if a container is not seen."""
    at_first = {
        (process.pid, process.began): process
        for each in before.containers
        for process in each.processes or ()
    }
    hidden = {each.role for each in (*before.containers, *after.containers) if each.processes is None}
    found: dict[str, list[ProcessUse]] = defaultdict(list)
    for each in after.containers:
        found[each.role] += [
            _grown(each.container, at_first.get((process.pid, process.began)), process, pss.get(process.pid))
            for process in each.processes or ()
        ]
    return {role: tuple(uses) for role, uses in found.items() if role not in hidden}


def _read(
    container: Container, pid: int | None, families: Mapping[int, Sequence[int]], root: Path
) -> ContainerVitals:
    readings = [procfs.read_process(each, root) for each in families.get(pid or 0, ())]
    return ContainerVitals(
        role=container.labels.get(SERVICE_LABEL, "?"),
        container=container.id[:12],
        processes=tuple(each for each in readings if each is not None) if pid else None,
        network=netstat.network_counts(pid, root) if pid else None,
    )


def _grown(
    container: str, before: ProcessReading | None, after: ProcessReading, pss: int | None
) -> ProcessUse:
    user_s = after.user_s - (before.user_s if before else 0.0)
    system_s = after.system_s - (before.system_s if before else 0.0)
    switches = _switches(before, after, cpu_s=user_s + system_s)
    return ProcessUse(
        container=container,
        pid=after.pid,
        name=after.name,
        user_s=round(user_s, TICK_DIGITS),
        system_s=round(system_s, TICK_DIGITS),
        memory_pss_bytes=pss,
        context_switches_voluntary=switches[0] if switches else None,
        context_switches_involuntary=switches[1] if switches else None,
    )


def _switches(
    before: ProcessReading | None, after: ProcessReading, *, cpu_s: float
) -> tuple[int, int] | None:
    """Voluntary and involuntary switches of the threads that live; None where others did much and have ended."""
    first = before.threads if before else {}
    pairs = [(first.get(number), thread) for number, thread in after.threads.items()]
    seen_s = sum(thread.cpu_s - (was.cpu_s if was else 0.0) for was, thread in pairs)
    rounding_s = procfs.TICK_S * (len(pairs) + 1)
    if cpu_s - seen_s > FORGOTTEN_SHARE * cpu_s + rounding_s:
        return None
    voluntary, involuntary = (
        sum(thread.switches[kind] - (was.switches[kind] if was else 0) for was, thread in pairs)
        for kind in (0, 1)
    )
    return voluntary, involuntary


def _with(usage: Usage, processes: tuple[ProcessUse, ...] | None) -> Usage:
    if processes is None:
        return usage
    return msgspec.structs.replace(
        usage,
        processes=processes,
        context_switches_voluntary=_total(each.context_switches_voluntary for each in processes),
        context_switches_involuntary=_total(each.context_switches_involuntary for each in processes),
    )


def _total(values: Iterable[int | None]) -> int | None:
    """The sum, None as soon as one value is not known."""
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if len(known) == len(found) else None
