"""A run as it was read back from disk."""

from __future__ import annotations

from serverlab.model.base import Record
from serverlab.model.ceilings import Ceilings
from serverlab.model.records import Environment, Plan, Trial


class Problem(Record, frozen=True):
    """Something in a run's files that could not be used; ``line`` counts from 1, None = the whole file."""

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        """The place and what is wrong there, in one line."""
        return f"{self.file}{'' if self.line is None else f', line {self.line}'}: {self.message}"


class Run(Record, frozen=True):
    """All that one execution of an experiment left behind.

    ``name`` is ``EXPERIMENT/RUN``. ``trials`` holds at most one trial for each planned id, in the order in
    which they were measured; what could not be read is in ``problems``.
    """

    name: str
    plan: Plan
    environment: Environment
    trials: tuple[Trial, ...]
    problems: tuple[Problem, ...]
    ceilings: Ceilings = Ceilings()
