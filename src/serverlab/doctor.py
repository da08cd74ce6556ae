"""What this machine has and lacks for the lab, and how to mend it."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from serverlab import debian, host, ports
from serverlab.base import BOOTSTRAPPED_BASE, DEFAULT_BASE, has_image
from serverlab.engine import Machine, inspect_engine
from serverlab.errors import LabError
from serverlab.shell import Shell

PORTS = {8000: "HTTP", 8443: "HTTPS", 8089: "Locust's web UI"}
LABEL_FILTER = "label=org.serverlab"
COLD_GB = 6
"""What base image, build cache and all images take together."""

WARM_GB = 2
CLOCK_TOLERANCE_S = 2.0


class State(Enum):
    """How a finding is to be taken."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: its name, how it is, what was found, and how to mend it ("" when nothing is)."""

    name: str
    state: State
    what: str
    mend: str = ""


def free_bytes(path: Path) -> int | None:
    """Return how much room is left where `path` lies, or None when it cannot be seen from here."""
    return shutil.disk_usage(path).free if path.is_dir() else None


@dataclass(frozen=True, slots=True)
class Senses:
    """What the doctor sees besides the shell; tests hand in their own."""

    now: Callable[[], float] = time.time
    free_bytes: Callable[[Path], int | None] = free_bytes
    port_is_free: Callable[[int], bool] = ports.is_free


def line(finding: Finding) -> str:
    """Return a finding as one line, with a second one on how to mend it."""
    mend = f"\n      {finding.mend}" if finding.mend else ""
    return f"{finding.state.value:<4}  {finding.name}: {finding.what}{mend}"


def examine(
    shell: Shell,
    root: Path,
    *,
    senses: Senses | None = None,
    machine: Machine | None = None,
    environment: Mapping[str, str] = os.environ,
) -> tuple[Finding, ...]:
    """Return what was found, in the order in which it is to be mended; without an engine, what can be seen without."""
    senses, machine = senses or Senses(), machine or Machine()
    engine = _engine(shell)
    findings = [engine]
    if engine.state is State.OK:
        answer = host.engine_answer(shell)
        findings += [
            _cores(answer),
            _limits(answer),
            _disk(shell, answer, senses),
            _base_image(shell, machine, environment),
            _engine_clock(answer, senses),
            _leftovers(shell),
        ]
    return (*findings, _clock(root, senses), *_ports(senses))


def _engine(shell: Shell) -> Finding:
    try:
        facts = inspect_engine(shell)
    except LabError as lack:
        return Finding("engine", State.FAIL, lack.what, lack.hint or "`make engine`")
    versions = f"Compose {facts.compose_version}, Buildx {facts.buildx_version}"
    return Finding("engine", State.OK, f"engine {facts.version} (API {facts.api_version}), {versions}")


def _cores(engine: Mapping[str, Any]) -> Finding:
    cores = host.usable_cores(int(engine.get("NCPU", 0)))
    if len(cores) < 2:
        return Finding(
            "cores",
            State.WARN,
            "one core: server and load generator share it",
            "Use a machine with two or more cores; until then the tables say that they shared it.",
        )
    return Finding(
        "cores", State.OK, f"{len(cores)} cores ({host.cpuset(cores)}) for server and load generator"
    )


def _limits(engine: Mapping[str, Any]) -> Finding:
    needed = {
        "MemoryLimit": "memory",
        "CpuCfsQuota": "CPU quota",
        "CPUSet": "core sets",
        "PidsLimit": "processes",
    }
    lacking = [title for key, title in needed.items() if not engine.get(key)]
    version = f"cgroup v{engine.get('CgroupVersion', '?')}"
    if lacking:
        return Finding(
            "cgroups",
            State.FAIL,
            f"{version}: the engine cannot limit {', '.join(lacking)}",
            "Rootless engines need cgroup v2 with delegated controllers (docs.docker.com/engine/security/rootless).",
        )
    return Finding("cgroups", State.OK, f"{version}, limits of memory, CPU, cores and processes")


