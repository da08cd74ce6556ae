"""What attacks on a stack are found to do."""

from __future__ import annotations

import enum

import msgspec

from serverlab.model.base import FORMAT, Record
from serverlab.model.records import Environment
from serverlab.model.runs import Problem
from serverlab.model.tables import Fact

BETWEEN = "; "
"""Between the things that were wrong, in what was seen of a finding."""


class Verdict(enum.Enum):
    """Whether a stack did what it should.

    DIFFERENCE is a failure that the ``server.toml`` expects and explains; it is judged, an attack never finds it.
    """

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    DIFFERENCE = "difference"
    UNKNOWN = "unknown"
    NA = "n/a"


class PlannedAttack(Record, frozen=True):
    """What an attack was when it was put; ``profile`` is how the stack was set up."""

    title: str
    expected: str
    profile: str


class AssaultPlan(Record, frozen=True):
    """``attacks.json``: the attacks of a run by their ids.

    They are told in the words of that day: whoever words one anew changes nothing that was found before.
    """

    attacks: dict[str, PlannedAttack] = msgspec.field(default_factory=dict)
    format: int = FORMAT


class Finding(Record, frozen=True):
    """One line of ``attacks.jsonl``: what one attack, which the plan describes, found on one target.

    ``seen`` says in a few words what the stack did ("401", "400 by nginx"); ``reason`` why that is the verdict, ""
    where it passed. ``measured`` holds numbers with their units in their names ("refused_after_s").
    """

    attack: str
    target: str
    verdict: Verdict
    seen: str
    wall_s: float
    reason: str = ""
    measured: dict[str, float] = msgspec.field(default_factory=dict)


class Assault(Record, frozen=True):
    """All that one call of ``serverlab attack`` left behind; ``name`` is ``attacks/RUN``.

    ``attacks`` are by their ids; each finding is of one of them.
    """

    name: str
    environment: Environment
    attacks: dict[str, PlannedAttack]
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]


class SecurityRow(Record, frozen=True):
    """One attack and what it comes to for each server, by its name: of how many of its variants each verdict is."""

    attack: str
    title: str
    expected: str
    direct: dict[str, dict[Verdict, int]]
    behind_edge: dict[str, dict[Verdict, int]]


class SecurityNote(Record, frozen=True):
    """What is to say of a verdict that is no pass, and of which targets."""

    attack: str
    verdict: Verdict
    seen: str
    reason: str
    targets: tuple[str, ...]


class SecurityTable(Record, frozen=True):
    """Attacks against servers, judged; ``findings`` are those that it was made from."""

    run: str
    facts: tuple[Fact, ...]
    servers: tuple[str, ...]
    rows: tuple[SecurityRow, ...]
    notes: tuple[SecurityNote, ...]
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
