"""What holds for every test."""

import signal

import pytest
from xdist.scheduler import LoadScopeScheduling

# A shell starts background jobs with Ctrl-C ignored, and so do schedulers; nohup has a closed terminal ignored.
# Children inherit that. The tests about these signals send them to children and have to mean it, wherever they are
# started from.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

STARTING_CONTAINERS = ("tests/contract/", "tests/browser/")
NOT_ABOUT_TIME = (
    "tests/contract/test_every_target.py",
    "tests/browser/test_docs_page.py",
    "tests/contract/test_images.py",
    "tests/contract/test_database.py",
    "tests/contract/test_edge.py",
)
"""Of those that start containers: what is asked of a stack whatever else the machine does, and takes minutes."""

FORGIVING = ("tests/browser/test_page.py",)
"""Those that a machine may delay by a second: they come while the process without containers is about to end."""


class OneForContainers(LoadScopeScheduling):
    """All containers belong to one of the processes of `make test`: there is one stack at a time on a machine."""

    def _split_scope(self, nodeid: str) -> str:
        return "containers" if nodeid.startswith(STARTING_CONTAINERS) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Who does what."""
    return OneForContainers(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what a busy machine does not change; end each stack with what changes its rows, and then what ends it.

    The process that has no containers is done before the rest begins, which then has the machine for itself.
    """
    begun: dict[object, int] = {}
    for item in items:
        begun.setdefault(_stack_of(item), len(begun))
    items.sort(
        key=lambda item: (
            _turn(item.nodeid.partition("::")[0]),
            begun[_stack_of(item)],
            item.get_closest_marker("ends_stack") is not None,
            item.get_closest_marker("leaves_rows") is not None,
        )
    )


def _turn(path: str) -> int:
    return 0 if path in NOT_ABOUT_TIME else 1 if path in FORGIVING else 2


def _stack_of(item: pytest.Item) -> object:
    """What the tests of one stack have in common; a test without one has it with nobody."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return (item.path, params["stack"]) if "stack" in params else item.nodeid


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Do not look for unused snapshots when the tests were broken off: syrupy warns then, and a warning is an error."""
    if exitstatus == pytest.ExitCode.INTERRUPTED:
        session.config.option.disable_unused_snapshots = True
