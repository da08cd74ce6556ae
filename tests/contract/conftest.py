"""Running stacks for the contract tests: real images, real engine, one stack at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pytest

from serverlab import compose, host, probe, seeding
from serverlab.catalog import Catalog, load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.compose import Cache, Database, Engine, StackSettings
from serverlab.lock import only_lab
from serverlab.model.definitions import Target
from serverlab.shell import HostShell

CATALOG = load_catalog(CHECKOUT)
Start = Callable[..., AbstractContextManager[StackSettings]]

# What uWSGI's quickstart does not hold is published (docs/findings.md, docs/servers.md), not mended: that variant shows
# what `--http` does as installed. Not strict, because which request meets a closed connection is chance.
KNOWN_FAILURES = {
    (
        "test_schema",
        "uwsgi:default",
    ): "a request line above 4096 bytes, and a body that nobody reads, end the connection without an answer",
    **{
        (
            module,
            "uwsgi:default+nginx",
        ): "the router closes connections that nginx keeps, without saying so: any request may be 502"
        for module in ("test_every_target", "test_schema", "test_attacks")
    },
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the known failures."""
    for item in items:
        for (module, target), why in KNOWN_FAILURES.items():
            if item.path.stem == module and re.search(rf"\[{re.escape(target)}[\]-]", item.name):
                item.add_marker(pytest.mark.xfail(reason=why, strict=False))


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return CATALOG


@pytest.fixture(scope="session")
def engine() -> Engine:
    engine = compose.connect(HostShell())
    assert not engine.labels(), "a stack is up: `make down` first"
    return engine


@pytest.fixture(scope="session")
def start(engine: Engine) -> Start:
    """A function that starts a stack, waits until it is ready, and removes it when its block ends.

    The machine is the stack's alone while it is up: two at a time would be one too many, in tests as well.
    """

    @contextmanager
    def started(
        target: Target,
        *,
        cpus: int = 1,
        replicas: int | None = None,
        database: Database = Database.SQLITE,
        cache: Cache = Cache.DATABASE,
        realtime: bool = False,
        app: Mapping[str, str] | None = None,
        shared_data: bool = True,
    ) -> Iterator[StackSettings]:
        settings = StackSettings(
            target=target,
            protocol=CATALOG.variant(target).protocol,
            cpus=cpus,
            replicas=CATALOG.replicas(target, cpus=cpus, wanted=replicas),
            split=host.assign_cores(cpus, host.cores_of(engine)),
            label="contract",
            database=database,
            cache=cache,
            realtime=realtime,
            app=app or {},
            shared_data=shared_data,
        )
        with only_lab():
            try:
                compose.up(HostShell(), engine, CHECKOUT, settings)
                probe.wait_ready(engine, settings)
                seeding.store_passwords(engine, settings)
                yield settings
            finally:
                engine.remove_all()

    return started


@pytest.fixture(scope="module", params=[str(target) for target in CATALOG.targets()])
def stack(request: pytest.FixtureRequest, start: Start) -> Iterator[StackSettings]:
    """Each target of the catalog in turn, running."""
    with start(CATALOG.target(request.param)) as settings:
        yield settings


@pytest.fixture
def url(engine: Engine, stack: StackSettings) -> str:
    return probe.front_url(engine, stack)
