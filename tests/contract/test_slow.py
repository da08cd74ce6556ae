"""Slow clients on a real stack: they are held, tell what became of each connection, and are gone afterwards."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from serverlab import compose
from serverlab.catalog import Catalog
from serverlab.cli.context import CHECKOUT
from serverlab.compose import Engine
from serverlab.faults import FAULTS
from serverlab.faults.fault import Scene
from serverlab.runner.trial import expectation
from serverlab.shell import HostShell
from tests.contract.conftest import Start

pytestmark = pytest.mark.contract
HOLD_S = 5.0
"""Long enough for slowhttptest to see that its own request goes unanswered."""


@pytest.mark.parametrize("fault", ["S-01", "S-01w"])
def test_clients_that_never_end_their_requests_hold_every_thread(
    catalog: Catalog, engine: Engine, start: Start, fault: str
) -> None:
    """Sixteen threads and forty clients: who asks meanwhile waits, and is served as soon as they have let go."""
    measured: dict[str, Any] = {}
    with start(catalog.target("gunicorn:gthread")) as settings:
        scene = Scene(
            engine=engine,
            shell=HostShell(),
            root=CHECKOUT,
            expected=expectation(catalog, settings),
            hold_s=HOLD_S,
            note=lambda _: None,
            measure=measured.update,
        )
        slow = replace(FAULTS[fault], hold_s=HOLD_S)
        with slow.inject(scene):
            time.sleep(HOLD_S)
        assert slow.left_behind(scene) is None
        assert {each.labels[compose.SERVICE_LABEL] for each in engine.containers()} == {"app"}
        with scene.client(timeout_s=5) as client:
            assert client.get("/healthz").status_code == 200
    assert measured["connections"] == measured["held_to_the_end"] == 40
    if fault == "S-01w":
        assert measured["witness_unavailable_share"] == 1
