"""Whether what stands beside a server keeps the container contract too: database, cache, Daphne (K-13 and K-13s)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from serverlab.attacks import containers
from serverlab.attacks.handed import environments
from serverlab.attacks.profiles import SPLIT
from serverlab.attacks.stage import Attack, Outcome, Stage, not_applicable
from serverlab.attacks.visitor import judged
from serverlab.compose import SERVICE_LABEL, Container, Database
from serverlab.model.records import Check


@dataclass(frozen=True)
class Bounds:
    """What a container may have at most."""

    processes: int
    memory_mib: int
    cpus: float


BOUNDS = {
    "app": Bounds(512, 1024, 1.0),
    "edge": Bounds(64, 384, 1.0),
    "db": Bounds(256, 512, 1.0),
    "cache": Bounds(64, 128, 1.0),
    "realtime": Bounds(512, 512, 1.0),
    "migrate": Bounds(64, 512, 1.0),
}
COMPANIONS = ("db", "cache", "realtime")
"""Those that are also asked from within; K-01 to K-05 ask app and edge on every target, and ``migrate`` has ended."""

OPEN_FILES = (
    'print(*next(line for line in open("/proc/1/limits") if line.startswith("Max open files")).split()[3:5])'
)
INSIDE = (
    containers.users,
    containers.read_only,
    containers.capabilities,
    containers.privileges,
    environments,
)


def contract(stage: Stage) -> Outcome:
    """Every container by the engine's word, and companions of the server from within, as K-01 to K-04 ask the server.

    They are the same beside every server.
    """
    if str(stage.settings.target) != SPLIT:
        return not_applicable(f"the same containers beside every server: asked on {SPLIT} only")
    found = [each for each in stage.engine.containers() if SERVICE_LABEL in each.labels]
    with ThreadPoolExecutor(len(found) or 1) as pool:
        told = list(pool.map(lambda container: list(_checks(stage, container)), found))
    names = sorted({_service(each) for each in found})
    there = Check(name="containers", ok=set(names) == _services(stage), detail=", ".join(names))
    return judged([there, *(each for checks in told for each in checks)], seen=f"{', '.join(names)}: kept")


def _services(stage: Stage) -> set[str]:
    """The services that the stack is made of."""
    settings = stage.settings
    database = {"db", "migrate"} if settings.database is Database.POSTGRES else set()
    return {"app", "edge", "cache", *database, *({"realtime"} if settings.realtime else ())}


def _service(container: Container) -> str:
    return str(container.labels[SERVICE_LABEL])


def _checks(stage: Stage, container: Container) -> Iterator[Check]:
    yield from _limits(stage, container)
    if _service(container) not in COMPANIONS:
        return
    for asked in INSIDE:
        yield from asked(stage, container)
    done = container.exec_run(["python3", "-I", "-S", "-c", OPEN_FILES])
    told = done.output.decode(errors="replace").strip()
    ok = told == f"{containers.OPEN_FILES} {containers.OPEN_FILES}"
    yield Check(name=f"{_service(container)}, open files within", ok=ok, detail=told[-100:])


def _limits(stage: Stage, container: Container) -> Iterator[Check]:
    """What the engine says of a container, also of one that has ended."""
    service, host = _service(container), container.attrs["HostConfig"]
    bounds = BOUNDS[service]
    facts = {
        "user": (container.attrs["Config"]["User"], "10001:10001"),
        "read-only root": (host["ReadonlyRootfs"], True),
        "cap_drop": (host["CapDrop"], ["ALL"]),
        "cap_add": (host["CapAdd"] or [], []),
        "privileges": (host["SecurityOpt"], ["no-new-privileges:true"]),
        "processes": (host["PidsLimit"], bounds.processes),
        "memory": (host["Memory"], bounds.memory_mib << 20),
        "memory and swap": (host["MemorySwap"], bounds.memory_mib << 20),
        "CPUs": (host["NanoCpus"] / 1e9, bounds.cpus),
        "cores": (host["CpusetCpus"], stage.settings.split.stack),
        "open files": (host["Ulimits"], containers.ULIMITS),
    }
    for what, (found, wanted) in facts.items():
        yield Check(name=f"{service}, {what}", ok=found == wanted, detail=str(found))


def _row(name: str, profile: str, title: str) -> Attack:
    return Attack(name, title, "as the server's own", contract, profile=profile)


ATTACKS: tuple[Attack, ...] = (
    _row("K-13", "services", "every container beside a server: user, files, rights, limits"),
    _row("K-13s", "split", "the same with Daphne beside the server"),
)
