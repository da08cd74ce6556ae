"""Runs of attacks: ``attacks/RUN/{attacks.json, environment.json, attacks.jsonl}``.

What an attack is, is said once, in ``attacks.json``. A line of format 1 says it with each finding, as all did before
there was that file; both are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from serverlab.errors import UsageError
from serverlab.model.base import FORMAT
from serverlab.model.records import Environment
from serverlab.model.runs import Problem
from serverlab.model.security import Assault, AssaultPlan, Finding, PlannedAttack
from serverlab.store.layout import ASSAULT_PLAN, ASSAULTS, ATTACKS, ENVIRONMENT
from serverlab.store.packing import _brief
from serverlab.store.reading import _STAMP, BROKEN, _check_number, _lines, _read_whole
from serverlab.store.sealing import opened, sealed
from serverlab.store.writing import _append_line, _new_folder, _pretty, _write_whole

BRIEF = 2
"""The format number of a line without what the plan says, and without what is empty."""


def create_assault(root: Path, *, plan: AssaultPlan, environment: Environment) -> Path:
    """Make ``root/attacks/RUN`` with the plan, the environment and no findings, and return it.

    Raises:
        UsageError: the run exists already, or its name cannot be a folder.
        EnvironmentLacks: the folder cannot be written.
    """
    with _new_folder(root, ASSAULTS, environment.run) as path:
        _write_whole(path / ENVIRONMENT, _pretty(environment))
        _write_whole(path / ASSAULT_PLAN, _pretty(plan))
        _write_whole(path / ATTACKS, b"")  # last: a folder without it is no run of attacks
    return path


def append_finding(path: Path, finding: Finding) -> None:
    """Add the finding to the attacks as one line that is on the disk when this returns, or not in the file at all.

    Raises:
        EnvironmentLacks: it cannot be written, for instance because the disk is full.
    """
    line = msgspec.json.encode({"format": BRIEF, **_brief(finding)})
    _append_line(path / ATTACKS, sealed(line))


def read_assault(path: Path) -> Assault:
    """The attacks in the folder; lines that cannot be used are in its ``problems``.

    Raises:
        UsageError: a file is missing or has another format number, or one but the findings is broken.
    """
    environment = _read_whole(path / ENVIRONMENT, Environment)
    name = f"{ASSAULTS}/{environment.run}"
    attacks = dict(_planned(path))
    findings: list[Finding] = []
    problems: list[Problem] = []
    for number, line in enumerate(_lines(path / ATTACKS), start=1):
        try:
            finding, planned = _read_line(line, f"{path / ATTACKS}, line {number},")
        except BROKEN as broken:
            message = f"cut short or damaged ({broken}); its finding is missing"
            problems.append(Problem(file=f"{name}/{ATTACKS}", line=number, message=message))
            continue
        if planned is not None:
            attacks.setdefault(finding.attack, planned)
        if finding.attack in attacks:
            findings.append(finding)
        else:
            _check_planned(path)
            message = f"attack {finding.attack} is not in {ASSAULT_PLAN}; left out"
            problems.append(Problem(file=f"{name}/{ATTACKS}", line=number, message=message))
    return Assault(
        name=name,
        environment=environment,
        attacks=attacks,
        findings=tuple(findings),
        problems=tuple(problems),
    )


def _planned(path: Path) -> dict[str, PlannedAttack]:
    """The attacks of the plan; none where the run is older than the file."""
    file = path / ASSAULT_PLAN
    return _read_whole(file, AssaultPlan).attacks if file.exists() else {}


def _check_planned(path: Path) -> None:
    """Refuse a folder without a plan, where a line needs it."""
    file = path / ASSAULT_PLAN
    if not file.exists():
        what = f"{file}: missing; {ATTACKS} needs it, for what each attack was"
        raise UsageError(what, "Copy it from where the attacks were made, or make them again.")


def _read_line(line: bytes, where: str) -> tuple[Finding, PlannedAttack | None]:
    """The finding, and what a line of format 1 says of its attack."""
    number = _STAMP.decode(line).format
    _check_number(number, where, reads=(FORMAT, BRIEF))
    raw = msgspec.json.decode(opened(line), type=dict[str, Any])
    raw.pop("format", None)
    if number == BRIEF:
        return msgspec.convert(raw, Finding), None
    planned = {name: raw.pop(name, None) for name in PlannedAttack.__struct_fields__}
    return msgspec.convert(raw, Finding), msgspec.convert(planned, PlannedAttack)
