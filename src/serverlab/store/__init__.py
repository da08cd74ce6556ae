"""Run directories: ``EXPERIMENT/RUN/{plan.json, environment.json, trials.jsonl, raw/}``."""

from serverlab.store.finding import find_run
from serverlab.store.reading import pending, read_run
from serverlab.store.writing import append_trial, create_run, write_raw, write_table

__all__ = ["append_trial", "create_run", "find_run", "pending", "read_run", "write_raw", "write_table"]
