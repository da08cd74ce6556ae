"""Something that a server needs is used up: room for files, or numbers for open ones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from serverlab.faults.direct import address_of, close_all, connect_all, established
from serverlab.faults.fault import Fault, NotEffective, Scene
from serverlab.faults.processes import app_containers, is_running, run
from serverlab.model.faults import Rule
from serverlab.probe import Expectation

FILL = """
import errno, sys
with open(sys.argv[1], "wb", buffering=0) as file:
    block, written = b"x" * (1 << 20), 0
    while len(block):
        try:
            written += file.write(block)
        except OSError as full:
            if full.errno != errno.ENOSPC:
                raise
            block = block[: len(block) // 2]
print(written)
"""
"""Writes until not a byte more can be written, and says how many could."""

REMOVE = "import os, sys; os.path.lexists(sys.argv[1]) and os.remove(sys.argv[1])"
EXISTS = "import os, sys; print(os.path.lexists(sys.argv[1]))"
FILE = "/tmp/serverlab-fills-this-disk"  # noqa: S108 - the container's own tmpfs
OPEN_FILES = """
import os
def opened(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0
print(max(opened(pid) for pid in os.listdir("/proc") if pid.isdigit()))
"""
FILES = 96
"""compose/few-files.yml"""

SPARE = 8
"""So many may still be free where a process takes up nothing more: some keep a few back, some open them in pairs."""

REACHED_WITHIN_S = 5.0


@dataclass(frozen=True, kw_only=True)
class DiskFull(Fault):
    """Nothing more can be written to the containers' /tmp."""

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Fill it, and remove what filled it."""
        containers = app_containers(scene)
        scene.acted()
        try:
            written = [int(run(container, FILL, FILE)) for container in containers]
            if not all(written):
                raise NotEffective("not a byte could be written, it was full before")
            yield f"{sum(written) >> 20} MiB more have filled it"
        finally:
            for container in filter(is_running, containers):  # with one that ended its file is gone
                run(container, REMOVE, FILE)
            scene.lifted()

    def left_behind(self, scene: Scene) -> str | None:
        """The file."""
        running = filter(is_running, app_containers(scene))
        there = [str(each.name) for each in running if run(each, EXISTS, FILE) != "False"]
        return f"{', '.join(there)}: /tmp is still full" if there else None


@dataclass(frozen=True, kw_only=True)
class FilesOpen(Fault):
    """``connections`` idle ones are opened to a server that may have 96 open files (compose/few-files.yml).

    A server that takes up no more connections than it works on leaves the others in the kernel's backlog, where they
    cost it nothing: its limit is not reached, and the cell says so.
    """

    connections: int = 200

    def stack(self) -> Mapping[str, Any]:
        """The overlay with the limit."""
        return {"overlays": ("few-files.yml",)}

    def applicable(self, expected: Expectation) -> str | None:
        """Asked of a server alone: an edge would hold the connections itself."""
        if expected.edge is not None:
            return "the edge holds the connections, and not the server"
        return super().applicable(expected)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Open them, say nothing on them, and close them."""
        address = address_of(scene)
        scene.acted()
        held = connect_all(address, self.connections)
        try:
            opened = self._await_all(scene)
            there = established(held)
            scene.measure(open_files=opened, connections=there)
            yield f"a process of the server has {opened} files open, {there} connections are there"
        finally:
            close_all(held)
            scene.lifted()

    def _await_all(self, scene: Scene) -> int:
        """How many files a process has open once it may not open more.

        Raises:
            NotEffective: none comes near to it.
        """
        give_up, most = time.monotonic() + REACHED_WITHIN_S, 0
        while most < FILES - SPARE:
            if time.monotonic() > give_up:
                raise NotEffective(f"the limit is not reached: at most {most} of {FILES} files are open")
            most = max(int(run(container, OPEN_FILES)) for container in app_containers(scene))
        return most


FAULTS = (
    DiskFull(
        id="F-30",
        title="disk full",
        what="The file system for temporary files is filled to the last byte.",
        hold_s=10.0,
        rule=Rule(failures_at_most=0, longest_gap_s=2.0),
    ),
    FilesOpen(
        id="F-31",
        title="open files used up",
        what="200 idle connections to a server that may have 96 files open.",
        hold_s=10.0,
        rule=Rule(longest_gap_s=6.0),
    ),
)
