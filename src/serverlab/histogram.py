"""Latency histograms behind a small interface: decode, merge exactly, read percentiles. Microseconds throughout."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

from serverlab.model.records import Latency

LOWEST_US = 1
HIGHEST_US = 120_000_000
DIGITS = 3
TICKS_PER_HALF_DISTANCE = 5


@dataclass(frozen=True)
class Part:
    """The encoded histogram of the requests of one name and outcome that began in one second of a window."""

    second: int
    name: str
    outcome: str
    encoded: str


class Merged:
    """What several histograms hold together: the counts of each bucket are added, nothing is lost."""

    def __init__(self, encoded: Iterable[str] = ()) -> None:
        """All the base64 HdrHistograms together."""
        self._all = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
        for each in encoded:
            self.add(HdrHistogram.decode(each))

    def add(self, histogram: HdrHistogram) -> None:
        """Add one more."""
        self._all.add(histogram)

    def latency(self) -> Latency:
        """The percentiles of all; absent values where they hold nothing.

        A percentile is the smallest recorded value that at least that share of the requests did not exceed
        (Gil Tene, HdrHistogram: value at percentile), exact to three significant digits.
        """
        merged, count = self._all, int(self._all.get_total_count())
        if count == 0:
            return Latency(count=0, p50_us=None, p95_us=None, p99_us=None, max_us=None, mean_us=None)
        p05, p50, p90, p95, p99, p999 = self._percentiles((50, 500, 900, 950, 990, 999))
        return Latency(
            count=count,
            p50_us=p50,
            p95_us=p95,
            p99_us=p99,
            max_us=int(merged.get_max_value()),
            mean_us=self._mean(),
            p05_us=p05,
            p90_us=p90,
            p999_us=p999,
        )

    def _percentiles(self, permille: Sequence[int]) -> list[int]:
        """The values below which so many thousandths lie, in ascending order, read in one pass."""
        merged, total = self._all, self._all.get_total_count()
        wanted = [-(-total * each // 1000) for each in permille]
        found: list[int] = []
        reached = 0
        for index, count in enumerate(merged.counts):
            reached += count
            while count and len(found) < len(wanted) and reached >= wanted[len(found)]:
                found.append(int(merged.get_highest_equivalent_value(merged.get_value_from_index(index))))
        return found

    def _mean(self) -> float:
        """The mean of all, each at the middle of its bucket; as hdrh's own, which takes long over empty buckets."""
        merged, total = self._all, 0
        for index, count in enumerate(merged.counts):
            if count:
                value = merged.get_value_from_index(index)
                width = merged.get_highest_equivalent_value(value) + 1 - value
                total += count * (value + (width >> 1))
        return float(total) / int(merged.get_total_count())

    def hgrm(self) -> str:
        """The percentile distribution in milliseconds, in HdrHistogram's text format (.hgrm), which plotters read."""
        text = io.BytesIO()
        self._all.output_percentile_distribution(text, 1000.0, TICKS_PER_HALF_DISTANCE)
        return text.getvalue().decode("ascii")


def latency_of(encoded: Iterable[str]) -> Latency:
    """The percentiles of all the base64 HdrHistograms together."""
    return Merged(encoded).latency()


@dataclass(frozen=True)
class Latencies:
    """What the parts of a window say of the requests that count as latency, and of those that do not."""

    everything: Merged
    failed: Latency
    by_name: dict[str, Latency]
    by_second: dict[int, Latency]


COUNTED = ("ok", "timeout", "unsent")
"""The outcomes that are latency: right answers, time-outs, and what had waited to be sent when the window ended."""


def latencies_of(parts: Sequence[Part]) -> Latencies:
    """All parts together, those of each request name and those of each second; each is decoded once."""
    everything, failed = Merged(), Merged()
    by_name: dict[str, Merged] = {}
    by_second: dict[int, Merged] = {}
    for part in parts:
        decoded = HdrHistogram.decode(part.encoded)
        if part.outcome not in COUNTED:
            failed.add(decoded)
            continue
        everything.add(decoded)
        by_second.setdefault(part.second, Merged()).add(decoded)
        if part.name:
            by_name.setdefault(part.name, Merged()).add(decoded)
    return Latencies(
        everything=everything,
        failed=failed.latency(),
        by_name={name: by_name[name].latency() for name in sorted(by_name)},
        by_second={second: by_second[second].latency() for second in sorted(by_second)},
    )


def interval_log(parts: Sequence[Part], *, start_s: float, end_s: float) -> str:
    """All parts as an HdrHistogram log (.hlog, format 1.2): one line for each second, tagged with name and outcome.

    Times are seconds since the epoch, the largest value of a line is in milliseconds.
    """
    lines = [
        "#[Histogram log format version 1.2]",
        f"#[StartTime: {start_s:.3f} (seconds since epoch)]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    for part in parts:
        began_s = start_s + part.second
        length_s = min(1.0, end_s - began_s)
        largest_ms = HdrHistogram.decode(part.encoded).get_max_value() / 1000
        tag = f"{part.name} {part.outcome}".strip().replace(" ", "_").replace(",", "_")
        lines.append(f"Tag={tag},{began_s:.3f},{length_s:.3f},{largest_ms:.3f},{part.encoded}")
    return "\n".join(lines) + "\n"
