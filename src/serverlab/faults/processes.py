"""Processes of a stack's containers: found, signalled and looked at again from within their own namespace."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import docker.errors

from serverlab.compose import Container
from serverlab.errors import TrialFailed
from serverlab.faults.fault import Scene
from serverlab.probe import answered

TABLE = """
import json, os, pathlib
rows = []
for folder in pathlib.Path("/proc").iterdir():
    if folder.name.isdigit() and int(folder.name) != os.getpid():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_bytes().replace(b"\\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        rows.append([int(folder.name), int(fields[1]), fields[0], int(fields[19]), words])
print(json.dumps(sorted(rows, key=lambda row: row[3])))
"""
"""Every process but this one: id, parent, state, when it was started, command line; the oldest first."""

SIGNAL = """
import os, signal, sys
number = getattr(signal, sys.argv[1])
for pid in sys.argv[2:]:
    os.kill(int(pid), number)
"""

DEAD = {"Z", "X"}
"""States of a process that has ended and whose parent has not taken notice yet."""

INIT = 1

NOTICED_WITHIN_S = 5.0
"""How long the engine may take to notice that a container has ended; what runs in it is gone before that."""

NOTICE_PAUSE_S = 0.05

NOT_ITS_OWN = 126
"""From here on an exit code says that a program was not started, or was ended by a signal."""


@dataclass(frozen=True)
class Process:
    """A process as its own container counts it; ``started`` tells it from a later one with the same id."""

    pid: int
    parent: int
    state: str
    started: int
    command: str


@dataclass(frozen=True)
class Answerer:
    """Who answered a request: the container, the process, and that one's oldest ancestor below the init."""

    container: Container
    worker: Process
    master: Process


class CutOff(TrialFailed):
    """A script could not be run, or did not end by itself, as where its container ends."""


def run(container: Container, script: str, *arguments: str) -> str:
    """What a script for the container's own Python prints.

    Raises:
        CutOff: it was ended, or the container does not run.
        TrialFailed: it failed.
    """
    try:
        done = container.exec_run(["python3", "-I", "-S", "-c", script, *arguments])
    except docker.errors.APIError as refused:
        raise CutOff(f"{container.name}: {refused.explanation or refused}") from None
    text: str = done.output.decode(errors="replace").strip()
    if done.exit_code:
        kind = CutOff if done.exit_code >= NOT_ITS_OWN else TrialFailed
        raise kind(f"{container.name}: a script ended with {done.exit_code}: {text[-200:]}")
    return text


def processes(container: Container) -> list[Process]:
    """The container's processes that have not ended, the oldest first; none once it has stopped."""
    if not is_running(container):
        return []
    began = _began(container)
    try:
        rows = json.loads(run(container, TABLE))
    except CutOff:
        if not _ended(container, began):
            raise
        return processes(container)
    return [each for each in (Process(*row) for row in rows) if each.state not in DEAD]


def is_running(container: Container) -> bool:
    """Whether the engine says that the container runs."""
    container.reload()
    return bool(container.status == "running")


def _began(container: Container) -> str:
    """When the container was started last, as the engine has told."""
    return str(container.attrs["State"]["StartedAt"])


def _ended(container: Container, began: str) -> bool:
    """Whether the container that began then has ended, started again or not; the engine has a moment to notice."""
    give_up = time.monotonic() + NOTICED_WITHIN_S
    while is_running(container) and _began(container) == began:
        if time.monotonic() > give_up:
            return False
        time.sleep(NOTICE_PAUSE_S)
    return True


def exit_code(container: Container) -> int:
    """What the stopped container ended with."""
    container.reload()
    return int(container.attrs["State"]["ExitCode"])


def is_healthy(container: Container) -> bool:
    """Whether the container's health check is content."""
    container.reload()
    return bool(container.attrs["State"].get("Health", {}).get("Status") == "healthy")


def inner_address(container: Container) -> str:
    """Where the container is on the lab's network."""
    container.reload()
    (network,) = container.attrs["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def send(container: Container, signal: str, pids: Sequence[int]) -> None:
    """Send the signal to the processes; the container may be dead when this returns.

    Raises:
        TrialFailed: one of them is not there.
    """
    container.reload()
    began = _began(container)
    try:
        run(container, SIGNAL, signal, *map(str, pids))
    except CutOff:
        if not _ended(container, began):
            raise


def still_there(container: Container, wanted: Sequence[Process]) -> list[Process]:
    """Those of the processes that have not ended, as they are now."""
    known = {(each.pid, each.started) for each in wanted}
    return [each for each in processes(container) if (each.pid, each.started) in known]


def of_server(container: Container) -> list[Process]:
    """The server's own processes, its master first: all that descend from the first child of the init."""
    rows = processes(container)
    first = next((row for row in rows if row.parent == INIT), None)
    if first is None:
        raise TrialFailed(f"{container.name}: there is no process below the init")
    family = {first.pid}
    for row in rows:  # a child is younger than its parent
        if row.parent in family:
            family.add(row.pid)
    return [row for row in rows if row.pid in family]


def answerer(scene: Scene) -> Answerer:
    """The process that answers a request now, and its container.

    Raises:
        TrialFailed: nobody answered, or it is in none of the app's containers.
    """
    with scene.client() as client:
        told = answered(client.get, "/lab/identity").document
    if "pid" not in told:
        raise TrialFailed("the stack did not tell which process answers")
    for container in app_containers(scene):
        if container.id.startswith(str(told["hostname"])):
            family = of_server(container)
            worker = next((each for each in family if each.pid == told["pid"]), None)
            if worker is not None:
                return Answerer(container, worker, family[0])
    raise TrialFailed(f"process {told['pid']} of {told['hostname']} answered, which no app container has")


def app_containers(scene: Scene) -> list[Container]:
    """The containers of the app, always in the same order."""
    return sorted(scene.engine.containers("app"), key=lambda each: str(each.name))
