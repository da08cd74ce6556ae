"""The app on PostgreSQL in the place of SQLite."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from serverlab import probe
from serverlab.catalog import Catalog
from serverlab.compose import Database, Engine, StackSettings
from serverlab.runner.trial import expectation


@pytest.mark.parametrize("target", ["gunicorn:gthread", "daphne:production+nginx"])
def test_postgresql_serves_the_same_answers(
    target: str,
    start: Callable[..., AbstractContextManager[StackSettings]],
    catalog: Catalog,
    engine: Engine,
) -> None:
    with start(catalog.target(target), database=Database.POSTGRES) as settings:
        proof = probe.prove(engine, expectation(catalog, settings))
    assert probe.failed_checks(proof) == []
    assert proof.identity["database"] == "postgresql"
