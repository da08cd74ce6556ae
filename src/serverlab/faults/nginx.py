"""The edge of a stack, looked at and changed from within its own container."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from serverlab.compose import Container
from serverlab.errors import TrialFailed
from serverlab.faults.fault import NotEffective, Scene, await_effect, await_undone
from serverlab.faults.processes import Process, processes, run, send
from serverlab.formatting import plural

SERVICE = "edge"
CONFIGURATION = "/tmp/nginx/nginx.conf"  # noqa: S108 - the container's own tmpfs
RELOADED = "nginx has other workers"
RELOADED_WITHIN_S = 10.0
PAUSE_S = 0.25
"""Between two looks into the container: each of them costs the stack some of its processor."""

NO_ROOM = "No space left on device"

REWRITE = """
import json, pathlib, sys
path, changes = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
text = before = path.read_text()
for old, new in changes.items():
    if old not in text:
        sys.exit(f"{old!r} is not in {path}")
    text = text.replace(old, new)
path.with_suffix(".before").write_text(before)
path.write_text(text)
"""
RESTORE = """
import pathlib, sys
path = pathlib.Path(sys.argv[1])
before = path.with_suffix(".before")
if before.exists():
    before.replace(path)
"""


def container_of(scene: Scene) -> Container:
    """The edge's container."""
    return scene.engine.service(SERVICE)


def master(container: Container) -> Process:
    """Its master process.

    Raises:
        TrialFailed: there is none.
    """
    found = [each for each in processes(container) if each.command.startswith("nginx: master process")]
    if not found:
        raise TrialFailed(f"{container.name}: there is no master process of nginx")
    return found[0]


def workers(container: Container) -> list[Process]:
    """Its worker processes that take connections: those on their way out are left out."""
    return [
        each
        for each in processes(container)
        if each.command.startswith("nginx: worker process") and "shutting down" not in each.command
    ]


def reload(container: Container, *, told: Callable[[], None] = lambda: None) -> str:
    """Have nginx read its configuration again, and return once other workers take connections.

    ``told`` is called as soon as nginx has been told to.

    Raises:
        NotEffective: they do not in time.
    """
    others = _told_anew(container, told)
    return await_effect(RELOADED, others, within_s=RELOADED_WITHIN_S, pause_s=PAUSE_S)


def put_back(container: Container, *, told: Callable[[], None] = lambda: None) -> str:
    """As reload, for an undo: the configuration's file is as it was.

    Raises:
        NotUndone: no other workers take connections in time.
    """
    others = _told_anew(container, told)
    return await_undone(RELOADED, others, within_s=RELOADED_WITHIN_S, pause_s=PAUSE_S)


def _told_anew(container: Container, told: Callable[[], None]) -> Callable[[], str | None]:
    """Have nginx read its configuration again, and return what tells whether other workers have come."""
    before = workers(container)
    send(container, "SIGHUP", [master(container).pid])
    told()
    return lambda: replaced(container, before)


def replaced(container: Container, before: list[Process]) -> str | None:
    """That none of the workers of before is left and as many have come, or None."""
    old, now = {each.pid for each in before}, {each.pid for each in workers(container)}
    if old & now or len(now) != len(old):
        return None
    return f"worker {_named(old)} went, {_named(now)} came"


@contextmanager
def rewritten(container: Container, changes: Mapping[str, str]) -> Iterator[None]:
    """Have the configuration's file changed while the block runs; nginx is not told of it, nor of its undo.

    Raises:
        TrialFailed: a text that is to be replaced is not in it.
    """
    try:
        run(container, REWRITE, CONFIGURATION, json.dumps(dict(changes)))
        yield
    finally:
        run(container, RESTORE, CONFIGURATION)


def logged(container: Container, text: str) -> int:
    """How many of its log lines have the text."""
    return sum(text in line for line in container.logs().decode(errors="replace").splitlines())


@contextmanager
def has_room(scene: Scene) -> Iterator[None]:
    """Have an edge, where there is one, keep whole answers in its temporary files while the block runs.

    Raises:
        NotEffective: on leaving the block, it says in its log that there was no room for one.
    """
    if scene.expected.edge is None:
        yield
        return
    container = container_of(scene)
    before = logged(container, NO_ROOM)
    yield
    if short := logged(container, NO_ROOM) - before:
        raise NotEffective(f"the edge gave up {plural(short, 'answer')}: {NO_ROOM} in its log")


def _named(pids: set[int]) -> str:
    return ", ".join(map(str, sorted(pids)))
