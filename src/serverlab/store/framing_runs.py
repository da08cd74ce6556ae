"""What was made of odd requests: ``http/RUN/{environment.json, answers.jsonl}``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from serverlab.errors import UsageError
from serverlab.model.base import FORMAT
from serverlab.model.framing import Differential, Framed
from serverlab.model.records import Environment
from serverlab.model.runs import Problem
from serverlab.store.layout import ENVIRONMENT
from serverlab.store.reading import BROKEN, _check_format, _lines, _read_whole
from serverlab.store.sealing import opened
from serverlab.store.writing import _append, _new_folder, _pretty, _write_whole

HTTP = "http"
"""The folder whose runs these are."""

ANSWERS = "answers.jsonl"

_FRAMED = msgspec.json.Decoder(Framed)


def create_differential(root: Path, *, environment: Environment) -> Path:
    """Make ``root/http/RUN`` with the environment and no answers, and return it.

    Raises:
        UsageError: the run exists already, or its name cannot be a folder.
        EnvironmentLacks: the folder cannot be written.
    """
    with _new_folder(root, HTTP, environment.run) as path:
        _write_whole(path / ANSWERS, b"")
        _write_whole(path / ENVIRONMENT, _pretty(environment))
    return path


def append_framed(path: Path, framed: Framed) -> None:
    """Add what one case came to on one target as one line that is on the disk when this returns, or not at all.

    Raises:
        EnvironmentLacks: it cannot be written, for instance because the disk is full.
    """
    _append(path / ANSWERS, framed)


def read_differential(path: Path) -> Differential:
    """The answers in the folder; lines that cannot be used are in its ``problems``.

    A case that broke off is asked again when a run goes on: the later line counts.

    Raises:
        UsageError: a file is missing or has another format number, or the environment is broken.
    """
    environment = _read_whole(path / ENVIRONMENT, Environment)
    name = f"{HTTP}/{environment.run}"
    found: dict[tuple[str, str], Framed] = {}
    problems: list[Problem] = []
    for number, line in enumerate(_lines(path / ANSWERS), start=1):
        where = f"{path / ANSWERS}, line {number},"
        try:
            framed = _FRAMED.decode(opened(line))
            if framed.format != FORMAT:
                _check_format(line, where)
            found[framed.target, framed.case] = framed
        except BROKEN as broken:
            _check_readable_format(line, where)
            message = f"cut short or damaged ({broken}); its answers are missing"
            problems.append(Problem(file=f"{name}/{ANSWERS}", line=number, message=message))
    return Differential(
        name=name, environment=environment, found=tuple(found.values()), problems=tuple(problems)
    )


def find_differential(root: Path, name: str) -> Path:
    """The folder of a run: ``RUN``, ``http/RUN`` or a path to it.

    Raises:
        UsageError: there is none.
    """
    for path in (Path(name), root / name, root / HTTP / name):
        if (path / ANSWERS).is_file():
            return path
    known = sorted(each.parent.name for each in root.glob(f"{HTTP}/*/{ANSWERS}"))
    raise UsageError(f"run {name!r}: no such run", f"There are: {', '.join(known) or 'none'}")


def _check_readable_format(line: bytes, where: str) -> None:
    """A line of another format is no damage, as far as its number can be read."""
    try:
        _check_format(line, where)
    except BROKEN:
        return
