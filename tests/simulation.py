"""What the statistics cover and how often they raise a false alarm, found out by simulation.

``python -m tests.simulation`` prints the tables of docs/decisions/0012, ``--write`` puts them there. Seeds are fixed.
"""

from __future__ import annotations

import enum
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

from serverlab import stats
from serverlab.analysis.precision import SETTLED
from serverlab.formatting import percent, plural
from serverlab.reports.markdown import grid

Logs = NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, ...]], Logs]
"""Logarithms of ratios around a true one of 0, in units of the usual noise."""

PAGE = Path(__file__).parents[1] / "docs" / "decisions" / "0012-intervals-are-students.md"
HEADING = "## What the simulation found"

ROUNDS = (3, 5, 7, 10, 15, 20)
RUNS = 20_000
BCA_ROUNDS = (5, 10, 20, 50, 100, 200)
BCA_RUNS = 1000
STOP_RUNS = 4000
LONGEST = 60
SECTIONS = 100_000
AT_ONCE = 10_000
SECTIONS_STOPPED = 20_000
ALARM_COLUMNS = [(rows, rounds) for rows in (1, 4, 11) for rounds in (3, 5, 10)]
SHARE_OF_SPELLS = 0.15


class Rule(enum.StrEnum):
    """By which rule a section shows a difference, and what its rows are compared with."""

    ALONE = "each row alone"
    HOLM = "Holm"
    OWN = "Holm, each row against one of its own"
    FLOOR = "Holm, noise floor"


def even(draw: np.random.Generator, shape: tuple[int, ...]) -> Logs:
    """Normal noise."""
    return draw.normal(size=shape)


def _spells(draw: np.random.Generator, shape: tuple[int, ...], mean: float) -> Logs:
    return (draw.random(shape) < SHARE_OF_SPELLS) * draw.exponential(mean, size=shape)


def spells(draw: np.random.Generator, shape: tuple[int, ...]) -> Logs:
    """The machine has slow spells, which fall on either trial of a pair."""
    return draw.normal(size=shape) - _spells(draw, shape, 3) + _spells(draw, shape, 3)


def drift(draw: np.random.Generator, shape: tuple[int, ...]) -> Logs:
    """The machine's speed wanders, the farther the longer it takes from one trial of a pair to the other."""
    apart = draw.integers(1, 6, size=shape)
    return draw.normal(size=shape) + draw.normal(size=shape) * np.sqrt(apart) * 0.7


def heavy(draw: np.random.Generator, shape: tuple[int, ...]) -> Logs:
    """Student's distribution with 3 degrees of freedom: now and then a ratio is far off."""
    return draw.standard_t(3, size=shape)


def lopsided(draw: np.random.Generator, shape: tuple[int, ...]) -> Logs:
    """Only one of the two has slow spells, of its own."""
    return draw.normal(size=shape) - _spells(draw, shape, 1.5) + SHARE_OF_SPELLS * 1.5


def very_lopsided(draw: np.random.Generator, shape: tuple[int, ...]) -> Logs:
    """As lopsided, spells twice as long."""
    return draw.normal(size=shape) - _spells(draw, shape, 3) + SHARE_OF_SPELLS * 3


def two_values(draw: np.random.Generator, shape: tuple[int, ...]) -> Logs:
    """Each ratio is one of two, with little noise around them."""
    return draw.normal(size=shape) * 0.3 + np.where(draw.random(shape) < 0.5, 1.0, -1.0)


PROMISED: dict[str, Noise] = {
    "even": even,
    "spells": spells,
    "drift": drift,
    "heavy tails": heavy,
    "lopsided": lopsided,
}
"""What intervals are meant to hold for."""

NOT_PROMISED: dict[str, Noise] = {"very lopsided": very_lopsided, "two values": two_values}
"""Where they do not, and by how much."""

NOISES = PROMISED | NOT_PROMISED


def student_coverage(noise: Noise, rounds: int) -> float:
    """The share of Student's intervals at 95 % that hold the truth."""
    logs = noise(np.random.default_rng(rounds), (RUNS, rounds))
    return float(np.mean(np.abs(logs.mean(axis=1)) <= half_widths(logs)))


def half_widths(logs: Logs) -> Logs:
    """Half of ``stats.student`` for each line of rounds."""
    rounds = logs.shape[-1]
    quantile = stdtrit(rounds - 1, (1 + stats.CONFIDENCE) / 2)
    return np.asarray(quantile * logs.std(axis=-1, ddof=1) / math.sqrt(rounds))


def bca_coverage(noise: Noise, rounds: int) -> float:
    """The share of BCa intervals at 95 % that hold the truth."""
    low, high = bca_ends(noise(np.random.default_rng(rounds), (BCA_RUNS, rounds)))
    return float(np.mean((low <= 0) & (high >= 0)))


