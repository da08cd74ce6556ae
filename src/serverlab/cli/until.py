"""What `--until` and `--budget` say, and what cannot be said beside `--resume`."""

from __future__ import annotations

import re

from serverlab.analysis.precision import COLUMNS
from serverlab.errors import UsageError
from serverlab.model.records import Until

RULE = re.compile(r"(?P<column>[a-z0-9]+)\s*(?:±|\+/?-)?\s*(?P<percent>\d+(?:\.\d+)?)\s*%")
TIME = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>s|min|h)")
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
BUDGET = "60min"


def read_until(rule: str | None, budget: str | None) -> Until | None:
    """The rule for adding rounds, None where there is none.

    Raises:
        UsageError: one of them cannot be understood, or there is a budget without a rule.
    """
    if rule is None:
        if budget is not None:
            raise UsageError(f"--budget {budget}: there is nothing to spend it on", "Say --until, too.")
        return None
    match = RULE.fullmatch(rule.strip())
    if not match or match["column"] not in COLUMNS or not 0 < float(match["percent"]) <= 100:
        raise UsageError(
            f"--until {rule!r}: not a column and its precision",
            "For example --until 'ratio ±5%', or 'rps ±5%'.",
        )
    return Until(
        column=match["column"],
        within=float(match["percent"]) / 100,
        budget_s=_seconds(BUDGET if budget is None else budget),
    )


def _seconds(budget: str) -> float:
    match = TIME.fullmatch(budget.strip())
    if not match or not float(match["number"]):
        raise UsageError(f"--budget {budget!r}: not a time", "For example --budget 60min, 90s or 2h.")
    return float(match["number"]) * SECONDS[match["unit"]]


def refuse_beside_resume(**options: object) -> None:
    """Raise UsageError where an option is set that says how a run begins: one that is resumed has begun."""
    said = ", ".join(f"--{name}" for name, value in options.items() if value not in (None, ()))
    if said:
        raise UsageError(f"{said}: --resume goes on as it began", "Leave it out, or start a new one.")
