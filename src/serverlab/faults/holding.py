"""Every connection that the database takes, held by sessions of ours within its container."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from serverlab.faults import postgres
from serverlab.faults.fault import Scene, await_effect, await_undone
from serverlab.faults.processes import processes, run, send

MARK = "serverlab-holder"
STATE = "/tmp/serverlab-holder"  # noqa: S108 - the container's own tmpfs
WITHIN_S = 20.0
PAUSE_S = 0.2

HOLD = """
import os, pathlib, subprocess, sys, time
mark, state = sys.argv[1:]
command = ["psql", "-X", "-q", "-A", "-t", "-h", "/run/postgresql", "-U", "lab", "-d", "lab"]
others = f"backend_type = 'client backend' AND application_name <> '{mark}'"

def session():
    return subprocess.Popen(
        command, env=os.environ | {"PGAPPNAME": mark}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )

def ask(statement):
    control.stdin.write(statement + ";\\n")
    control.stdin.flush()
    return int(control.stdout.readline())

control = session()
most = ask("SHOW max_connections")
held = []
while True:
    mine = ask(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{mark}'")
    ended = ask(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}")
    pathlib.Path(state).write_text(f"{mine} {ended} {most}")
    held = [each for each in held if each.poll() is None]
    full = mine == most and not ended
    held += [] if full else [session() for _ in range(4)]
    time.sleep(0.5 if full else 0.05)
"""
"""Takes whatever is free and ends the sessions of others, until none of theirs is left and nothing is free."""

SEEN = """
import pathlib, sys
path = pathlib.Path(sys.argv[1])
print(path.read_text() if path.exists() else "")
"""


@contextmanager
def held(scene: Scene, *, most: int) -> Iterator[str]:
    """Hold all ``most`` connections while the block runs; say so once the database refuses others.

    Raises:
        NotEffective: they could not all be had.
        NotUndone: on leaving the block, the database still refuses.
    """
    container = postgres.container_of(scene)
    environment = {"PGPASSWORD": scene.settings.database_password}
    command = ["python3", "-I", "-S", "-c", HOLD, MARK, STATE]
    scene.acted()
    try:
        container.exec_run(command, environment=environment, detach=True)
        yield await_effect(
            f"{most} connections are held", lambda: _full(scene, most), within_s=WITHIN_S, pause_s=PAUSE_S
        )
    finally:
        holders = [each.pid for each in processes(container) if MARK in each.command]
        if holders:
            send(container, "SIGKILL", holders)  # its sessions end with their standard input
        scene.lifted()
        postgres.await_ready(scene)


def others_are_back(scene: Scene) -> None:
    """Wait until no session is ours any more."""
    ours = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{MARK}'"  # noqa: S608 - a name of ours
    await_undone(
        "no connection is held", lambda: "none" if postgres.sql(scene, ours) == "0" else None, pause_s=PAUSE_S
    )


def _full(scene: Scene, most: int) -> str | None:
    """That all connections are held and none is another's, or None."""
    found = run(postgres.container_of(scene), SEEN, STATE).split()
    if found != [str(most), "0", str(most)]:
        return None
    return f"all {most} connections are held; the database refuses others"
