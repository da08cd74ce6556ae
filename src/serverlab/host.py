"""The machine: what a run states about it, and how its cores are shared out."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from serverlab.errors import EnvironmentLacks, UsageError
from serverlab.model.records import CoreSplit
from serverlab.shell import Shell, run_checked

ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The machine that the containers run on, as engine and kernel state it.

    `cores` are the numbers of the cores that containers may use. `load_average` is that of the last minute. What
    only the kernel of this machine tells is None where the engine runs elsewhere.
    """

    os: str
    kernel: str
    cpu_model: str
    cores: tuple[int, ...]
    memory_bytes: int
    cgroup: str
    engine: str
    clock_source: str | None
    load_average: float | None


class Connected(Protocol):
    """An engine with a docker-py client."""

    client: Any


def read_host(shell: Shell, root: Path = ROOT) -> HostFacts:
    """Return the facts about the machine that the engine runs on; raises LabError when no engine answers."""
    engine = engine_answer(shell)
    is_here = engine.get("KernelVersion") == platform.release()
    return HostFacts(
        os=str(engine.get("OperatingSystem", "unknown")),
        kernel=str(engine.get("KernelVersion", "unknown")),
        cpu_model=cpu_model(root) if is_here else str(engine.get("Architecture", "unknown")),
        cores=usable_cores(int(engine.get("NCPU", 0))),
        memory_bytes=int(engine.get("MemTotal", 0)),
        cgroup=f"v{engine.get('CgroupVersion', '?')}",
        engine=str(engine.get("ServerVersion", "unknown")),
        clock_source=clock_source(root) if is_here else None,
        load_average=os.getloadavg()[0] if is_here else None,
    )


def engine_answer(shell: Shell) -> dict[str, Any]:
    """Return everything that `docker info` states about the engine.

    Raises CommandFailed when the command ends badly, and EnvironmentLacks when no engine answers.
    """
    done = run_checked(
        shell, ["docker", "info", "--format", "{{json .}}"], timeout_s=20, hint="Try `make engine`."
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    if errors := answer.get("ServerErrors"):  # older clients end with 0 although no daemon answered
        raise EnvironmentLacks(f"No container engine answers: {errors[0]}", "Try `make engine`.")
    return answer


def usable_cores(engine_cores: int, own: Sequence[int] | None = None) -> tuple[int, ...]:
    """Return the numbers of the cores that containers may use.

    These are the cores this process may run on (or `own`), if the engine counts as many; else those the engine
    counts, as it decides: it may run in a virtual machine, or this process may be confined to fewer.
    """
    if own is None:
        own = (
            sorted(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else range(os.cpu_count() or 1)
        )
    return tuple(own) if engine_cores in {0, len(own)} else tuple(range(engine_cores))


def cores_of(engine: Connected) -> tuple[int, ...]:
    """Return the numbers of the cores that the containers of a connected engine may use."""
    return usable_cores(int(engine.client.info().get("NCPU", 0)))


def assign_cores(cpus: int, cores: Sequence[int]) -> CoreSplit:
    """Return which of `cores` a stack with a budget of `cpus` cores and the load generator run on.

    The stack gets the first ones and the generator all others. When none is left over, the generator shares the last
    core of the stack and the split is not disjoint. Raises UsageError when there are fewer cores than the budget.
    """
    if not 1 <= cpus <= len(cores):
        raise UsageError(
            f"A budget of {cpus} cores cannot be given: containers may use {len(cores)} here.",
            "Take a smaller budget, or a larger machine.",
        )
    stack, rest = list(cores[:cpus]), list(cores[cpus:])
    return CoreSplit(stack=cpuset(stack), generator=cpuset(rest or stack[-1:]), disjoint=bool(rest))


def cpuset(cores: Sequence[int]) -> str:
    """Return cores as a list in the format of cpusets, where 0, 1, 2 and 5 are "0-2,5"."""
    ranges: list[list[int]] = []
    for core in sorted(cores):
        if ranges and core == ranges[-1][1] + 1:
            ranges[-1][1] = core
        else:
            ranges.append([core, core])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def cpu_model(root: Path = ROOT) -> str:
    """Return the processor's name as the kernel prints it, else its architecture."""
    for line in _text(root / "proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model"} and value.strip():
            return value.strip()
    return platform.machine() or "unknown"


def clock_source(root: Path = ROOT) -> str | None:
    """Return the kernel's clock source, such as tsc or kvm-clock, or None when it does not tell."""
    return _text(root / "sys/devices/system/clocksource/clocksource0/current_clocksource").strip() or None


def steal_s(root: Path = ROOT) -> float:
    """Return how long other guests have kept this machine's cores waiting since it started, summed over all cores.

    In seconds, from proc_stat(5), field `steal`; 0.0 where the kernel does not count it.
    """
    for line in _text(root / "proc/stat").splitlines():
        words = line.split()
        if words and words[0] == "cpu" and len(words) > 8:
            return int(words[8]) / os.sysconf("SC_CLK_TCK")
    return 0.0


def available_memory_mib(root: Path = ROOT) -> float:
    """Return how much memory a new program could take, in MiB, from proc(5), `MemAvailable`.

    Infinite where the kernel does not tell, so that nobody waits for it.
    """
    for line in _text(root / "proc/meminfo").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "MemAvailable:":
            return int(words[1]) / 1024
    return math.inf


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
