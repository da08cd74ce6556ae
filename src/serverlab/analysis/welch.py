"""How far apart two unpaired samples are: formulas on plain numbers, each with its source."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from serverlab import stats


@dataclass(frozen=True)
class Shift:
    """By how much the mean of one population exceeds that of another.

    ``value`` is the estimate, ``error`` its standard error, ``freedom`` the degrees of freedom of Student's t.
    ``unseen_below`` and ``unseen_above`` are what the samples could not have shown: the shift may be smaller or larger
    by as much.
    """

    value: float
    error: float
    freedom: float
    unseen_below: float = 0.0
    unseen_above: float = 0.0

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided interval at this level of confidence: 0.95 is 95 %."""
        from scipy.special import stdtrit  # noqa: PLC0415 - slow, and most verbs do without

        reach = self.error * float(stdtrit(self.freedom, (1 + level) / 2)) if self.error else 0.0
        return self.value - reach - self.unseen_below, self.value + reach + self.unseen_above

    def mirrored(self) -> Shift:
        """The shift the other way round: of the second population's mean below that of the first."""
        return replace(
            self, value=-self.value, unseen_below=self.unseen_above, unseen_above=self.unseen_below
        )

    def chance_below(self, bound: float) -> float:
        """How likely a shift at least this high is where the true one is ``bound`` or less: a one-sided p-value."""
        excess = self.value - self.unseen_below - bound
        if not self.error:
            return float(excess < 0)
        from scipy.special import stdtr  # noqa: PLC0415 - slow, and most verbs do without

        return float(stdtr(self.freedom, -excess / self.error))


def shift_of_means(base: Sequence[float], new: Sequence[float]) -> Shift | None:
    """The mean of ``new`` less that of ``base``; None where one of them has fewer than two values.

    Neither pairs nor equal variances are assumed. Samples without any variance have no error.
    Source: B. L. Welch, "The generalization of 'Student's' problem when several different population variances are
    involved", Biometrika 34 (1947), 28-35; NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.1.
    """
    if min(len(base), len(new)) < 2:
        return None
    parts = [stats.deviation(values) ** 2 / len(values) for values in (base, new)]
    variance = sum(parts)
    squares = sum(part**2 / (len(values) - 1) for part, values in zip(parts, (base, new), strict=True))
    return Shift(
        value=statistics.fmean(new) - statistics.fmean(base),
        error=math.sqrt(variance),
        freedom=variance**2 / squares if squares else math.inf,
    )


def unseen_share(attempts: int) -> float:
    """How large a share may be that showed itself in none of so many attempts, at 95 %.

    Source: J. A. Hanley and A. Lippman-Hand, "If nothing goes wrong, is everything all right? Interpreting zero
    numerators", JAMA 249 (1983), 1743-1745: the rule of three.
    """
    return 3 / max(attempts, 3)
