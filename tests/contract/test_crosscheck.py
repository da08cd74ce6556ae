"""The other generators against a real stack: a short cross-check gives numbers of the same order from each of them."""

import pytest

from serverlab import host
from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.model.crosscheck import Tool
from serverlab.runner import Lab
from serverlab.runner.crosscheck import PACES, start_crosscheck
from serverlab.shell import HostShell
from serverlab.store.crosschecks import read_crosscheck
from tests.unit.builders import GTHREAD, a_workload, an_environment
from tests.unit.crosschecks import a_cross_plan

SAME_ORDER = 3.0
"""Measured for seconds on a machine that does other things, too: agreement is for a cross-check of its own."""


@pytest.mark.contract
@pytest.mark.timeout(300)
def test_each_tool_measures_the_same_stack(engine, tmp_path):
    class Elsewhere(Lab):
        @property
        def results(self):
            return tmp_path

    plan = a_cross_plan(targets=(GTHREAD,), workload=a_workload(warmup_s=1.0, duration_s=2.0), rounds=1)

    def describe(name, splits):
        return an_environment(run=name, core_splits=dict(splits))

    shell, catalog = HostShell(), load_catalog(CHECKOUT)
    lab = Elsewhere(root=CHECKOUT, shell=shell, engine=engine, catalog=catalog, say=print)
    path = start_crosscheck(lab, plan, cores=host.cores_of(engine), describe=describe)
    made = read_crosscheck(path).measurements
    assert len(made) == sum(map(len, PACES.values()))
    seen = [each for each in made if each.tool not in (Tool.OURS, Tool.AGAIN) and each.rate is None]
    assert {each.tool for each in seen} == {Tool.WRK, Tool.H2LOAD}
    assert {(each.void, each.reading.failed) for each in seen} == {((), 0)}
    rates = [each.reading.rps for each in made if each.reading is not None and each.rate is None]
    assert max(rates) < SAME_ORDER * min(rates)
    assert engine.containers() == []
