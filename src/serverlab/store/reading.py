"""Reading runs: what cannot be used is reported with its file and line, and never dropped silently."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from serverlab.errors import UsageError
from serverlab.model.base import FORMAT, Record
from serverlab.model.ceilings import Ceilings
from serverlab.model.records import Environment, Packages, Plan, PlannedTrial, Trial
from serverlab.model.runs import Problem, Run
from serverlab.store.folding import unfolded
from serverlab.store.layout import CEILINGS, ENVIRONMENT, PACKAGES, PLAN, TRIALS
from serverlab.store.packing import PACKED, unpacked
from serverlab.store.sealing import opened

PLANNED_ID = re.compile(rb'"id":\s*"([^"]{1,200})"')

BROKEN = (msgspec.DecodeError, UnicodeDecodeError)
"""What msgspec raises for bytes that are not the expected JSON."""

R = TypeVar("R", bound=Record)


class _Stamp(msgspec.Struct):
    """The format number of a file, whatever else is in it."""

    format: int | None = None


_STAMP = msgspec.json.Decoder(_Stamp)
_TRIAL = msgspec.json.Decoder(Trial)


def read_run(path: Path) -> Run:
    """The run in the folder; lines that cannot be used are in its ``problems``.

    Of two trials with one id the first is kept, so that measuring again never picks the better one.

    Raises:
        UsageError: a file is missing or has another format number, or one but the trials is broken.
    """
    plan = _read_whole(path / PLAN, Plan)
    environment = _read_whole(path / ENVIRONMENT, Environment)
    name = f"{plan.name}/{environment.run}"
    planned = {each.id: each for each in plan.trials}
    trials: dict[str, Trial] = {}
    problems: list[Problem] = []
    for number, line in enumerate(_lines(path / TRIALS), start=1):
        outcome = _read_line(line, path / TRIALS, number)
        if isinstance(outcome, Trial):
            wrong = _misfit(outcome, planned, trials)
            if wrong is None:
                trials[outcome.planned.id] = outcome
                continue
            outcome = wrong
        problems.append(Problem(file=f"{name}/{TRIALS}", line=number, message=outcome))
    if unlisted := _unlisted(trials.values(), read_packages(path)):
        message = f"lacks the packages of {', '.join(unlisted)}"
        problems.append(Problem(file=f"{name}/{PACKAGES}", line=None, message=message))
    return Run(
        name=name,
        plan=plan,
        environment=environment,
        trials=tuple(trials.values()),
        problems=tuple(problems),
        ceilings=read_ceilings(path),
    )


def read_packages(path: Path) -> Packages:
    """The packages that the run's trials stated; none where no trial has yet, or the run is older than the file.

    Raises:
        UsageError: the file has another format number, or is broken.
    """
    file = path / PACKAGES
    return _read_whole(file, Packages) if file.exists() else Packages()


def read_ceilings(path: Path) -> Ceilings:
    """What the generator could ask at most in the run's set-ups; none where none was measured yet, or in older runs.

    Raises:
        UsageError: the file has another format number, or is broken.
    """
    file = path / CEILINGS
    return _read_whole(file, Ceilings) if file.exists() else Ceilings()


def pending(run: Run) -> tuple[PlannedTrial, ...]:
    """The planned trials that have no readable line yet, in the order of the plan."""
    done = {trial.planned.id for trial in run.trials}
    return tuple(planned for planned in run.plan.trials if planned.id not in done)


def _unlisted(trials: Iterable[Trial], packages: Packages) -> list[str]:
    """The trials that name a list of packages which is not there."""
    return [
        trial.planned.id
        for trial in trials
        if {
            proof.identity["packages"]
            for proof in (trial.proof_before, trial.proof_after)
            if proof and "packages" in proof.identity
        }
        - packages.lists.keys()
    ]


def _read_whole(path: Path, kind: type[R]) -> R:
    content = _content(path)
    try:
        _check_format(content, str(path))
        return msgspec.json.decode(opened(content), type=kind)
    except BROKEN as broken:
        what = f"{path}: cut short or damaged: {broken}"
        raise UsageError(what, "Restore the file, or measure again.") from None


def _lines(path: Path) -> Iterator[bytes]:
    """The lines without their line feeds, one at a time: all of a long run at once would take its size in memory."""
    with _reading(path), path.open("rb") as file:
        for line in file:
            yield line.removesuffix(b"\n")


def _content(path: Path) -> bytes:
    with _reading(path):
        return path.read_bytes()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failed:
        hint = f"A run holds {PLAN}, {ENVIRONMENT} and {TRIALS}."
        raise UsageError(f"{path}: cannot be read: {failed.strerror}", hint) from None


def _read_line(line: bytes, path: Path, number: int) -> Trial | str:
    """The trial, or what is wrong with the line."""
    try:
        stamp = _STAMP.decode(line).format
        _check_number(stamp, f"{path}, line {number},", reads=(FORMAT, PACKED))
        if stamp == PACKED:
            return unfolded(unpacked(opened(line)))
        return unfolded(_TRIAL.decode(opened(line)))
    except BROKEN as broken:
        found = PLANNED_ID.search(line)
        whose = f"trial {found[1].decode('utf-8', 'replace')}" if found else "its trial"
        return f"cut short or damaged ({broken}); {whose} counts as not measured by this line"


def _check_format(content: bytes, where: str) -> None:
    _check_number(_STAMP.decode(content).format, where, reads=(FORMAT,))


def _check_number(number: int | None, where: str, *, reads: tuple[int, ...]) -> None:
    if number is not None and number not in reads:
        raise UsageError(
            f"{where} has format {number}, this lab reads {' and '.join(map(str, reads))}: "
            "read it with the version of the lab that wrote it, or measure again."
        )


def _misfit(trial: Trial, planned: dict[str, PlannedTrial], earlier: dict[str, Trial]) -> str | None:
    """Why the trial cannot be used beside the plan and the earlier lines, or None."""
    if trial.planned.id not in planned:
        return f"trial {trial.planned.id} is not in the plan; left out"
    if trial.planned != planned[trial.planned.id]:
        return f"trial {trial.planned.id} is not what the plan says under that id; left out"
    if trial.planned.id in earlier:
        return f"trial {trial.planned.id} was measured before; the earlier line is used"
    return None
