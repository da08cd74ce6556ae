"""Latencies of one kind, counted as an HdrHistogram counts them and turned into one when they are handed on.

HdrHistogram's pure Python takes microseconds for each value and 150 kB for each histogram; a dictionary takes a tenth
of both, which is what makes one of them for every second, name and outcome possible.
"""

from __future__ import annotations

from collections import defaultdict

from hdrh.histogram import HdrHistogram

FLOOR_US = 1
CAP_US = 120_000_000
DIGITS = 3
EXACT_BITS = 11
"""HdrHistogram with three digits keeps the first eleven bits of a value (2048 sub-buckets)."""


class Counts(defaultdict[int, int]):
    """How often each latency was seen: microseconds, cut to the lowest value of their bucket, to their number."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        super().__init__(int)

    def add(self, latency_s: float) -> None:
        """Count one latency; none is below a microsecond or above two minutes."""
        latency_us = min(max(round(latency_s * 1e6), FLOOR_US), CAP_US)
        cut = max(0, latency_us.bit_length() - EXACT_BITS)
        self[latency_us >> cut << cut] += 1

    @property
    def total(self) -> int:
        """How many were seen."""
        return sum(self.values())

    def encoded(self) -> str:
        """The HdrHistogram of all of them, compressed, in base64: equal to one that had recorded each of them."""
        histogram = HdrHistogram(FLOOR_US, CAP_US, DIGITS)
        for latency_us, count in self.items():
            histogram.record_value(latency_us, count)
        return str(histogram.encode().decode("ascii"))