def bca_ends(logs: Logs) -> tuple[Logs, Logs]:
    """The ends of ``stats.bca`` for each line; all lines at once, as each of them is resampled by the same numbers."""
    means = logs @ _shares(logs.shape[1]).T
    apart = logs - logs.mean(axis=1, keepdims=True)
    acceleration = (apart**3).sum(axis=1) / (6 * (apart**2).sum(axis=1) ** 1.5)
    middle = logs.mean(axis=1, keepdims=True)
    below = ((means < middle).mean(axis=1) + (means <= middle).mean(axis=1)) / 2
    bias, means = ndtri(below), np.sort(means, axis=1)
    tails = (1 - stats.CONFIDENCE) / 2, (1 + stats.CONFIDENCE) / 2
    low, high = (_quantiles(means, _corrected(bias, acceleration, ndtri(tail))) for tail in tails)
    return low, high


def _shares(rounds: int) -> Logs:
    """The share of each round in the mean of each resample."""
    drawn = np.random.default_rng(1).integers(0, rounds, (stats.RESAMPLES, rounds))
    shares, lines = np.zeros(drawn.shape), np.arange(stats.RESAMPLES)
    for column in drawn.T:
        shares[lines, column] += 1 / rounds
    return shares


def _corrected(bias: Logs, acceleration: Logs, quantile: float) -> Logs:
    """B. Efron, "Better Bootstrap Confidence Intervals", JASA 82 (1987), 171-185, formula 2.3."""
    shifted = bias + quantile
    return np.asarray(ndtr(bias + shifted / (1 - acceleration * shifted)))


def _quantiles(lines: Logs, shares: Logs) -> Logs:
    """A quantile of each sorted line, interpolated linearly."""
    place = shares * (lines.shape[1] - 1)
    below = np.minimum(place.astype(int), lines.shape[1] - 2)
    rows = np.arange(len(lines))
    return np.asarray(lines[rows, below] + (place - below) * (lines[rows, below + 1] - lines[rows, below]))


def stopped_coverage(noise: Noise, scale: float, *, first: int) -> float:
    """The share that holds the truth where rounds were added until the interval was within ±5 %, LONGEST at most.

    ``scale`` is the standard deviation of the logarithms, ``first`` the number of rounds from which on it may stop.
    """
    logs = noise(np.random.default_rng(first), (STOP_RUNS, LONGEST))
    logs = logs * (scale / logs.std())
    stopped = covered = np.zeros(STOP_RUNS, dtype=bool)
    for rounds in range(first, LONGEST + 1):
        half = half_widths(logs[:, :rounds])
        stops = ((np.expm1(half) <= 0.05) | (rounds == LONGEST)) & ~stopped
        covered = covered | (stops & (np.abs(logs[:, :rounds].mean(axis=1)) <= half))
        stopped = stopped | stops
    return float(covered.mean())


