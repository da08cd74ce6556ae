"""Findings and servers for tests: what a test does not name has a plain value."""

from __future__ import annotations

from typing import Any

from serverlab.model.definitions import Identity, Interface, Server, Signals, Track, Variant, Workers
from serverlab.model.security import Assault, Finding, PlannedAttack, Verdict
from tests.unit.builders import GTHREAD, an_environment


def a_finding(attack: str = "A1-01", **changes: Any) -> Finding:
    """A pass of gunicorn:gthread."""
    plain: dict[str, Any] = {
        "attack": attack,
        "target": GTHREAD,
        "verdict": Verdict.PASS,
        "seen": "401",
        "wall_s": 0.1,
    }
    return Finding(**plain | changes)


def a_planned_attack(attack: str) -> PlannedAttack:
    """What is expected of a forged token."""
    return PlannedAttack(title=f"attack {attack}", expected="401", profile="open")


def a_server(*differences: Any) -> Server:
    """Two production variants and one as installed."""
    identity = Identity(server_header="", process="")
    variants = {
        name: Variant(title=name, track=track, command=("run",), workers=Workers(extra=1), threads=1)
        for name, track in (
            ("default", Track.DEFAULT),
            ("sync", Track.PRODUCTION),
            ("gthread", Track.PRODUCTION),
        )
    }
    return Server(
        format=1,
        title="Gunicorn",
        interface=Interface.WSGI,
        distribution="gunicorn",
        docs="https://gunicorn.org/",
        default_variant="gthread",
        capabilities=(),
        signals=Signals(stop="SIGTERM"),
        identity=identity,
        variants=variants,
        differences=differences,
    )


def an_assault(*findings: Finding, **changes: Any) -> Assault:
    """These findings on a plain machine; their attacks are titled by their ids."""
    plain: dict[str, Any] = {
        "name": "attacks/20261122-101500",
        "environment": an_environment(notes=("each race is run 10 times",)),
        "attacks": {each.attack: a_planned_attack(each.attack) for each in findings},
        "findings": findings,
        "problems": (),
    }
    return Assault(**plain | changes)
