"""Run directories: ``EXPERIMENT/RUN/{plan.json, environment.json, packages.json, ceilings.json, trials.jsonl, raw/}``.

And those of attacks: ``attacks/RUN/{environment.json, attacks.jsonl}``; ``fault_runs`` tells of those with faults.
"""

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
from serverlab.store.reading import pending, read_assault, read_ceilings, read_packages, read_run
from serverlab.store.writing import (
    append_finding,
    append_trial,
    create_assault,
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
