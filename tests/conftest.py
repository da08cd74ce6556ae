"""What holds for every test."""

import signal
from pathlib import Path

import pytest

# A shell starts background jobs with Ctrl-C ignored, and so do schedulers; children inherit that. The tests about
# Ctrl-C send it to children and have to mean it, wherever they are started from.
signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).parent
STARTING_CONTAINERS = (TESTS / "contract", TESTS / "browser")
NOT_ABOUT_TIME = ("test_schema.py", "test_every_target.py")
"""Of those that start containers: what is asked of a stack whatever else the machine does, and takes minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave all containers to one of the two processes of `make test`: there is one stack at a time on a machine.

    It begins with what a busy machine does not change. The other process is done with all other tests by then, and
    whatever is about time has the machine for itself.
    """
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in STARTING_CONTAINERS):
            item.add_marker(pytest.mark.xdist_group("containers"))
    items.sort(key=lambda item: item.path.name not in NOT_ABOUT_TIME)
