"""Experiments that break things: what the shipped ones try, for how long, and what is wrong in others."""

from __future__ import annotations

import msgspec
import pytest

from serverlab import store
from serverlab.catalog import load_catalog, read_fault_experiment
from serverlab.catalog.breaking import fault_files, fault_mistakes, ids_of
from serverlab.cli.context import CHECKOUT
from serverlab.faults import FAULTS
from serverlab.runner.breaking import NO_CORES, plan_faults, seconds_left
from serverlab.runner.cell import cell_settings

CATALOG = load_catalog(CHECKOUT)
NAMES = [path.stem for path in fault_files(CHECKOUT)]
PUBLISHED = sorted((CHECKOUT / "results/reference/faults").iterdir())


def shipped(name):
    return read_fault_experiment(CHECKOUT / f"experiments/{name}.toml", CATALOG, FAULTS)


def planned(experiment):
    wanted = {each: FAULTS[each] for each in ids_of(experiment.faults, FAULTS)}
    return plan_faults(CATALOG, experiment, wanted, name="shipped", experiment_hash="")


def replicas_of(plan, cell):
    settings = cell_settings(
        CATALOG,
        CATALOG.target(cell.target),
        FAULTS[cell.fault],
        cpus=plan.experiment.cpus,
        split=NO_CORES,
        label="",
        replicas=plan.experiment.replicas.get(cell.target),
    )
    return settings.replicas


def test_daphne_is_tried_with_one_replica_and_with_two():
    plan = planned(msgspec.structs.replace(shipped("faults-full"), faults=("F-01",), repetitions=1))
    daphnes = {cell.target: replicas_of(plan, cell) for cell in plan.cells if "daphne" in cell.target}
    assert daphnes == {
        "daphne:default": 1,
        "daphne:production": 1,
        "daphne:production+nginx": 1,
        "daphne:replicated+nginx": 2,
    }


def test_a_fault_that_needs_a_number_of_replicas_has_that():
    one = {"daphne:replicated+nginx": 1}
    plan = planned(
        msgspec.structs.replace(shipped("faults-full"), faults=("F-12",), targets=tuple(one), replicas=one)
    )
    assert {replicas_of(plan, cell) for cell in plan.cells} == {2}


def test_replicas_of_targets_that_are_not_tried_are_no_part_of_a_plan():
    plan = planned(msgspec.structs.replace(shipped("faults-full"), faults=("F-01",), targets=("daphne",)))
    assert plan.experiment.replicas == {}


@pytest.mark.parametrize(
    ("replicas", "mistake"),
    [
        ({"daphne:replicated+nginx": 2, "runserver+nginx": 3}, []),
        ({"daphne": 2}, ["replicas: daphne:production: several replicas need an edge"]),
        ({"daphne": 1}, []),
    ],
)
def test_several_replicas_need_an_edge(replicas, mistake):
    experiment = msgspec.structs.replace(shipped("faults"), replicas=replicas)
    assert list(fault_mistakes(experiment, CATALOG, FAULTS)) == mistake


def test_replicas_of_what_is_no_target_are_a_mistake():
    experiment = msgspec.structs.replace(shipped("faults"), replicas={"daphny": 2})
    (mistake,) = fault_mistakes(experiment, CATALOG, FAULTS)
    assert mistake.startswith("replicas: unknown server 'daphny'")


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name)
def test_runs_from_before_there_were_replicas_are_read_and_have_none(path):
    run = store.read_fault_run(path)
    assert (run.plan.experiment.replicas, run.problems, store.pending_cells(run)) == ({}, (), ())


@pytest.mark.parametrize("name", NAMES)
def test_no_shipped_experiment_goes_on_for_ever(name):
    assert shipped(name).stop.budget_s is not None


def test_the_short_set_ends_within_a_quarter_of_an_hour_and_within_its_budget():
    experiment = shipped("faults")
    plan = planned(experiment)
    estimated_s = seconds_left(plan, plan.cells)
    assert estimated_s < 15 * 60
    assert experiment.stop.budget_s >= 1.5 * estimated_s


def test_the_short_set_is_seven_faults_and_a_control():
    faults = planned(shipped("faults")).faults
    assert (len(faults), "F-00" in faults) == (8, True)
    said = (CHECKOUT / "Makefile").read_text() + (CHECKOUT / "docs/failures.md").read_text()
    assert said.count("seven faults and a control") == 2


def test_reloads_may_take_longer_than_they_are_estimated_to():
    experiment = shipped("reloads")
    plan = planned(experiment)
    assert experiment.stop.budget_s >= 3 * seconds_left(plan, plan.cells)
