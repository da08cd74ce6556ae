"""How a request that failed is sent again: how often, how soon, and how much of all that is sent may be that."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

SAVED_UP = 10.0
"""Retries that a budget has at first, and at most: a few failures are repeated at once, many are not."""


@dataclass
class Retries:
    """The policy of one sender, and what is left of its budget.

    A request is sent again ``most`` times, each after a random pause of up to ``backoff_s``, which doubles each time;
    where that is 0, at once. ``budget`` is how many retries each request adds to those that all of them may make, as a
    share of one; None leaves it unbounded.
    """

    most: int
    backoff_s: float
    budget: float | None
    _left: float = field(default=SAVED_UP, init=False)

    def request_begun(self) -> None:
        """Add what a request that is sent for the first time brings to the budget."""
        if self.budget is not None:
            self._left = min(SAVED_UP, self._left + self.budget)

    def take(self, made: int) -> bool:
        """Whether what was sent again ``made`` times may be so once more; it is then taken from the budget."""
        if made >= self.most:
            return False
        if self.budget is None:
            return True
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def pause_s(self, made: int) -> float:
        """The pause before the next retry of what was sent again ``made`` times."""
        return random.uniform(0, self.backoff_s * 2**made)
