"""Answers to odd requests for tests: what a test does not name has a plain value."""

from __future__ import annotations

from typing import Any

from serverlab.model.framing import Answer, Differential, Framed, Kind
from serverlab.model.security import Verdict
from tests.unit.builders import an_environment

GTHREAD = "gunicorn:gthread"
EDGED = "gunicorn:gthread+nginx"


def an_answer(form: str = "a", **changes: Any) -> Answer:
    """One that is right."""
    plain: dict[str, Any] = {
        "form": form,
        "kind": Kind.ACCEPT,
        "statuses": (200, 200),
        "closed": True,
        "requests": 1,
        "verdict": Verdict.PASS,
    }
    return Answer(**plain | changes)


def a_framed(*answers: Answer, **changes: Any) -> Framed:
    """What H-01 came to on gunicorn:gthread."""
    plain: dict[str, Any] = {
        "case": "H-01",
        "title": "two lengths",
        "right": "400",
        "target": GTHREAD,
        "answers": answers,
        "wall_s": 0.1,
    }
    return Framed(**plain | changes)


def a_differential(*found: Framed, **changes: Any) -> Differential:
    """These on a plain machine."""
    plain: dict[str, Any] = {
        "name": "http/20261122-101500",
        "environment": an_environment(),
        "found": found,
        "problems": (),
    }
    return Differential(**plain | changes)
