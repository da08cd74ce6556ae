"""What became of a load over time, from what its sender told twice a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serverlab.analysis.tolls import WELL_FOR_S
from serverlab.faults.fault import NotEffective
from serverlab.faults.flooding import Counts

BACK_SHARE = 0.9
"""Of what was answered each second before, so much has to be again for it to be back."""


@dataclass(frozen=True)
class Rates:
    """How many requests a second were sent for the first time, sent again, and answered."""

    sent: float
    sent_again: float
    answered: float


def rates_of(course: Sequence[Counts], last_s: float) -> Rates:
    """The rates of the last so many seconds.

    Raises:
        NotEffective: it is no such time that was told of.
    """
    last = course[-1]
    first = next((each for each in reversed(course) if at_s(each) <= at_s(last) - last_s), None)
    if first is None:
        raise NotEffective(f"the sender told nothing of {last_s:g} s")
    took_s = at_s(last) - at_s(first)
    return Rates(
        sent=(last.begun - first.begun) / took_s,
        sent_again=(last.retried - first.retried) / took_s,
        answered=(last.ok - first.ok) / took_s,
    )


def back_after_s(
    course: Sequence[Counts], *, before_rps: float, since_s: float, within_s: float
) -> float | None:
    """Seconds from then to the first WELL_FOR_S in which BACK_SHARE of ``before_rps`` are answered again.

    They have to have begun within ``within_s``; None where there are none, or none yet.
    """
    later = [each for each in course if at_s(each) >= since_s]
    for number, first in enumerate(later):
        began_s = at_s(first)
        last = next((each for each in later[number:] if at_s(each) >= began_s + WELL_FOR_S), None)
        if last is None or began_s > since_s + within_s:
            return None
        if (last.ok - first.ok) / (at_s(last) - began_s) >= BACK_SHARE * before_rps:
            return began_s - since_s
    return None


def at_s(counts: Counts) -> float:
    """The moment of one of a course, which has it."""
    return counts.at_s or 0.0
