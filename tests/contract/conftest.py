"""Running stacks for the contract tests: real images, real engine, one stack at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pytest

from serverlab import compose, host, probe, seeding
from serverlab.catalog import Catalog, load_catalog
from serverlab.catalog.stacks import started_together
from serverlab.cli.context import CHECKOUT
from serverlab.compose import Cache, Database, Engine, StackSettings
from serverlab.lock import only_lab
from serverlab.model.definitions import Target
from serverlab.model.stacks import Proxied
from serverlab.shell import HostShell

CATALOG = load_catalog(CHECKOUT)
Start = Callable[..., AbstractContextManager[StackSettings]]


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
        workers: int | None = None,
        database: Database = Database.SQLITE,
        cache: Cache = Cache.DATABASE,
        realtime: bool = False,
        app: Mapping[str, str] | None = None,
        shared_data: bool = True,
        proxied: Proxied | None = None,
    ) -> Iterator[StackSettings]:
        settings = StackSettings(
            target=target,
            protocol=CATALOG.variant(target).protocol,
            keeps_connections=CATALOG.variant(target).keeps_connections,
            cpus=cpus,
            replicas=CATALOG.replicas(target, cpus=cpus, wanted=replicas),
            split=host.assign_cores(cpus, host.cores_of(engine)),
            label="contract",
            database=database,
            cache=cache,
            realtime=realtime,
            app=app or {},
            workers=workers,
            shared_data=shared_data,
            proxied=proxied,
        )
        with only_lab():
            try:
                compose.up(HostShell(), engine, CHECKOUT, started_together(settings))
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
