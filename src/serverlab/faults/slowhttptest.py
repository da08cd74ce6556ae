"""slowhttptest: how it is called, and what its output says. What is not as it should be is an error, never a zero."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from serverlab.errors import TrialFailed
from serverlab.formatting import plural

PREFIX = "/tmp/slowhttptest"  # noqa: S108 - within the witness's container
SERIES = f"{PREFIX}.csv"
SAID = f"{PREFIX}.txt"
NAME = "slowhttptest"

HEADER = ["Seconds", "Closed", "Pending", "Connected", "Service Available"]
COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
ENDED = re.compile(r"^Exit status:\s*(.+?)\s*$", re.MULTILINE)
LIMIT, CANCELLED, ALL_CLOSED = "Hit test time limit", "Cancelled by user", "No open connections left"
ENDS = (LIMIT, CANCELLED, ALL_CLOSED)
"""As it ends when it could do what it was told; ``ALL_CLOSED`` when the server has closed every connection."""

PROBE_TIMEOUT_S = 2
"""What its own request may take until it says that the service is not available."""


class BadOutput(TrialFailed):
    """It ended with an error, or said what it never says."""


@dataclass(frozen=True)
class Second:
    """One line of its series: its connections, and whether its own request was answered."""

    at_s: int
    closed: int
    pending: int
    connected: int
    available: bool


@dataclass(frozen=True)
class Observed:
    """What it saw, second by second, and how it ended."""

    series: tuple[Second, ...]
    end: str

    @property
    def decided(self) -> tuple[Second, ...]:
        """The seconds in which its word counts.

        It says that the service is available until a first request of its own, sent in its first second, has gone
        unanswered for the time-out: what it says before that is nothing that it has seen.
        """
        return tuple(each for each in self.series if each.at_s > PROBE_TIMEOUT_S + 1)

    @property
    def unavailable_share(self) -> float | None:
        """The share of those seconds in which the service was not available; None where there are none."""
        said = [each.available for each in self.decided]
        return said.count(False) / len(said) if said else None

    def __str__(self) -> str:
        """Its verdict in words."""
        down = sum(not each.available for each in self.decided)
        seen = plural(len(self.decided), "second")
        return f"{NAME}: service not available in {down} of {seen}; {self.end}"


def command(
    mode: str, url: str, *, connections: int, pace_s: int, lasts_s: int, options: Sequence[str]
) -> str:
    """The words for a shell that call it; what it says goes to files."""
    words = [
        *("timeout", "--kill-after=5", str(lasts_s + 10), NAME, mode, "-u", url, "-c", str(connections)),
        *("-r", "100", "-i", str(pace_s), "-p", str(PROBE_TIMEOUT_S), "-l", str(lasts_s)),
        *(*options, "-g", "-o", PREFIX),
    ]
    quoted = " ".join(f"'{word}'" for word in words)
    return f"exec {quoted} > {SAID} 2>&1"


def read_series(text: str) -> tuple[Second, ...]:
    """The whole lines of its series so far.

    Raises:
        BadOutput: a line is not as it should be; with its number.
    """
    *whole, _ = text.split("\n")
    rows = list(csv.reader(whole))
    if not rows or rows[0] != HEADER:
        raise BadOutput(f"{NAME}: its series does not begin with {','.join(HEADER)}: {text[:80]!r}")
    found = tuple(_second(number, row) for number, row in enumerate(rows[1:], start=2))
    if any(each.at_s != number for number, each in enumerate(found)):
        raise BadOutput(f"{NAME}: its series leaves seconds out: {[each.at_s for each in found]}")
    return found


def _second(number: int, row: Sequence[str]) -> Second:
    try:
        at_s, closed, pending, connected, available = (int(text) for text in row)
    except ValueError:
        raise BadOutput(f"{NAME}: line {number} of its series is {row}, no five whole numbers") from None
    if min(at_s, closed, pending, connected, available) < 0:
        raise BadOutput(f"{NAME}: line {number} of its series is {row}, with a number below 0")
    return Second(at_s, closed, pending, connected, available > 0)


def read_end(text: str) -> str:
    """How it says that it ended.

    Raises:
        BadOutput: it does not, or not as it does when it could do what it was told.
    """
    found: list[str] = ENDED.findall(COLOUR.sub("", text))
    if len(found) != 1 or found[0] not in ENDS:
        raise BadOutput(f"{NAME} ended with {', '.join(found) or 'no word of it'}")
    return found[0]
