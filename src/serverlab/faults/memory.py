"""What containers use of memory, and whom the kernel has killed for it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from serverlab import sampler
from serverlab.compose import Container
from serverlab.faults.fault import Scene
from serverlab.faults.processes import CutOff, exit_code, is_running, run

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

    Of one that has ended it is only known whether any was; nobody tells where the one that asks is killed as well.
    """
    told = ""
    if is_running(container):
        with suppress(CutOff):
            told = run(container, KILLS)
    if not is_running(container):
        return int(bool(container.attrs["State"].get("OOMKilled")))
    return int(told) if told else None


ENDED = {"containers_ended": 0, "ended_for_memory": 0}
"""What a rule bounds where a container that ends is a failure by itself; measure_ends measures both."""

ENDS_SAID = {
    "containers_ended": "a container of the app has ended, and nothing starts one again here",
    "ended_for_memory": "the kernel had killed for want of memory in it",
}
"""The words of a rule for these."""


def measure_ends(scene: Scene, containers: Iterable[Container]) -> bool:
    """Keep which of the containers have ended, and for whom memory did not suffice; whether any has ended.

    To be called once the cause is lifted: the kernel kills to the last moment.
    """
    everyone = list(containers)
    kills = [oom_kills(each) for each in everyone]
    ended = [each for each in everyone if not is_running(each)]
    for_memory = [each for each in ended if each.attrs["State"].get("OOMKilled")]
    if None not in kills:
        scene.measure(oom_kills=sum(filter(None, kills)))
    scene.measure(containers_ended=len(ended), ended_for_memory=len(for_memory))
    for each in ended:
        why = ", the kernel had killed in it for want of memory" if each in for_memory else ""
        scene.note(f"{each.name} ended with {exit_code(each)}{why}")
    return bool(ended)
