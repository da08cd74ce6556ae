"""One lab at a time on a machine."""

import os
import subprocess
import sys

import pytest

from serverlab.errors import EnvironmentLacks
from serverlab.lock import only_lab


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lab.lock"


def test_a_second_lab_is_refused_with_the_first_ones_process(path):
    with only_lab(path), pytest.raises(EnvironmentLacks) as refused, only_lab(path):
        pytest.fail("two labs at once")
    assert refused.value.what == (
        f"another lab is at work on this machine (process {os.getpid()}, lock {path})"
    )
    assert refused.value.hint == "Wait for it to end, or stop it: two labs would measure each other."


def test_the_lock_is_free_after_the_block(path):
    with only_lab(path):
        pass
    with only_lab(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_the_lock_is_free_after_an_error(path):
    with pytest.raises(KeyboardInterrupt), only_lab(path):
        raise KeyboardInterrupt
    with only_lab(path):
        pass


def test_a_file_that_a_killed_lab_left_behind_is_no_lock(path):
    path.write_text("999999999999\n")
    with only_lab(path):
        assert path.read_text() == f"{os.getpid()}\n"


DIES = """
import os, sys
from pathlib import Path
from serverlab.lock import only_lab
with only_lab(Path(sys.argv[1])):
    os._exit(9)
"""


def test_the_kernel_frees_the_lock_of_a_lab_that_dies(path):
    assert subprocess.run([sys.executable, "-c", DIES, path], check=False).returncode == 9
    with only_lab(path):
        pass


def test_a_child_does_not_hold_the_lock_on_after_the_lab(path):
    with only_lab(path):
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    try:
        with only_lab(path):
            pass
    finally:
        child.communicate()


def test_a_lock_that_cannot_be_opened_is_told_like_any_lack_of_the_machine(tmp_path):
    path = tmp_path / "file" / "lab.lock"
    path.parent.touch()
    with pytest.raises(EnvironmentLacks) as lacking, only_lab(path):
        pytest.fail("no lock")
    assert lacking.value.what == f"{path}: the lock cannot be opened: Not a directory"
