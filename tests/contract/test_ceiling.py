"""The generator's ceiling on real containers: measured once in a run, kept, and far above a slow server."""

from __future__ import annotations

from pathlib import Path

import msgspec

from serverlab import analysis, store
from serverlab.compose import Engine
from serverlab.model.ceilings import Connections
from serverlab.model.tables import DoubtKind
from tests.contract.calibration import Calibration, make_checkout

USERS = 8
SERVICE_S = 0.020


def test_a_run_measures_what_its_generator_can_ask_and_a_slow_server_uses_little_of_it(
    engine: Engine, tmp_path: Path
) -> None:
    """Each answer takes 20 ms, so that eight users get 400 per second at most; nginx gives a multiple of that."""
    lab = Calibration(engine, make_checkout(tmp_path), unbuilt={})
    measured = lab.measure("steady", users=USERS, warmup_s=0.5, duration_s=2.0)
    (kept,) = store.read_ceilings(measured.folder).ceilings
    assert kept.setup == measured.trial.setup
    assert (kept.setup.users, kept.setup.connections, kept.reason) == (USERS, Connections.KEPT, None)
    assert kept.rps is not None
    assert kept.generator_cores is not None
    assert kept.rps > 3 * USERS / SERVICE_S
    assert 0.2 < kept.generator_cores <= 1.1
    assert measured.row.ceiling_share is not None
    assert 0 < measured.row.ceiling_share.median < 1 / 3
    assert engine.labels() == set()

    run = store.read_run(measured.folder)
    low = msgspec.structs.replace(kept, rps=measured.load.ok / measured.load.window_s)
    near = msgspec.structs.replace(run, ceilings=msgspec.structs.replace(run.ceilings, ceilings=(low,)))
    (section,) = analysis.tabulate(near).sections
    assert DoubtKind.NEAR_CEILING in {doubt.kind for doubt in section.doubts}
