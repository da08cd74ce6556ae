"""What attacks on a stack are found to do."""

from __future__ import annotations

import enum

import msgspec

from serverlab.model.base import FORMAT, Record
from serverlab.model.records import Environment
from serverlab.model.runs import Problem
from serverlab.model.tables import Fact


class Verdict(enum.Enum):
    """Whether a stack did what it should.

    DIFFERENCE is a failure that the ``server.toml`` expects and explains; it is judged, an attack never finds it.
    """

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    DIFFERENCE = "difference"
    UNKNOWN = "unknown"
    NA = "n/a"


class Finding(Record, frozen=True):
    """One line of ``attacks.jsonl``: one attack on one target.

    ``profile`` is how the stack was set up. ``seen`` says in a few words what the stack did ("401", "400 by nginx");
    ``reason`` why that is the verdict, "" where it passed. ``measured`` holds numbers with their units in their names
    ("refused_after_s").
    """

    attack: str
    title: str
    expected: str
    profile: str
    target: str
    verdict: Verdict
    seen: str
    reason: str
    wall_s: float
    measured: dict[str, float] = msgspec.field(default_factory=dict)
    format: int = FORMAT


class Assault(Record, frozen=True):
    """All that one call of ``serverlab attack`` left behind; ``name`` is ``attacks/RUN``."""

    name: str
    environment: Environment
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]


class SecurityRow(Record, frozen=True):
    """One attack and what it comes to for each server, by the server's name."""

    attack: str
    title: str
    expected: str
    direct: dict[str, Verdict]
    behind_edge: dict[str, Verdict]


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
