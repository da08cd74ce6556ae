"""Cross-checks on disk: ``EXPERIMENT/RUN/{crosscheck.json, environment.json, measurements.jsonl, raw/}``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from serverlab.errors import UsageError
from serverlab.model.base import FORMAT
from serverlab.model.crosscheck import Crosscheck, CrossPlan, Measurement, Pace, Tool
from serverlab.model.records import Environment
from serverlab.model.runs import Problem
from serverlab.store.layout import ENVIRONMENT
from serverlab.store.reading import BROKEN, _check_format, _lines, _read_whole
from serverlab.store.sealing import opened
from serverlab.store.writing import _append, _new_folder, _pretty, _write_whole

CROSSPLAN = "crosscheck.json"
MEASUREMENTS = "measurements.jsonl"

_MEASUREMENT = msgspec.json.Decoder(Measurement)


def create_crosscheck(root: Path, *, plan: CrossPlan, environment: Environment) -> Path:
    """Make ``root/EXPERIMENT/RUN`` with the plan, the environment and no measurements, and return it.

    Raises:
        UsageError: the run exists already, or its name cannot be a folder.
        EnvironmentLacks: the folder cannot be written.
    """
    with _new_folder(root, plan.name, environment.run) as path:
        _write_whole(path / MEASUREMENTS, b"")
        _write_whole(path / ENVIRONMENT, _pretty(environment))
        _write_whole(path / CROSSPLAN, _pretty(plan))
    return path


def append_measurement(path: Path, measurement: Measurement) -> None:
    """Add the measurement to the run as one line that is on the disk when this returns, or not in the file at all."""
    _append(path / MEASUREMENTS, measurement)


def read_crosscheck(path: Path) -> Crosscheck:
    """The cross-check in the folder; lines that cannot be used are in its ``problems``.

    Tools that share a stack are measured anew together where a run was cut short amidst them: the later line counts.

    Raises:
        UsageError: a file is missing or has another format number, or one but the measurements is broken.
    """
    if not (path / CROSSPLAN).is_file():
        raise UsageError(
            f"{path}: no cross-check", f"`serverlab crosscheck` makes one, with its {CROSSPLAN}."
        )
    plan = _read_whole(path / CROSSPLAN, CrossPlan)
    environment = _read_whole(path / ENVIRONMENT, Environment)
    name = f"{plan.name}/{environment.run}"
    measurements: dict[tuple[int, str, Tool, Pace], Measurement] = {}
    problems: list[Problem] = []
    for number, line in enumerate(_lines(path / MEASUREMENTS), start=1):
        try:
            made = _measurement(line, f"{path / MEASUREMENTS}, line {number},")
            measurements[made.round, made.target, made.tool, made.pace] = made
        except BROKEN as broken:
            message = f"cut short or damaged ({broken}); its measurement is missing"
            problems.append(Problem(file=f"{name}/{MEASUREMENTS}", line=number, message=message))
    return Crosscheck(
        name=name,
        plan=plan,
        environment=environment,
        measurements=tuple(measurements.values()),
        problems=tuple(problems),
    )


def _measurement(line: bytes, where: str) -> Measurement:
    try:
        measurement = _MEASUREMENT.decode(opened(line))
    except BROKEN:
        _check_format(line, where)
        raise
    if measurement.format != FORMAT:
        _check_format(line, where)
    return measurement
