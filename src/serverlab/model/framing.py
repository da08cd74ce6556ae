"""What servers make of requests that are malformed, ambiguous or too large, as it was seen."""

from __future__ import annotations

import enum

import msgspec

from serverlab.model.base import FORMAT, Count, Record
from serverlab.model.records import Environment
from serverlab.model.runs import Problem
from serverlab.model.security import Verdict
from serverlab.model.tables import Fact


class Kind(enum.Enum):
    """What became of the first message on a connection.

    REJECT: the answer was 4xx or 5xx, or the app was given an error in the place of the body. CLOSED: the connection
    ended without an answer. SILENT: neither came while the lab waited.
    """

    ACCEPT = "accept"
    REJECT = "reject"
    CLOSED = "closed"
    SILENT = "silent"


class Logged(Record, frozen=True):
    """A request as the app understood it; ``role`` says which of the lab's it was, ``body_bytes`` None: not read."""

    role: str
    method: str
    path: str
    body_bytes: Count | None
    body_sha256: str = ""


class Answer(Record, frozen=True):
    """One form of a case on one target: what was seen, and what that is.

    ``statuses`` are all answers on the connection, in order; a 0 is an answer without a status line (HTTP/0.9).
    ``requests`` is how many of the connection's messages the app logged, without the innocent one that follows;
    ``body_bytes`` what it got with the first. ``verdict`` holds it against the RFC and ``said`` is what was other than
    that; ``smuggled`` is why requests were not kept apart, "" if they were.
    """

    form: str
    kind: Kind
    statuses: tuple[int, ...]
    closed: bool
    requests: Count
    verdict: Verdict
    body_bytes: Count | None = None
    said: str = ""
    smuggled: str = ""
    measured: dict[str, float] = msgspec.field(default_factory=dict)


class Framed(Record, frozen=True):
    """One line of ``answers.jsonl``: all forms of one case on one target.

    ``problem`` is why there are none, or why what there is may not be all.
    """

    case: str
    title: str
    right: str
    target: str
    answers: tuple[Answer, ...]
    wall_s: float
    problem: str = ""
    format: int = FORMAT


class Differential(Record, frozen=True):
    """All that one call of ``serverlab http`` left behind; ``name`` is ``http/RUN``."""

    name: str
    environment: Environment
    found: tuple[Framed, ...]
    problems: tuple[Problem, ...]


class FramingCell(Record, frozen=True):
    """What one target made of a case: so many forms, of which so many were other than the RFC wants, or not shown."""

    forms: Count
    otherwise: Count
    unknown: Count
    smuggled: Count


class FramingRow(Record, frozen=True):
    """One case and what each target made of it."""

    case: str
    title: str
    right: str
    cells: dict[str, FramingCell]


class FramingNote(Record, frozen=True):
    """What several targets made of one form of a case, other than what is right."""

    case: str
    form: str
    said: str
    targets: tuple[str, ...]
    smuggled: bool


class FramingTable(Record, frozen=True):
    """Cases against targets, those without an edge first."""

    run: str
    facts: tuple[Fact, ...]
    direct: tuple[str, ...]
    behind_edge: tuple[str, ...]
    rows: tuple[FramingRow, ...]
    notes: tuple[FramingNote, ...]
    problems: tuple[Problem, ...]
