"""Numbers into text: the only place that rounds."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable

from serverlab.model.tables import Interval, Spread

ABSENT = "–"
"""Stands where there is no number."""

MICROSECONDS_PER_MS = 1000
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
"""Escape sequences of terminals, control characters, and those that turn the direction of writing."""


def significant(value: float, digits: int = 3) -> str:
    """``value`` with so many significant digits, never in exponent form: 0.412, 38.0, 1230.

    A whole number that is longer keeps zeros in place of the digits that are not significant.
    """
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{float(f'{mantissa}e{exponent}'):.{max(0, digits - 1 - int(exponent))}f}"


def exact(value: float) -> str:
    """A number that people chose, as they wrote it: 10, 1.5."""
    return f"{value:g}"


def per_second(value: float | None) -> str:
    """A rate: whole from 100 on, three significant digits below."""
    if value is None:
        return ABSENT
    text = significant(value)
    return f"{value:.0f}" if "." not in text else text


def milliseconds(value_us: float | None) -> str:
    """Microseconds as milliseconds with three significant digits."""
    return ABSENT if value_us is None else significant(value_us / MICROSECONDS_PER_MS)


def cost_ms(value_ms: float | None) -> str:
    """CPU milliseconds with three significant digits."""
    return ABSENT if value_ms is None else significant(value_ms)


def seconds(value_s: float | None) -> str:
    """Seconds with two significant digits, whole from 100 on."""
    if value_s is None:
        return ABSENT
    return f"{value_s:.0f}" if value_s >= 100 else significant(value_s, 2)


def megabytes(value_bytes: float | None) -> str:
    """Bytes as MB (a million bytes), with three significant digits below 100 and whole above."""
    return ABSENT if value_bytes is None else per_second(value_bytes / 1e6)


def amount(value: float | None) -> str:
    """A mean number of things: whole if it is one or large, else with three significant digits."""
    if value is None:
        return ABSENT
    return f"{value:.0f}" if value >= 100 or value == int(value) else significant(value)


def gibibytes(value_bytes: float) -> str:
    """Bytes as GiB with two significant digits."""
    return significant(value_bytes / 2**30, 2)


def percent(share: float | None) -> str:
    """A share of 1 as a percentage with two significant digits; 0 only where there is none, 100 % where it is all."""
    if share is None:
        return ABSENT
    if share == 0:
        return "0"
    if 0 < share < 0.0001:
        return "<0.01 %"
    if 0.9999 < share < 1:
        return ">99.99 %"
    digits = 2 if share < 0.995 else 4 if 0.9995 <= share < 1 else 3
    return f"{significant(share * 100, digits)} %"


def factor(value: float | None) -> str:
    """A ratio: two decimals, or two significant digits below 0.1 and three from 10 on."""
    if value is None:
        return ABSENT
    if value == 0 or 0.095 <= value < 9.995:
        return f"{value:.2f}"
    return significant(value, 2 if value < 1 else 3)


def estimate(value: Interval | None, show: Callable[[float], str] = factor) -> str:
    """The middle with its interval: 0.83 [0.79–0.88]."""
    return ABSENT if value is None else f"{show(value.middle)} [{show(value.low)}–{show(value.high)}]"


def ratio(value: Spread | None, interval: Interval | None) -> str:
    """The ratio with its interval, or the median alone where there are too few rounds for one."""
    return estimate(interval) if interval else factor(value.median if value else None)


def spread(value: Spread | None) -> str:
    """The median ratio with its smallest and largest: 0.83 (0.79–0.88)."""
    return ABSENT if value is None else f"{factor(value.median)} ({factor(value.low)}–{factor(value.high)})"


def points(share: float | None) -> str:
    """A difference of two shares in percentage points with its sign and two decimals: +0.12, 0."""
    if share is None:
        return ABSENT
    return f"{share * 100:+.2f}" if share else "0"


def span(low: float, high: float, show: Callable[[float], str]) -> str:
    """``low–high``, or one number where both are shown alike."""
    first, last = show(low), show(high)
    return first if first == last else f"{first}–{last}"


def coordinate(value: float) -> str:
    """A place in a picture, in tenths of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def plural(count: int, noun: str, many: str | None = None) -> str:
    """The count with its noun in the right number: 1 user, 16 users, 2 processes."""
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def numbers(values: Iterable[int]) -> str:
    """Whole numbers in order, neighbours joined: 1–3, 5."""
    runs: list[list[int]] = []
    for value in sorted(set(values)):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(span(run[0], run[-1], str) for run in runs)


def one_line(text: str) -> str:
    """The text without control characters and colours, white space squeezed: safe in a table or terminal."""
    return " ".join(CONTROL.sub(" ", text).split())


def harmless(text: str) -> str:
    """The lines of the text without control characters and colours, tabs as they are: safe in a terminal."""
    return "\n".join(
        "\t".join(CONTROL.sub("", part) for part in line.split("\t")) for line in text.split("\n")
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``", did you mean 'x'?"`` for the nearest of the known names, or "" where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""
