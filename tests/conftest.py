"""What holds for every test."""

import signal

import pytest
from xdist.scheduler import LoadScopeScheduling

# A shell starts background jobs with Ctrl-C ignored, and so do schedulers; children inherit that. The tests about
# Ctrl-C send it to children and have to mean it, wherever they are started from.
signal.signal(signal.SIGINT, signal.default_int_handler)

STARTING_CONTAINERS = ("tests/contract/", "tests/browser/")
NOT_ABOUT_TIME = ("test_schema.py", "test_every_target.py")
"""Of those that start containers: what is asked of a stack whatever else the machine does, and takes minutes."""


class OneForContainers(LoadScopeScheduling):
    """All containers belong to one of the processes of `make test`: there is one stack at a time on a machine."""

    def _split_scope(self, nodeid: str) -> str:
        return "containers" if nodeid.startswith(STARTING_CONTAINERS) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Who does what."""
    return OneForContainers(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what a busy machine does not change.

    The process that has no containers is done before the rest begins, which then has the machine for itself.
    """
    items.sort(key=lambda item: item.path.name not in NOT_ABOUT_TIME)
