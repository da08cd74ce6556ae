"""What containers use of memory, and whom the kernel has killed for it."""

from __future__ import annotations

from collections.abc import Iterable

from serverlab import sampler
from serverlab.compose import Container
from serverlab.faults.processes import is_running, run

KILLS = """
import pathlib
for name in ("memory/memory.oom_control", "memory.events"):
    path = pathlib.Path("/sys/fs/cgroup", name)
    if path.exists():
        found = dict(line.split() for line in path.read_text().splitlines())
        print(found.get("oom_kill", ""))
        break
"""
"""How many processes of its group the kernel has killed for want of memory; "" where it does not tell."""


def memory_mib(containers: Iterable[Container]) -> float:
    """What they use now, in MiB; what has ended uses nothing."""
    samples = filter(None, map(sampler.read, containers))
    return round(sum(each.memory_bytes for each in samples) / (1 << 20), 1)


def oom_kills(container: Container) -> int | None:
    """How many of its processes were killed for want of memory; None where nobody tells.

    Of one that has ended it is only known whether any was.
    """
    if not is_running(container):
        return int(bool(container.attrs["State"].get("OOMKilled")))
    told = run(container, KILLS)
    return int(told) if told else None
