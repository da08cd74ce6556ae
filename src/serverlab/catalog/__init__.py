"""Reads what people wrote (servers, edges, workloads, experiments) and knows every name in it."""

from serverlab.catalog.catalog import Catalog, load_catalog, load_experiments, read_experiment
from serverlab.catalog.planning import make_plan, with_a_round_more

__all__ = ["Catalog", "load_catalog", "load_experiments", "make_plan", "read_experiment", "with_a_round_more"]