def false_alarms(noise: Noise, rule: Rule, *, rows: int, rounds: int) -> float:
    """The share of sections of equals that show any difference.

    Every trial has noise of this kind, also a lopsided one, since equals have the same.
    """
    draw = np.random.default_rng(rows * 100 + rounds)
    alarms = 0
    for _ in range(SECTIONS // AT_ONCE):
        logs, control = equals(noise, draw, (AT_ONCE, rows, rounds), own=rule is Rule.OWN)
        floor = reach(control) if rule is Rule.FLOOR else 0.0
        alarms += int(shown(logs, floor, corrected=rule is not Rule.ALONE).any(axis=1).sum())
    return alarms / SECTIONS


def equals(
    noise: Noise, draw: np.random.Generator, shape: tuple[int, int, int], *, own: bool = False
) -> tuple[Logs, Logs]:
    """The logarithms of ratios of sections, rows and rounds, and of each section's control.

    All rows of a section have one reference, or each has its ``own``, as for gains by cores.
    """
    sections, rows, rounds = shape
    of, again = noise(draw, shape), noise(draw, (sections, 1, rounds))
    to = noise(draw, (sections, rows if own else 1, rounds))
    return of - to, again - to[:, :1]


def reach(control: Logs) -> Logs:
    """``differences.reach_of`` for the interval of each section's control."""
    return np.asarray(np.abs(control.mean(axis=2)) + half_widths(control))


def shown(logs: Logs, floor: Logs | float, *, corrected: bool = True) -> NDArray[np.bool_]:
    """For each row of each section whether ``compare_all`` shows a difference; uncorrected, whether it is no tie."""
    _, rows, rounds = logs.shape
    means = np.abs(logs.mean(axis=2))
    distances = means / (logs.std(axis=2, ddof=1) / math.sqrt(rounds))
    if not corrected:
        return np.asarray(distances > stdtrit(rounds - 1, (1 + stats.CONFIDENCE) / 2))
    order = np.argsort(-distances, axis=1)
    steps = stdtrit(rounds - 1, 1 - (1 - stats.CONFIDENCE) / 2 / np.arange(rows, 0, -1))
    passed = np.logical_and.accumulate(np.take_along_axis(distances, order, axis=1) >= steps, axis=1)
    rejected = np.zeros(passed.shape, dtype=bool)
    np.put_along_axis(rejected, order, passed, axis=1)
    return np.asarray(rejected & (means > floor))


def stopped_alarms(noise: Noise, rule: Rule, scale: float, *, rows: int) -> float:
    """The share of sections of equals that show a difference where rounds were added.

    They were added from SETTLED on until every row was within ±5 %, LONGEST at most; ``scale`` is as above.
    """
    logs, control = equals(noise, np.random.default_rng(rows), (SECTIONS_STOPPED, rows, LONGEST))
    going = np.concatenate([logs, control], axis=1) * (scale / logs.std())
    alarms = 0
    for rounds in range(SETTLED, LONGEST + 1):
        part, again = going[:, :-1, :rounds], going[:, -1:, :rounds]
        stops = (np.expm1(half_widths(part)) <= 0.05).all(axis=1) | (rounds == LONGEST)
        floor = reach(again[stops]) if rule is Rule.FLOOR else 0.0
        alarms += int(shown(part[stops], floor).any(axis=1).sum())
        going = going[~stops]
    return alarms / SECTIONS_STOPPED


def tables() -> Iterator[str]:
    """All of them, as Markdown."""
    yield from student_table()
    yield from ("", f"The same of BCa, {BCA_RUNS} runs each:", "")
    yield from _grid("noise", BCA_ROUNDS, bca_coverage, NOISES)
    yield from ("", *stopped_table(), "", *alarm_table(), "", *stopped_alarm_table())


def student_table() -> Iterator[str]:
    """How much Student's interval covers."""
    yield f"How often Student's interval at 95 % holds the truth, by the number of rounds, {RUNS} runs each:"
    yield ""
    yield from _grid("noise", ROUNDS, student_coverage, NOISES)


def stopped_table() -> Iterator[str]:
    """How much it covers with rounds added until it is narrow."""
    yield (
        "How often it does where rounds were added until it was within ±5 %, by the standard deviation of a round and "
        f"the first number of rounds that it may stop at, {STOP_RUNS} runs each, {LONGEST} rounds at most:"
    )
    yield ""
    columns = [(scale, first) for scale in (0.05, 0.09, 0.15) for first in (3, SETTLED)]
    rows = (
        [name, *(_percent(stopped_coverage(noise, scale, first=first)) for scale, first in columns)]
        for name, noise in NOISES.items()
    )
    yield from grid(["noise", *(f"{percent(scale)}, from {first}" for scale, first in columns)], rows)


def alarm_table() -> Iterator[str]:
    """How often a section of equals shows a difference."""
    yield f"How many of {SECTIONS} sections of equal rows show any difference:"
    yield ""
    lines = (
        [
            f"{name}: {rule}",
            *(
                _percent(false_alarms(noise, rule, rows=rows, rounds=rounds))
                for rows, rounds in ALARM_COLUMNS
            ),
        ]
        for name, noise in NOISES.items()
        for rule in Rule
    )
    yield from grid(
        ["noise: rule", *(f"{plural(rows, 'row')}, {rounds} rounds" for rows, rounds in ALARM_COLUMNS)], lines
    )


def stopped_alarm_table() -> Iterator[str]:
    """How often it does with rounds added until it is narrow."""
    yield (
        f"How many of {SECTIONS_STOPPED} do where rounds were added until all rows were within ±5 %, by the standard "
        f"deviation of a round, {SETTLED} rounds at least and {LONGEST} at most:"
    )
    yield ""
    columns = [(rows, scale) for rows in (1, 4) for scale in (0.05, 0.09, 0.15)]
    lines = (
        [
            f"{name}: {rule}",
            *(_percent(stopped_alarms(noise, rule, scale, rows=rows)) for rows, scale in columns),
        ]
        for name, noise in PROMISED.items()
        for rule in (Rule.HOLM, Rule.FLOOR)
    )
    titles = (f"{plural(rows, 'row')}, {percent(scale)}" for rows, scale in columns)
    yield from grid(["noise: rule", *titles], lines)


def _grid(
    title: str, columns: Sequence[int], value: Callable[[Noise, int], float], noises: dict[str, Noise]
) -> Iterator[str]:
    rows = ([name, *(_percent(value(noise, column)) for column in columns)] for name, noise in noises.items())
    yield from grid([title, *map(str, columns)], rows)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def main(arguments: Sequence[str]) -> None:
    """Print the tables, or write them into the page."""
    text = "\n".join(tables()) + "\n"
    if list(arguments) == ["--write"]:
        before = PAGE.read_text(encoding="utf-8").partition(HEADING)[0]
        PAGE.write_text(f"{before}{HEADING}\n\n{text}", encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
