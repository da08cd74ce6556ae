"""Run directories: ``EXPERIMENT/RUN/{plan.json, environment.json, trials.jsonl, raw/}``.

And those of attacks: ``attacks/RUN/{environment.json, attacks.jsonl}``.
"""

from serverlab.store.finding import find_run
from serverlab.store.reading import pending, read_assault, read_run
from serverlab.store.writing import (
    append_finding,
    append_trial,
    create_assault,
    create_run,
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
    "pending",
    "read_assault",
    "read_run",
    "replace_plan",
    "write_raw",
    "write_table",
]
