"""What the lab leaves behind on a machine: `assert_clean` finds nothing, whatever ended the lab."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

from serverlab import ports
from serverlab.compose import LABEL, Engine
from serverlab.lock import LOCK

PORTS = (8000, 8443, 8089)
SCRATCH = ("/tmp/serverlab-*", "/var/tmp/serverlab-*", "/dev/shm/serverlab-*")
COMMANDS = (b"/compose/stack.yml", b"--tag=serverlab/")
"""What the command lines of processes hold that the lab starts on the machine: Compose, and builds."""


def assert_clean(engine: Engine, *, results: Path | None = None, lock: Path = LOCK) -> None:
    """Assert that nothing of the lab's is left: on the machine, in the engine and half-written in ``results``."""
    left = [*in_the_engine(engine), *on_the_machine(lock), *half_written(results)]
    assert left == [], "\n".join(left)


def in_the_engine(engine: Engine) -> Iterator[str]:
    """Containers, networks and volumes with our label."""
    yield from (f"container {each.name} of {each.labels[LABEL]}" for each in engine.containers())
    for kind in ("networks", "volumes"):
        found = getattr(engine.client, kind).list(filters={"label": LABEL})
        yield from (f"{kind} {each.name}" for each in found)


def on_the_machine(lock: Path) -> Iterator[str]:
    """Processes, scratch folders, ports that a container of ours had, and a lock that is held."""
    yield from _processes()
    yield from (
        f"folder {path}" for pattern in SCRATCH for path in Path("/").glob(pattern[1:]) if path.is_dir()
    )
    for port in PORTS:
        who = ports.taken_by(port)
        if who and "docker-proxy" in who:
            yield f"port {port}: {who}"
    if lock.exists():
        with lock.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield f"lock {lock} is held by process {file.read(20).decode().strip()}"


def half_written(results: Path | None) -> Iterator[str]:
    """Parts of files that were to take the place of others."""
    yield from (f"file {path}" for path in (results.rglob(".*.part") if results else ()))


def _processes() -> Iterator[str]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if any(sign in command for sign in COMMANDS):
            yield f"process {folder.name}: {command.replace(bytes(1), b' ').decode(errors='replace')}"
