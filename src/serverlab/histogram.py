"""Latency histograms behind a small interface: decode, merge exactly, read percentiles. Microseconds throughout."""

from __future__ import annotations

from collections.abc import Iterable

from hdrh.histogram import HdrHistogram

from serverlab.model.records import Latency

LOWEST_US = 1
HIGHEST_US = 120_000_000
DIGITS = 3


def latency_of(encoded: Iterable[str]) -> Latency:
    """The percentiles of all the base64 HdrHistograms together; absent values where they hold nothing.

    A percentile is the smallest recorded value that at least that share of the requests did not exceed
    (Gil Tene, HdrHistogram: value at percentile), exact to three significant digits.
    """
    merged = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for each in encoded:
        merged.decode_and_add(each)
    count = int(merged.get_total_count())
    if count == 0:
        return Latency(count=0, p50_us=None, p95_us=None, p99_us=None, max_us=None, mean_us=None)
    p05, p50, p95, p99 = (int(merged.get_value_at_percentile(share)) for share in (5, 50, 95, 99))
    return Latency(
        count=count,
        p50_us=p50,
        p95_us=p95,
        p99_us=p99,
        max_us=int(merged.get_max_value()),
        mean_us=float(merged.get_mean_value()),
        p05_us=p05,
    )
