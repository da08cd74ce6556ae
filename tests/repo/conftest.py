"""The checkout itself is what is tested here."""

from __future__ import annotations

import pytest

from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.shell import HostShell, run_checked

CATALOG = load_catalog(CHECKOUT)
TARGETS = [str(target) for target in CATALOG.targets()]
TREE = run_checked(
    HostShell(), ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=CHECKOUT
)
FILES = sorted({CHECKOUT / name for name in TREE.stdout.split("\0") if name and (CHECKOUT / name).is_file()})
"""Every file that is in the repository or would be added to it."""

DOCUMENTS = [path for path in FILES if path.suffix == ".md"]
"""What people read."""


@pytest.fixture(scope="session")
def catalog():
    return CATALOG


@pytest.fixture(scope="session")
def root():
    return CHECKOUT


@pytest.fixture(scope="session")
def files():
    return FILES


@pytest.fixture(scope="session")
def documents():
    """The text of every page, by its path below the checkout."""
    return {str(path.relative_to(CHECKOUT)): path.read_text(encoding="utf-8") for path in DOCUMENTS}


def pytest_generate_tests(metafunc):
    """Give each target, page, folder, ... a test of its own, for every test that asks for one."""
    for name, values in CASES.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, values)


CASES = {
    "target_name": TARGETS,
    "server_name": list(CATALOG.servers),
    "dockerfile": [str(path.relative_to(CHECKOUT)) for path in FILES if path.name == "Dockerfile"],
    "deployed": [*CATALOG.servers, *CATALOG.edges],
    "requirements": sorted(path.stem for path in (CHECKOUT / "requirements").glob("*.txt")),
}
