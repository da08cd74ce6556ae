"""Rules of a guard, read or refused with what is known."""

import pytest

from serverlab.analysis.guarding import HINT, read_rules
from serverlab.errors import UsageError
from serverlab.model.regressions import Metric, Rule


@pytest.mark.parametrize(
    ("text", "metric", "bound"),
    [
        ("p99:+10%", Metric.P99, 1.1),
        ("p50:+0.5%", Metric.P50, 1.005),
        ("rps:-5%", Metric.RPS, 0.95),
        ("cpu_ms:+300%", Metric.CPU_MS, 4.0),
        ("errors:+0.1pp", Metric.ERRORS, 0.001),
    ],
)
def test_a_rule_is_a_metric_and_a_bound(text, metric, bound):
    assert read_rules([text]) == (Rule(metric=metric, bound=pytest.approx(bound), text=text),)


def test_every_metric_has_rules():
    signs = {Metric.RPS: "-", Metric.PER_CPU_S: "-"}
    units = {Metric.ERRORS: "pp"}
    texts = [f"{each.value}:{signs.get(each, '+')}5{units.get(each, '%')}" for each in Metric]
    assert [rule.metric for rule in read_rules(texts)] == list(Metric)


def test_a_rule_that_is_given_twice_counts_once():
    assert [rule.text for rule in read_rules(["rps:-5%", "p99:+10%", "rps:-5%"])] == ["rps:-5%", "p99:+10%"]


NUMBER = "the change is not a number with + or - before it and % or pp behind it"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("p98:+10%", "unknown metric 'p98', did you mean 'p99'?"),
        ("", "unknown metric ''"),
        ("p99", NUMBER),
        ("p99:10%", NUMBER),
        ("p99:+10", NUMBER),
        ("p99:+1e1%", NUMBER),
        ("p99:+10% ", NUMBER),
        ("p99:-10%", "- is for the better, which is no reason to fail"),
        ("rps:+5%", "+ is for the better, which is no reason to fail"),
        ("errors:+10%", "a change of errors is told in pp, because there is no ratio to no errors"),
        ("p99:+10pp", "a change of p99 is told in %"),
        ("p99:+0%", "such a change is none that could be told"),
        ("per_cpu_s:+5%", "+ is for the better, which is no reason to fail"),
        ("per_cpu_s:-100%", "such a change is none that could be told"),
        ("rps:-100%", "such a change is none that could be told"),
    ],
)
def test_what_is_no_rule_is_refused_with_what_is_known(text, mistake):
    with pytest.raises(UsageError) as refused:
        read_rules([text])
    assert refused.value.what == f"--fail-on {text!r}: {mistake}"
    assert refused.value.hint == HINT
    assert "Metrics: rps, p50, p95, p99, errors, cpu_ms, per_cpu_s, memory." in HINT


def test_all_mistakes_are_told_together():
    with pytest.raises(UsageError) as refused:
        read_rules(["p99:+10", "rps:-5%", "rps:+5%"])
    assert refused.value.what == (
        f"--fail-on 'p99:+10': {NUMBER}\n--fail-on 'rps:+5%': + is for the better, which is no reason to fail"
    )
