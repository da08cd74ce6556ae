"""Who counts as a worker that may be killed, tried on processes of this machine."""

from __future__ import annotations

import secrets
import subprocess
import sys
from types import SimpleNamespace

import pytest

from serverlab.attacks.contention import _workers
from tests.unit.attacks.sites import a_stage

CHILD = "import sys; sys.stdin.read()"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}, sys.argv[1]], stdin=subprocess.PIPE)
print("started", flush=True)
print(child.wait(), flush=True)
"""


class Here:
    """A container that is this machine."""

    def exec_run(self, argv, **_options):
        done = subprocess.run([sys.executable, *argv[1:]], capture_output=True, check=False)
        return SimpleNamespace(exit_code=done.returncode, output=done.stdout + done.stderr)


@pytest.fixture
def name():
    """A word that only the processes of one test have on their command line."""
    return f"worker-{secrets.token_hex(8)}"


@pytest.fixture
def parent(name):
    """A process that has started another one and waits for it."""
    with subprocess.Popen([sys.executable, "-c", PARENT, name], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        yield process
        process.kill()


def stage_of(name):
    stage = a_stage(lambda _: None, container=Here())
    stage.expected.identity = SimpleNamespace(process=name)
    return stage


def test_a_worker_is_killed_and_its_supervisor_is_not(parent, name):
    assert _workers(stage_of(name)) == 1
    assert _workers(stage_of(name), then="kill") == 1
    assert parent.stdout.readline() == "-9\n"
    assert parent.wait(10) == 0


def test_nobody_is_a_worker_of_a_server_that_is_not_there(name):
    assert _workers(stage_of(name)) == 0
