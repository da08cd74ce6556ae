"""Percentiles of encoded histograms, on values that can be counted by hand."""

import pytest
from hdrh.histogram import HdrHistogram

from serverlab.histogram import latency_of


def encoded(*values_us):
    histogram = HdrHistogram(1, 120_000_000, 3)
    for value in values_us:
        histogram.record_value(value)
    return histogram.encode().decode("ascii")


def test_percentiles_are_the_values_that_so_many_requests_did_not_exceed():
    latency = latency_of([encoded(*range(1, 101))])
    assert (latency.count, latency.p50_us, latency.p95_us, latency.p99_us, latency.max_us) == (
        100,
        50,
        95,
        99,
        100,
    )
    assert latency.mean_us == pytest.approx(50.5)


def test_histograms_are_merged_before_percentiles_are_read():
    low, high = encoded(*[10] * 98), encoded(1000, 2000)
    latency = latency_of([low, high])
    assert (latency.count, latency.p50_us, latency.p99_us, latency.max_us) == (100, 10, 1000, 2000)


def test_one_request_is_every_percentile():
    latency = latency_of([encoded(700)])
    assert {latency.p50_us, latency.p95_us, latency.p99_us, latency.max_us} == {700}


def test_long_latencies_are_exact_to_three_digits():
    assert latency_of([encoded(10_000_000)]).p50_us == pytest.approx(10_000_000, rel=1e-3)


@pytest.mark.parametrize("nothing", [[], [encoded()]])
def test_where_nothing_was_recorded_every_value_is_absent(nothing):
    latency = latency_of(nothing)
    assert latency.count == 0
    assert {latency.p50_us, latency.p95_us, latency.p99_us, latency.max_us, latency.mean_us} == {None}
