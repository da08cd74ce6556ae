"""What the generator itself can ask at most, by how it is set up."""

from __future__ import annotations

import enum

from serverlab.model.base import FORMAT, Record
from serverlab.model.definitions import Arrival

MOST_TRIES = 3
"""A ceiling that could not be measured is tried so often, each time after another trial of its set-up."""

OPENING_SHARE = 0.5
"""Of the requests: where more opened a connection, connections count as new for each."""


class Connections(enum.Enum):
    """Whether requests shared connections, or most of them opened one of their own."""

    KEPT = "kept"
    NEW = "new"

    @classmethod
    def seen(cls, *, opened: int, ended: int) -> Connections:
        """How requests used connections of which so many were opened while so many requests ended."""
        return cls.NEW if opened > OPENING_SHARE * ended else cls.KEPT


class LoadSetup(Record, frozen=True):
    """What the generator's own speed depends on: users, how they connect and arrive, and which cores are left to it.

    ``cpus`` is the budget of the stack, by which the cores are split.
    """

    users: int
    connections: Connections
    arrival: Arrival
    cpus: int


class Ceiling(Record, frozen=True):
    """How many requests per second the generator got out of a server that does nothing, and its own cores meanwhile.

    Both are None where it was tried in vain, for the ``reason``; ``tries`` is how often, ``wall_s`` what all of them
    took (None in older runs).
    """

    setup: LoadSetup
    measured_at: str
    rps: float | None
    generator_cores: float | None
    reason: str | None = None
    tries: int = 1
    wall_s: float | None = None


class Ceilings(Record, frozen=True):
    """``ceilings.json``: one ceiling for each set-up of the generator that a run's measured trials had.

    Empty where a run was made before they were measured.
    """

    ceilings: tuple[Ceiling, ...] = ()
    format: int = FORMAT

    def of(self, setup: LoadSetup | None) -> Ceiling | None:
        """The ceiling of the set-up, None where there is none yet."""
        return next((each for each in self.ceilings if each.setup == setup), None)

    def settled(self, setup: LoadSetup) -> bool:
        """Whether the set-up has a ceiling, or has been tried in vain so often that it is not tried again."""
        known = self.of(setup)
        return known is not None and (known.rps is not None or known.tries >= MOST_TRIES)
