"""What the kernel of this machine tells about single processes, by the files of proc(5).

Everything is read from outside, so that no CPU time is added to the containers. A process that has ended is left out;
what this user may not read is None.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
ESTABLISHED = "01"
"""State of a TCP connection in /proc/PID/net/tcp, from the kernel's tcp_states.h."""


@dataclass(frozen=True, slots=True)
class ThreadReading:
    """Totals of one thread since it began; `switches` are the voluntary and the involuntary ones."""

    cpu_s: float
    switches: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """Totals of one process since it began; those of threads that have ended are in its CPU time only.

    `began` is in clock ticks since the machine started; with the pid it tells a process from a later one.
    """

    pid: int
    name: str
    began: int
    user_s: float
    system_s: float
    threads: dict[int, ThreadReading]


def is_of_container(pid: int, container_id: str, root: Path = ROOT) -> bool:
    """Tell whether this machine's process `pid` is in the container's control group.

    It is not where the engine runs elsewhere, in a virtual machine, or in another view of the processes.
    """
    try:
        return pid > 0 and container_id in _text(root, pid, "cgroup")
    except OSError:
        return False


def families(pids: Iterable[int], root: Path = ROOT) -> dict[int, tuple[int, ...]]:
    """Return each of the processes with all its living descendants, itself first.

    In a container with an init that is all there is but what was executed in it from outside, as health checks are.
    """
    children: dict[int, list[int]] = defaultdict(list)
    for entry in (root / "proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(root, entry.name)) is not None:
            children[int(fields[1])].append(int(entry.name))
    return {pid: _descent(pid, children) for pid in pids}


def read_process(pid: int, root: Path = ROOT) -> ProcessReading | None:
    """Return a process's totals, or None when it has ended."""
    fields = _stat(root, str(pid))
    if fields is None:
        return None
    try:
        name = _text(root, pid, "comm").strip()
        threads = {int(each.name): each for each in (root / f"proc/{pid}/task").iterdir()}
    except OSError:
        return None
    readings = {number: _thread(root, path) for number, path in threads.items()}
    return ProcessReading(
        pid=pid,
        name=name,
        began=int(fields[19]),
        user_s=int(fields[11]) * TICK_S,
        system_s=int(fields[12]) * TICK_S,
        threads={number: reading for number, reading in readings.items() if reading is not None},
    )


def pss_bytes(pid: int, root: Path = ROOT) -> int | None:
    """Return the process's proportional set size: its pages, each divided by the number of processes that map it.

    From /proc/PID/smaps_rollup, field `Pss`; 0 when the process has ended, None when this user may not read it. The
    kernel walks the process's page tables for it: about a millisecond for 100 MB.
    """
    try:
        lines = _text(root, pid, "smaps_rollup").splitlines()
    except PermissionError:
        return None
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def established(pid: int, port: int, root: Path = ROOT) -> int | None:
    """Return how many TCP connections to the port are open in the process's network namespace, None if hidden."""
    ending = f":{port:04X}"
    try:
        lines = [
            line.split() for name in ("tcp", "tcp6") for line in _text(root, pid, f"net/{name}").splitlines()
        ]
    except OSError:
        return None
    return sum(len(each) > 3 and each[1].endswith(ending) and each[3] == ESTABLISHED for each in lines)


def busy_s(root: Path = ROOT) -> float | None:
    """Return for how long this machine's cores have worked since it started, summed over all of them, None if unknown.

    From proc_stat(5): `user`, `nice`, `system`, `irq` and `softirq`; what guests of this machine used is in `user`.
    """
    try:
        first = (root / "proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
        return sum(int(first[field]) for field in (1, 2, 3, 6, 7)) * TICK_S
    except (OSError, ValueError, IndexError):
        return None


def _descent(pid: int, children: dict[int, list[int]]) -> tuple[int, ...]:
    found = [pid]
    for each in found:  # grows while it is walked
        found += children.get(each, [])
    return tuple(found)


def _thread(root: Path, path: Path) -> ThreadReading | None:
    fields = _stat(root, str(path.relative_to(root / "proc")))
    try:
        lines = (path / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    counts = dict(line.split(":", 1) for line in lines if "ctxt_switches" in line)
    if fields is None or len(counts) < 2:
        return None
    return ThreadReading(
        cpu_s=(int(fields[11]) + int(fields[12])) * TICK_S,
        switches=(int(counts["voluntary_ctxt_switches"]), int(counts["nonvoluntary_ctxt_switches"])),
    )


def _stat(root: Path, process: str) -> list[str] | None:
    """The fields of a stat file from the third on (the state): the name before them may hold blanks and brackets."""
    try:
        text = (root / "proc" / process / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _text(root: Path, pid: int, name: str) -> str:
    return (root / f"proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