def _disk(shell: Shell, engine: Mapping[str, Any], senses: Senses) -> Finding:
    folder = str(engine.get("DockerRootDir", ""))
    free = senses.free_bytes(Path(folder))
    if free is None:
        return Finding(
            "disk", State.WARN, f"{folder} of the engine cannot be seen from here", "`docker system df`"
        )
    needed = WARM_GB if has_image(shell, "serverlab/app:dev") else COLD_GB
    what = f"{free / 1e9:.1f} GB free in {folder}, {needed} GB needed"
    if free < needed * 1e9:
        return Finding("disk", State.FAIL, what, "Make room; `docker system df` shows what the engine holds.")
    return Finding("disk", State.OK, what)


def _base_image(shell: Shell, machine: Machine, environment: Mapping[str, str]) -> Finding:
    named = environment.get("BASE_IMAGE", "")
    for reference in (named,) if named else (DEFAULT_BASE, BOOTSTRAPPED_BASE):
        if has_image(shell, reference):
            return Finding("base image", State.OK, f"{reference} is here")
    if named:
        return Finding(
            "base image", State.WARN, f"{named} (BASE_IMAGE) is not here", f"`docker pull {named}`"
        )
    if machine.is_superuser and debian.read_release(machine.root).distribution == "debian":
        return Finding(
            "base image", State.OK, f"{DEFAULT_BASE} will be pulled, else made from Debian's packages"
        )
    return Finding(
        "base image",
        State.WARN,
        f"{DEFAULT_BASE} has to be pulled",
        "Where that fails, name another by BASE_IMAGE.",
    )


def _engine_clock(engine: Mapping[str, Any], senses: Senses) -> Finding:
    """Compare the engine's clock with ours: in a virtual machine it may stand still while the laptop sleeps."""
    said = str(engine.get("SystemTime", ""))
    try:
        apart_s = abs(dt.datetime.fromisoformat(said[:19] + "+00:00").timestamp() - senses.now())
    except ValueError:
        return Finding("engine's clock", State.WARN, "the engine does not tell its time")
    if apart_s > CLOCK_TOLERANCE_S:
        what = f"the engine's clock and this machine's are {apart_s:.0f} s apart"
        return Finding(
            "engine's clock", State.FAIL, what, "Restart the engine (its virtual machine, if it has one)."
        )
    return Finding("engine's clock", State.OK, "agrees with this machine's")


def _leftovers(shell: Shell) -> Finding:
    commands = {
        "containers": ["docker", "ps", "--all", "--quiet", "--filter", LABEL_FILTER],
        "networks": ["docker", "network", "ls", "--quiet", "--filter", LABEL_FILTER],
        "volumes": ["docker", "volume", "ls", "--quiet", "--filter", LABEL_FILTER],
    }
    counts = {name: len(shell.run(argv).stdout.split()) for name, argv in commands.items()}
    found = [f"{count} {name}" for name, count in counts.items() if count]
    if found:
        mend = "`make down` stops a stack, `make clean` removes all that is the lab's."
        return Finding("leftovers", State.WARN, f"of the lab there are {', '.join(found)}", mend)
    return Finding("leftovers", State.OK, "none")


def _clock(root: Path, senses: Senses) -> Finding:
    """Compare the clock with the youngest thing this checkout knows: time cannot be earlier than that."""
    now = dt.datetime.fromtimestamp(senses.now(), dt.UTC)
    known = max((path.stat().st_mtime for path in _dated(root)), default=0.0)
    behind_s = known - senses.now()
    if behind_s > CLOCK_TOLERANCE_S:
        what = f"it is {now:%Y-%m-%d %H:%M} UTC, and files of this checkout are {behind_s:.0f} s younger than that"
        return Finding(
            "clock", State.FAIL, what, "Set the clock (`timedatectl set-ntp true`): tokens expire by it."
        )
    return Finding(
        "clock", State.OK, f"{now:%Y-%m-%d %H:%M} UTC, not before the last change of this checkout"
    )


def _dated(root: Path) -> Iterator[Path]:
    for name in (".git/HEAD", ".git/index", ".git/logs/HEAD", "pyproject.toml"):
        if (root / name).is_file():
            yield root / name


def _ports(senses: Senses) -> Iterator[Finding]:
    for port, use in PORTS.items():
        if senses.port_is_free(port):
            yield Finding(f"port {port}", State.OK, f"free for {use}")
        else:
            yield Finding(
                f"port {port}",
                State.WARN,
                f"taken ({use})",
                f"`ss -ltnp 'sport = :{port}'` shows by whom; `make up` needs it, measuring does not.",
            )
