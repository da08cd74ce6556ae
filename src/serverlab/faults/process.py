"""Faults of processes: they are killed, frozen, stopped, reloaded, or crash by what the app does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serverlab.compose import Container
from serverlab.faults.fault import Fault, NotEffective, Scene, await_effect, await_undone
from serverlab.faults.processes import (
    Answerer,
    Process,
    answerer,
    app_containers,
    exit_code,
    is_running,
    of_server,
    processes,
    send,
    still_there,
)
from serverlab.probe import answered

FROZEN = {"T", "t"}
RELOADED_WITHIN_S = 40.0
PAUSE_S = 0.25
"""Between two looks into a container: each of them costs it some of its processor."""


@dataclass(frozen=True, kw_only=True)
class Nothing(Fault):
    """No fault at all: whatever such a cell shows is the lab's own doing."""

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Look who answers, as the faults do that are injected."""
        yield f"process {answerer(scene).worker.pid} answers, and nothing is done to it"


@dataclass(frozen=True, kw_only=True)
class Killed(Fault):
    """The worker that answers, or its master, is killed and has no time to do anything about it.

    ``overlays`` are laid over the stack: ``restart.yml`` has the engine start again what ends.
    """

    whom: Callable[[Answerer], Process]
    overlays: tuple[str, ...] = ()

    def stack(self) -> Mapping[str, Any]:
        """The overlays."""
        return {"overlays": self.overlays}

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Send the signal; nothing is undone, a process that was killed is its supervisor's to replace."""
        found = answerer(scene)
        victim = self.whom(found)
        before = of_server(found.container)
        scene.acted()
        send(found.container, "SIGKILL", [victim.pid])
        scene.lifted()
        gone = await_effect(f"SIGKILL to process {victim.pid}", lambda: _end_of([victim], found.container))
        scene.measure(processes_before=len(before), survivors=len(still_there(found.container, before)))
        yield gone


@dataclass(frozen=True, kw_only=True)
class Crash(Fault):
    """The app ends the process that answers a request for ``path``."""

    path: str

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Ask for it once; nothing is undone."""
        before = {container: of_server(container) for container in app_containers(scene)}
        with scene.client() as client:
            scene.acted()
            scene.lifted()  # the request is the cause: its answer may be waited for until a process has been replaced
            answer = answered(client.get, self.path)
        said = f"{self.path} was answered with {answer.status}" if answer.status else "the answer was cut off"
        yield await_effect(
            f"a process that {self.path} ends ({said})",
            lambda: next((seen for at, old in before.items() if (seen := _any_end_of(old, at))), None),
        )


@dataclass(frozen=True, kw_only=True)
class Frozen(Fault):
    """The worker that answers, or its master, does nothing at all for as long as the fault is held."""

    whom: Callable[[Answerer], Process]

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Stop the process as a debugger does, and let it go on."""
        found = answerer(scene)
        victim, container = self.whom(found), found.container
        scene.acted()
        send(container, "SIGSTOP", [victim.pid])
        try:
            yield await_effect(f"process {victim.pid} frozen", lambda: _state(container, victim, frozen=True))
        finally:
            if still_there(container, [victim]):
                send(container, "SIGCONT", [victim.pid])
            scene.lifted()
            await_undone(f"process {victim.pid} thawed", lambda: _state(container, victim, frozen=False))

    def left_behind(self, scene: Scene) -> str | None:
        """A process that is frozen, in any of the app's containers."""
        return still_frozen(scene)


@dataclass(frozen=True, kw_only=True)
class Reload(Fault):
    """The server is told to replace its workers while requests come in; replicas are told in turn."""

    needs: tuple[str, ...] = ("reload",)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Send the signal that the server's definition names; nothing is undone."""
        signal = scene.expected.server.signals.reload or "SIGHUP"
        seen = []
        scene.acted()
        for container in app_containers(scene):
            before = of_server(container)
            container.kill(signal=signal)
            scene.lifted()
            seen.append(_await_replaced(container, before, signal))
        yield f"{signal}: {'; '.join(seen)}"


def still_frozen(scene: Scene) -> str | None:
    """That a process in one of the app's containers is stopped, or None."""
    rows = [row for container in app_containers(scene) for row in processes(container)]
    return next((f"process {row.pid} is still frozen" for row in rows if row.state in FROZEN), None)


def the_worker(found: Answerer) -> Process:
    """The process that answered."""
    return found.worker


def the_master(found: Answerer) -> Process:
    """The oldest process of the server, which the init has started."""
    return found.master


def _end_of(victims: list[Process], container: Container) -> str | None:
    """That all of the processes are gone, or None."""
    if still_there(container, victims):
        return None
    pids = ", ".join(str(each.pid) for each in victims)
    return f"process {pids} is gone{_and_the_container(container)}"


def _any_end_of(before: list[Process], container: Container) -> str | None:
    """Which of the processes is gone, or None while all are there."""
    alive = {each.pid for each in still_there(container, before)}
    gone = [each for each in before if each.pid not in alive]
    return _end_of(gone, container) if gone else None


def _and_the_container(container: Container) -> str:
    return "" if is_running(container) else f", and its container ended with {exit_code(container)}"


def _state(container: Container, victim: Process, *, frozen: bool) -> str | None:
    """That the process is frozen (or is not, or is gone), or None while it is otherwise."""
    now = still_there(container, [victim])
    if not now:
        return None if frozen else f"process {victim.pid} is gone"
    if (now[0].state in FROZEN) is not frozen:
        return None
    return f"process {victim.pid} is in state {now[0].state}"


def _await_replaced(container: Container, before: list[Process], signal: str) -> str:
    """That all workers were replaced; where some outlive the patience, how many.

    Raises:
        NotEffective: none was.
    """
    try:
        return await_effect(
            f"{signal}: workers replaced",
            lambda: _replaced(container, before),
            within_s=RELOADED_WITHIN_S,
            pause_s=PAUSE_S,
        )
    except NotEffective:
        left = len(still_there(container, _workers(before)))
        if left == len(_workers(before)):
            raise
        return (
            f"{left} of {len(_workers(before))} old processes are still there after {RELOADED_WITHIN_S:g} s"
        )


def _workers(before: list[Process]) -> list[Process]:
    """All but the master, which may live through it; it alone where there is nobody else."""
    return before[1:] or before


def _replaced(container: Container, before: list[Process]) -> str | None:
    """That every worker of before is gone and others have come, or that the container has ended; None until then."""
    if not is_running(container):
        return f"the container ended with {exit_code(container)}"
    known = {(each.pid, each.started) for each in before}
    old = {(each.pid, each.started) for each in _workers(before)}
    now = {(each.pid, each.started) for each in of_server(container)}
    come = now - known
    if old & now or not come:
        return None
    return f"{len(come)} processes came, {len(known - now)} went"
