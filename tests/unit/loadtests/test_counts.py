import random

import pytest
from hdrh.histogram import HdrHistogram

from shared.counts import CAP_US, DIGITS, FLOOR_US, Counts


@pytest.mark.parametrize("largest_us", [2_000, 60_000, CAP_US])
def test_counts_make_the_histogram_that_had_recorded_each_value(largest_us):
    """Nothing is lost that HdrHistogram keeps: the encodings are equal, byte for byte."""
    choose = random.Random(largest_us)  # noqa: S311 - not a secret
    values_us = [choose.randint(FLOOR_US, largest_us) for _ in range(2_000)]
    counts, histogram = Counts(), HdrHistogram(FLOOR_US, CAP_US, DIGITS)
    for value_us in values_us:
        counts.add(value_us / 1e6)
        histogram.record_value(value_us)
    assert counts.total == 2_000
    assert counts.encoded() == histogram.encode().decode("ascii")


def test_few_buckets_are_kept_however_many_values_there_are():
    """A second of a busy server does not grow without bound."""
    counts = Counts()
    for latency_us in range(1_000_000, 2_000_000, 7):
        counts.add(latency_us / 1e6)
    assert len(counts) < 2_100


def test_nothing_is_a_histogram_too():
    assert HdrHistogram.decode(Counts().encoded()).get_total_count() == 0
