"""Run directories: ``EXPERIMENT/RUN/{plan.json, environment.json, packages.json, ceilings.json, trials.jsonl, raw/}``.

And those of attacks: ``attacks/RUN/{environment.json, attacks.jsonl}``.
"""

from serverlab.store.finding import find_run
from serverlab.store.reading import pending, read_assault, read_ceilings, read_packages, read_run
from serverlab.store.writing import (
    append_finding,
    append_trial,
    create_assault,
    create_run,
    keep_ceiling,
    keep_packages,
    replace_plan,
    write_raw,
    write_table,
)

__all__ = [
    "append_finding",
    "append_trial",
    "create_assault",
    "create_run",
    "find_run",
    "keep_ceiling",
    "keep_packages",
    "pending",
    "read_assault",
    "read_ceilings",
    "read_packages",
    "read_run",
    "replace_plan",
    "write_raw",
    "write_table",
]
