"""Runs that are killed while they write, and gone on with: ``python -m tests.killed FOLDER STRIDE WORDS...``.

For each point (or every STRIDE-th) at which the run writes, or waits for a stack or its load, a child process makes the
run and kills itself there with SIGKILL, and another one goes on with it. Both have a checkout of their own in
FOLDER/POINT, and a lab without containers. A line of JSON tells how they ended. What the killed one left is in
FOLDER/POINT/killed, and FOLDER/POINT/measured has a line for each measurement that either of them made.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import scipy.stats  # noqa: F401 - before the first child begins: to import it in each of them would take most of the time

from serverlab.cli.context import CHECKOUT, Context
from serverlab.cli.main import main
from serverlab.compose import Engine
from serverlab.shell import HostShell
from tests.checkout import make_checkout, write
from tests.fake_app import FakeApp, serving
from tests.fake_capacity import EXPERIMENT, carrying
from tests.fake_lab import FakeLab
from tests.functional.conftest import DOCKER

MOMENTS = [f"{what} {number}" for what in ("up", "load", "window") for number in range(1, 9)]
A_DAY_S = 86_400
SEARCH = EXPERIMENT.replace("1e9", "5e5").replace("[0.5, 0.9]", "[]")
"""A search of three trials for each target, which carries more than is asked for."""


@dataclass
class Fuse:
    """Burns down by one at each point, and kills the process when nothing is left."""

    left: float

    def burn(self) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


def outcomes_of(folder: Path, words: Sequence[str], *, stride: int) -> dict[Path, dict[str, Any]]:
    """What kill_at_points tells, by each point's checkout; in a process of its own, because this one has threads."""
    made = HostShell().run(
        [sys.executable, "-m", "tests.killed", str(folder), str(stride), *words], cwd=CHECKOUT, timeout_s=110
    )
    assert made.ok, made.stderr
    found = [json.loads(line) for line in made.stdout.splitlines()]
    return {folder / str(outcome["point"]): outcome for outcome in found}


def whole_lines(run: Path) -> list[bytes]:
    """The trials of the run in this folder that were saved wholly, each as its line."""
    lines = (run / "trials.jsonl").read_bytes().splitlines(keepends=True)
    return [line for line in lines if line.endswith(b"\n")]


def kill_at_points(folder: Path, stride: int, words: Sequence[str]) -> Iterator[dict[str, Any]]:
    """How the children of each point ended, until one gets to its end before it is killed."""
    for point in count(step=stride):
        root = make_checkout(folder / str(point))
        write(root, "experiments/capacity.toml", SEARCH)
        killed = in_a_child(lambda root=root, point=point: call(root, words, fuse=Fuse(point)))
        if killed != -signal.SIGKILL:
            yield {"point": point, "code": killed}
            return
        yield {"point": point, "code": killed, **gone_on_with(root, words)}


def gone_on_with(root: Path, words: Sequence[str]) -> dict[str, Any]:
    """Keep what is there, go on with it (or begin anew where no run had begun), and tell how that ended."""
    shutil.copytree(root / "results", root / "killed")
    runs = [plan.parent for plan in root.glob("results/*/*/plan.json")]
    again = [words[0], "--resume", str(runs[0])] if runs else words
    return {"began": bool(runs), "resumed": in_a_child(lambda: call(root, again, fuse=Fuse(float("inf"))))}


def in_a_child(work: Callable[[], int]) -> int:
    """The exit code of a child process that does the work, negative where a signal killed it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 99
    try:
        code = work()
    finally:
        os._exit(code)


def call(root: Path, words: Sequence[str], *, fuse: Fuse) -> int:
    """Call the command line on a lab without containers, with the fuse burning; its output goes nowhere."""
    app = FakeApp()
    with serving(app), burning(fuse), (root / "output").open("a") as sys.stdout:
        sys.stderr = sys.stdout
        fake = FakeLab(root, app)
        fake.shell.script |= DOCKER
        fake.result = carrying(1e6, closed=1.15e6)
        fake.trouble |= dict.fromkeys(MOMENTS, fuse.burn)
        fake.trouble |= {f"measured {number}": lambda: note(root, fuse) for number in range(1, 9)}
        context = Context(
            root=root,
            shell=fake.shell,
            connect=lambda _shell: Engine(fake.client, secrets=root / "secrets"),
            lock=root / "lab.lock",
        )
        return main(words, context=context)


def note(root: Path, fuse: Fuse) -> None:
    with (root / "measured").open("a") as file:
        file.write("measured\n")
    fuse.burn()


@contextmanager
def burning(fuse: Fuse) -> Iterator[None]:
    """Within the block the fuse burns before, in the middle of and after each write, and before it becomes final.

    A run that is begun anew gets another name than the one before it, as if it were begun a day later.
    """
    write, sync, replace, gmtime = os.write, os.fsync, Path.replace, time.gmtime

    def torn_write(descriptor: int, content: bytes) -> int:
        fuse.burn()
        half = write(descriptor, content[: len(content) // 2])
        fuse.burn()
        return half + write(descriptor, content[half:])

    def late_sync(descriptor: int) -> None:
        fuse.burn()
        sync(descriptor)

    def late_replace(path: Path, target: Path) -> Path:
        fuse.burn()
        return replace(path, target)

    later = 0 if fuse.left < float("inf") else A_DAY_S
    os.write, os.fsync, Path.replace = torn_write, late_sync, late_replace
    time.gmtime = lambda: gmtime(time.time() + later)
    yield  # the process ends with the block


if __name__ == "__main__":
    for outcome in kill_at_points(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]):
        print(json.dumps(outcome), flush=True)
