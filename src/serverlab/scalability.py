"""Throughput over concurrency: the Universal Scalability Law and its fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from serverlab.model.capacity_tables import Scalability
from serverlab.model.tables import Interval

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

CONFIDENCE = 0.95

FEWEST_LEVELS = 4
"""Numbers of users that a fit of three parameters needs at least."""

UNSETTLED_RATE = 1e9
"""A rate of one user that may be as high per second as this is not known."""

REACH = 2.0
"""Nothing is said of more users than so many times those measured."""


def throughput(users: float, *, rate_of_one: float, contention: float, coherency: float) -> float:
    """X(N) = rate_of_one N / (1 + contention (N - 1) + coherency N (N - 1)), in the unit of ``rate_of_one``.

    Source: N. J. Gunther, Guerrilla Capacity Planning (2007), 6.3; with the factor of N = 1: N. J. Gunther, P. Puglia
    and K. Tomasette, "Hadoop Superlinear Scalability", CACM 58 (2015), 46-55.
    """
    return rate_of_one * users / (1 + contention * (users - 1) + coherency * users * (users - 1))


def peak(contention: float, coherency: float, *, most_users: float) -> float | None:
    """The number of users with the largest throughput; None where it is nowhere, or beyond REACH times ``most_users``.

    Source: N. J. Gunther, Guerrilla Capacity Planning (2007), 6.3: N* = sqrt((1 - contention) / coherency).
    """
    if coherency <= 0 or contention >= 1:
        return None
    users = math.sqrt((1 - contention) / coherency)
    return users if 1 <= users <= REACH * most_users else None


def fitted(points: Sequence[tuple[int, float]]) -> Scalability | None:
    """The fit to (users, throughput) of single trials; None for less than FEWEST_LEVELS numbers of users.

    None also where the points leave open what one user alone would get, as those of a server that is full with the
    fewest users: then nothing can be said of what more of them cost.

    Least squares on logarithms, because trials differ by shares and not by absolute numbers. No parameter is below 0;
    the intervals are Student's, from the covariance of the fit without that bound, cut at 0.
    Source: G. A. F. Seber and C. J. Wild, Nonlinear Regression (1989), 2.1.3 and 5.1.
    """
    levels = {users for users, _ in points}
    if len(levels) < FEWEST_LEVELS or min(rate for _, rate in points) <= 0:
        return None
    try:
        free, errors, scatter = _least_squares(points)
        middles = free if min(free[1:]) >= 0 else _without_gain(points)
    except RuntimeError:  # what curve_fit raises where no parameters come out best
        return None
    one, contention, coherency = (
        _interval(middle, centre, error, count=len(points))
        for middle, centre, error in zip(middles, free, errors, strict=True)
    )
    if one.high > math.log(UNSETTLED_RATE):
        return None
    shown = coherency.low > 0
    return Scalability(
        rate_of_one=_changed(one, math.exp),
        contention=_changed(contention, _not_below_0),
        coherency=_changed(coherency, _not_below_0),
        most_users=max(levels),
        peak_users=peak(middles[1], middles[2], most_users=max(levels)) if shown else None,
        error=scatter,
    )


def _logarithm(
    users: NDArray[float64], log_rate: float, contention: float, coherency: float
) -> NDArray[float64]:
    """The logarithm of the law; where the law has no value, one that lies far off."""
    import numpy as np  # noqa: PLC0415 - slow, and most verbs do without

    return log_rate + np.log(users) - np.log(_divisor(users, contention, coherency))


def _slopes(
    users: NDArray[float64], _log_rate: float, contention: float, coherency: float
) -> NDArray[float64]:
    """How the logarithm changes with each parameter: a column for each."""
    import numpy as np  # noqa: PLC0415 - slow, and most verbs do without

    divisor = _divisor(users, contention, coherency)
    return np.stack([np.ones_like(users), -(users - 1) / divisor, -users * (users - 1) / divisor], axis=1)


def _divisor(users: NDArray[float64], contention: float, coherency: float) -> NDArray[float64]:
    import numpy as np  # noqa: PLC0415 - slow, and most verbs do without

    return np.maximum(1 + contention * (users - 1) + coherency * users * (users - 1), 1e-9)


def _least_squares(points: Sequence[tuple[int, float]]) -> tuple[list[float], list[float], float]:
    """The parameters (the first as its logarithm), their standard errors, and the standard deviation about the fit."""
    import numpy as np  # noqa: PLC0415 - slow, and most verbs do without
    from scipy.optimize import curve_fit  # noqa: PLC0415 - the same

    users, logs = _arrays(points)
    values, covariance = curve_fit(_logarithm, users, logs, p0=_start(points), jac=_slopes, maxfev=20_000)
    rest = logs - _logarithm(users, *values)
    scatter = math.sqrt(float(np.sum(rest**2)) / (len(points) - 3))
    return values.tolist(), np.sqrt(np.diag(covariance)).tolist(), scatter


def _without_gain(points: Sequence[tuple[int, float]]) -> list[float]:
    """The parameters where none may be below 0: more users never gain more than their number."""
    import numpy as np  # noqa: PLC0415 - slow, and most verbs do without
    from scipy.optimize import curve_fit  # noqa: PLC0415 - the same

    users, logs = _arrays(points)
    log_rate, *losses = _start(points)
    values, _ = curve_fit(
        _logarithm,
        users,
        logs,
        p0=[log_rate, *map(_not_below_0, losses)],
        jac=_slopes,
        bounds=([-np.inf, 0, 0], np.inf),
        method="dogbox",  # it comes to rest on a bound, where others come only near
        **dict.fromkeys(("ftol", "xtol", "gtol"), 1e-12),
    )
    return [float(each) for each in values]


def _arrays(points: Sequence[tuple[int, float]]) -> tuple[NDArray[float64], NDArray[float64]]:
    import numpy as np  # noqa: PLC0415 - slow, and most verbs do without

    return np.array([float(users) for users, _ in points]), np.log([rate for _, rate in points])


def _start(points: Sequence[tuple[int, float]]) -> list[float]:
    """Where the fit begins: N / X(N) is linear in N - 1 and N (N - 1), so plain least squares come near."""
    import numpy as np  # noqa: PLC0415 - slow, and most verbs do without

    users, logs = _arrays(points)
    weights = np.exp(logs) / users
    terms = np.stack([np.ones_like(users), users - 1, users * (users - 1)], axis=1) * weights[:, None]
    one, contention, coherency = np.linalg.lstsq(terms, np.ones_like(users), rcond=None)[0]
    if one <= 0:
        return [float(logs[0] - np.log(users[0])), 0.1, 0.001]
    return [-math.log(one), float(contention / one), float(coherency / one)]


def _interval(middle: float, centre: float, error: float, *, count: int) -> Interval:
    from scipy.special import stdtrit  # noqa: PLC0415 - slow, and most verbs do without

    half = float(stdtrit(count - 3, (1 + CONFIDENCE) / 2)) * error
    low, high = min(middle, centre - half), max(middle, centre + half)
    return Interval(middle=middle, low=low, high=high, level=CONFIDENCE, method="Student's t", count=count)


def _changed(interval: Interval, change: Callable[[float], float]) -> Interval:
    ends = {key: change(getattr(interval, key)) for key in ("middle", "low", "high")}
    return msgspec.structs.replace(interval, **ends)


def _not_below_0(value: float) -> float:
    return max(0.0, value)
