"""A run that breaks things and is killed while it writes can be gone on with, and every cell is there once."""

from __future__ import annotations

import signal
import sys

import pytest

from serverlab import store
from serverlab.cli.context import Context
from serverlab.cli.main import main
from serverlab.compose import Engine
from serverlab.faults import FAULTS
from tests.checkout import make_checkout
from tests.fake_app import FakeApp, serving
from tests.fake_breaking import PLENTY, BreakableLab, StubFault
from tests.functional.conftest import DOCKER
from tests.killed import Fuse, burning, in_a_child

STRIDE = 3
"""Of the points at which a run writes, every so many-th is tried."""


def call(root, words, *, fuse):
    """Call the command line on a lab without containers; its output goes nowhere."""
    FAULTS["F-00"] = StubFault()
    app = FakeApp()
    with serving(app), burning(fuse), (root / "output").open("a") as sys.stdout:
        sys.stderr = sys.stdout
        fake = BreakableLab(root, app)
        fake.shell.script |= DOCKER
        context = Context(
            root=root,
            shell=fake.shell,
            connect=lambda _shell: Engine(fake.client, secrets=fake.root / "secrets"),
            lock=root / "lab.lock",
            clock=fake.time.clock,
            machine=PLENTY,
        )
        return main(words, context=context)


def killed_at(root, point):
    """How the run ended that is killed there, and the folders of the runs that it left."""
    make_checkout(root)
    code = in_a_child(lambda: call(root, ["faults", "--experiment", "breaking"], fuse=Fuse(point)))
    return code, [plan.parent for plan in root.glob("results/breaking/*/faults.json")]


@pytest.mark.timeout(300)
def test_wherever_it_is_killed_every_cell_is_there_once_in_the_end(tmp_path):
    point, code, begun = 0, -signal.SIGKILL, 0
    while code == -signal.SIGKILL:
        root = tmp_path / str(point)
        code, runs = killed_at(root, point)
        for path in runs:
            begun += 1
            ended = in_a_child(lambda: call(root, ["faults", "--resume", str(path)], fuse=Fuse(float("inf"))))  # noqa: B023
            run = store.read_fault_run(path)
            assert (ended, sorted(cell.planned.id for cell in run.cells)) == (
                0,
                sorted(each.id for each in run.plan.cells),
            )
            assert all("cut short or damaged" in problem.message for problem in run.problems)
            assert list(store.left_on(root / "results")) == []
        point += STRIDE
    assert code == 0
    assert begun > 5
