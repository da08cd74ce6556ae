"""Percentiles of encoded histograms, on values that can be counted by hand."""

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from serverlab.histogram import Merged, Part, interval_log, latencies_of, latency_of


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


def test_tails_are_read_to_a_thousandth():
    latency = latency_of([encoded(*range(1, 1001))])
    assert (latency.p05_us, latency.p90_us, latency.p999_us, latency.max_us) == (50, 900, 999, 1000)


def test_a_percentile_is_never_below_its_share():
    """Of 101 values 99 % are 99.99, which one of them has to make 100: rounding down would flatter."""
    latency = latency_of([encoded(*range(1, 102))])
    assert (latency.p50_us, latency.p99_us, latency.p999_us) == (51, 100, 101)


PARTS = (
    Part(second=0, name="GET /a", outcome="ok", encoded=encoded(10, 20)),
    Part(second=1, name="GET /a", outcome="ok", encoded=encoded(30)),
    Part(second=1, name="GET /b, c", outcome="timeout", encoded=encoded(5000)),
    Part(second=1, name="GET /b, c", outcome="fail", encoded=encoded(7)),
    Part(second=1, name="", outcome="unsent", encoded=encoded(600)),
)


def test_parts_are_merged_as_if_there_had_been_one_histogram():
    found = latencies_of(PARTS)
    assert found.everything.latency() == latency_of([encoded(10, 20, 30, 5000, 600)])
    assert found.failed == latency_of([encoded(7)])
    assert found.by_name == {
        "GET /a": latency_of([encoded(10, 20, 30)]),
        "GET /b, c": latency_of([encoded(5000)]),
    }
    assert found.by_second == {0: latency_of([encoded(10, 20)]), 1: latency_of([encoded(30, 5000, 600)])}


def test_the_log_of_the_intervals_can_be_read_by_hdrhistogram(tmp_path):
    path = tmp_path / "trial.hlog"
    path.write_text(interval_log(PARTS, start_s=1000.0, end_s=1001.5))
    reader, read = HistogramLogReader(str(path), HdrHistogram(1, 2, 1)), []
    while (each := reader.get_next_interval_histogram()) is not None:
        read.append(
            (each.get_tag(), each.get_start_time_stamp(), each.get_end_time_stamp(), each.get_total_count())
        )
    reader.close()
    assert read == [
        ("GET_/a_ok", 1_000_000, 1_001_000, 2),
        ("GET_/a_ok", 1_001_000, 1_001_500, 1),
        ("GET_/b__c_timeout", 1_001_000, 1_001_500, 1),
        ("GET_/b__c_fail", 1_001_000, 1_001_500, 1),
        ("unsent", 1_001_000, 1_001_500, 1),
    ]


def test_the_percentile_distribution_is_in_milliseconds():
    text = Merged([encoded(1000, 2000)]).hgrm()
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    assert (rows[0], rows[2][:3], rows[-1]) == (
        ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"],
        ["1.000", "0.000000000000", "1"],
        ["2.000", "1.000000000000", "2"],
    )
    assert "#[Max     =        2.000, TotalCount     =        2.000]" in text
