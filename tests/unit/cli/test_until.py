"""What `--until` and `--budget` may say."""

import pytest

from serverlab.cli.until import read_until
from serverlab.errors import UsageError
from serverlab.model.records import Until


@pytest.mark.parametrize(
    ("rule", "column", "within"),
    [
        ("ratio ±5%", "ratio", 0.05),
        ("ratio 5 %", "ratio", 0.05),
        ("ratio +-2.5%", "ratio", 0.025),
        ("rps +/- 10%", "rps", 0.1),
        ("ratio±5%", "ratio", 0.05),
    ],
)
def test_a_rule_is_a_column_and_its_precision(rule, column, within):
    assert read_until(rule, None) == Until(column=column, within=within, budget_s=3600.0)


@pytest.mark.parametrize(("budget", "seconds"), [("60min", 3600.0), ("90 s", 90.0), ("1.5h", 5400.0)])
def test_a_budget_has_a_unit(budget, seconds):
    assert read_until("ratio ±5%", budget).budget_s == seconds


def test_without_a_rule_no_round_is_added():
    assert read_until(None, None) is None


@pytest.mark.parametrize(
    "rule", ["", "ratio", "5%", "p99 ±5%", "ratio ±0%", "ratio ±101%", "ratio ±5", "ratio -5%"]
)
def test_another_rule_is_refused_with_an_example(rule):
    with pytest.raises(UsageError) as refused:
        read_until(rule, None)
    assert refused.value.what == f"--until {rule!r}: not a column and its precision"
    assert refused.value.hint == "For example --until 'ratio ±5%', or 'rps ±5%'."


@pytest.mark.parametrize("budget", ["", "60", "0min", "an hour", "-5min"])
def test_another_budget_is_refused_with_an_example(budget):
    with pytest.raises(UsageError) as refused:
        read_until("ratio ±5%", budget)
    assert refused.value.what == f"--budget {budget!r}: not a time"


def test_a_budget_for_nothing_is_refused():
    with pytest.raises(UsageError, match="there is nothing to spend it on"):
        read_until(None, "60min")
