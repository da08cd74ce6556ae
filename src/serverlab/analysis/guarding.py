"""Reading the rules of a guard: ``p99:+10%``, ``rps:-5%``, ``errors:+0.1pp``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from serverlab.errors import UsageError
from serverlab.formatting import did_you_mean
from serverlab.model.regressions import Metric, Rule

PATTERN = re.compile(r"(?P<metric>\w+):(?P<sign>[+-])(?P<amount>\d+(?:\.\d+)?)(?P<unit>%|pp)")
NAMES = [metric.value for metric in Metric]
HINT = (
    "A rule is METRIC:CHANGE, the change from which on it fails: p99:+10%, rps:-5%, or errors:+0.1pp "
    f"(percentage points). Metrics: {', '.join(NAMES)}."
)


def read_rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    """The rules in their order, each once.

    Raises:
        UsageError: one of them cannot be read; every mistake is listed.
    """
    wrong = [f"--fail-on {text!r}: {mistake}" for text in texts if (mistake := _mistake(text))]
    if wrong:
        raise UsageError("\n".join(wrong), HINT)
    return tuple(_rule(text) for text in dict.fromkeys(texts))


def _rule(text: str) -> Rule:
    metric, change = text.split(":")
    amount = float(change.rstrip("%p")) / 100
    return Rule(
        metric=Metric(metric), bound=amount if metric == Metric.ERRORS.value else 1 + amount, text=text
    )


def _mistake(text: str) -> str | None:
    """What is wrong with the rule, None where nothing is."""
    name = text.partition(":")[0]
    if name not in NAMES:
        return f"unknown metric {name!r}{did_you_mean(name, NAMES)}"
    found = PATTERN.fullmatch(text)
    if not found:
        return "the change is not a number with + or - before it and % or pp behind it"
    higher_is_better = Metric(name).higher_is_better
    better, unit = "+" if higher_is_better else "-", "pp" if name == Metric.ERRORS.value else "%"
    if found["sign"] == better:
        return f"{found['sign']} is for the better, which is no reason to fail"
    if found["unit"] != unit:
        return f"a change of {name} is told in {unit}" + (
            ", because there is no ratio to no errors" if unit == "pp" else ""
        )
    if float(found["amount"]) == 0 or (higher_is_better and float(found["amount"]) >= 100):
        return "such a change is none that could be told"
    return None
