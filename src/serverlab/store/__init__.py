"""Run directories: ``EXPERIMENT/RUN/{plan.json, environment.json, packages.json, ceilings.json, trials.jsonl, raw/}``.

``assaults`` tells of those of attacks, ``fault_runs`` of those with faults.
"""

from serverlab.store.assaults import append_finding, create_assault, read_assault
from serverlab.store.fault_runs import (
    append_cell,
    append_journal,
    create_fault_run,
    left_on,
    pending_cells,
    read_fault_run,
    write_ledger,
)
from serverlab.store.finding import find_fault_run, find_run
from serverlab.store.reading import pending, read_ceilings, read_packages, read_run
from serverlab.store.writing import (
    append_trial,
    create_run,
    keep_ceiling,
    keep_packages,
    line_of,
    replace_plan,
    write_raw,
    write_table,
)

__all__ = [
    "append_cell",
    "append_finding",
    "append_journal",
    "append_trial",
    "create_assault",
    "create_fault_run",
    "create_run",
    "find_fault_run",
    "find_run",
    "keep_ceiling",
    "keep_packages",
    "left_on",
    "line_of",
    "pending",
    "pending_cells",
    "read_assault",
    "read_ceilings",
    "read_fault_run",
    "read_packages",
    "read_run",
    "replace_plan",
    "write_ledger",
    "write_raw",
    "write_table",
]
