"""Writing runs: whatever was written is there as a whole or not at all, also after a power cut."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from serverlab.errors import EnvironmentLacks, UsageError
from serverlab.model.base import Record
from serverlab.model.ceilings import Ceiling, Ceilings
from serverlab.model.records import Environment, Packages, Plan, Trial
from serverlab.store.folding import folded
from serverlab.store.layout import CEILINGS, ENVIRONMENT, PACKAGES, PLAN, RAW, TRIALS
from serverlab.store.packing import packed
from serverlab.store.reading import read_ceilings, read_packages
from serverlab.store.sealing import sealed

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:-]*")


def create_run(root: Path, *, plan: Plan, environment: Environment) -> Path:
    """Make ``root/EXPERIMENT/RUN`` with the plan, the environment and no trials, and return it.

    Raises:
        UsageError: the run exists already, or its name cannot be a folder.
        EnvironmentLacks: the folder cannot be written.
    """
    with _new_folder(root, plan.name, environment.run) as path:
        (path / RAW).mkdir()
        _write_whole(path / TRIALS, b"")
        _write_whole(path / ENVIRONMENT, _pretty(environment))
        _write_whole(path / PLAN, _pretty(plan))  # last: a folder without a plan is no run
    return path


def replace_plan(path: Path, plan: Plan) -> None:
    """Write another plan for the run, whole or not at all; what was measured stays.

    Raises:
        EnvironmentLacks: it cannot be written.
    """
    with _writing(path / PLAN):
        _write_whole(path / PLAN, _pretty(plan))


def append_trial(path: Path, trial: Trial) -> None:
    """Add the trial to the run as one line that is on the disk when this returns, or not in the file at all.

    After a line that was cut short the trial begins on a line of its own.

    Raises:
        EnvironmentLacks: it cannot be written, for instance because the disk is full.
    """
    _append_line(path / TRIALS, line_of(trial))


def line_of(trial: Trial) -> bytes:
    """The trial as a line of ``trials.jsonl``, without its line feed."""
    return sealed(packed(folded(trial)))


def keep_packages(path: Path, lists: Mapping[str, Mapping[str, str]], *, server: str | None) -> None:
    """Keep the lists, by digest, that the run lacks; the first one becomes the server's where it has none yet.

    ``server`` is None where no trial of it has to have these: it was not as it should be.

    Raises:
        UsageError: the file that is there is broken.
        EnvironmentLacks: it cannot be written.
    """
    kept = read_packages(path)
    firsts = {server: next(iter(lists))} if server and lists else {}
    now = Packages(
        by_server=firsts | kept.by_server,
        lists={digest: dict(packages) for digest, packages in lists.items()} | kept.lists,
    )
    if now != kept:
        with _writing(path / PACKAGES):
            _write_whole(path / PACKAGES, _pretty(now))


def keep_ceiling(path: Path, ceiling: Ceiling) -> None:
    """Keep what the generator can ask at most; of a set-up the first one stays that is a number.

    One that could not be measured gives way to the next, which then counts the tries of both and what they took.

    Raises:
        UsageError: the file that is there is broken.
        EnvironmentLacks: it cannot be written.
    """
    kept = read_ceilings(path)
    before = kept.of(ceiling.setup)
    if before is not None and before.rps is not None:
        return
    others = (each for each in kept.ceilings if each.setup != ceiling.setup)
    both = [ceiling, *([before] if before else [])]
    walls_s = [each.wall_s for each in both if each.wall_s is not None]
    now = msgspec.structs.replace(
        ceiling, tries=sum(each.tries for each in both), wall_s=sum(walls_s) if walls_s else None
    )
    with _writing(path / CEILINGS):
        _write_whole(path / CEILINGS, _pretty(Ceilings(ceilings=(*others, now))))


def _append(path: Path, record: Record) -> None:
    _append_line(path, sealed(msgspec.json.encode(record)))


def _append_line(path: Path, line: bytes) -> None:
    line += b"\n"
    with _writing(path), path.open("r+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
            line = b"\n" + line
        try:
            _write_all(file.fileno(), line)
        except BaseException:
            if file.seek(0, os.SEEK_END) < end + len(line):  # a whole line stays, whatever came after it
                file.truncate(end)
            raise


def write_raw(path: Path, *, trial_id: str, kind: str, text: str) -> Path:
    """Keep ``text`` as ``raw/TRIAL_ID.KIND`` of the run, whole or not at all, and return that path.

    Raises:
        UsageError: the trial's id or the kind cannot be part of a file name.
        EnvironmentLacks: it cannot be written.
    """
    _check_name(trial_id)
    _check_name(kind)
    target = path / RAW / f"{trial_id}.{kind}"
    with _writing(target):
        target.parent.mkdir(exist_ok=True)
        _write_whole(target, text.encode("utf-8", "replace"))
    return target


def write_table(path: Path, *, text: str, suffix: str) -> Path:
    """Keep a rendered table as ``table.SUFFIX`` of the run, whole or not at all, and return that path.

    Raises:
        EnvironmentLacks: it cannot be written.
    """
    target = path / f"table.{suffix}"
    with _writing(target):
        _write_whole(target, text.encode())
    return target


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r}: cannot be part of a file name", "Use letters, digits and . _ + : -")


def _pretty(record: Record) -> bytes:
    text = msgspec.json.format(msgspec.json.encode(record), indent=2)
    return sealed(text, between=b",\n  ", colon=b": ") + b"\n"


def _write_whole(path: Path, content: bytes) -> None:
    """Write the file so that its name never stands for a part of it, also after a power cut."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb", buffering=0) as file:
            _write_all(file.fileno(), content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _new_folder(root: Path, kind: str, run: str) -> Iterator[Path]:
    for name in (kind, run):
        _check_name(name)
    path = root / kind / run
    with _writing(path):
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            raise UsageError(f"{path}: there is such a run already", "Resume it, or start another.") from None
        yield path


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failed:
        raise EnvironmentLacks(
            f"{path}: cannot be written: {failed.strerror}",
            "What was saved before is kept; make room or mend the permissions, then resume.",
        ) from None
