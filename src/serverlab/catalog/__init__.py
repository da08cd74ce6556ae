"""Reads what people wrote (servers, edges, workloads, experiments) and knows every name in it."""

from serverlab.catalog.breaking import make_fault_plan, read_fault_experiment
from serverlab.catalog.catalog import Catalog, breaks_things, load_catalog, load_experiments, read_experiment
from serverlab.catalog.planning import make_plan, with_a_round_more

__all__ = [
    "Catalog",
    "breaks_things",
    "load_catalog",
    "load_experiments",
    "make_fault_plan",
    "make_plan",
    "read_experiment",
    "read_fault_experiment",
    "with_a_round_more",
]
