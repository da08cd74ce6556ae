"""Finding runs by path or name."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from serverlab.errors import UsageError
from serverlab.formatting import did_you_mean
from serverlab.store.layout import CELLS, ENVIRONMENT, FAULT_PLAN, PLAN, TRIALS


class _Start(msgspec.Struct):
    """When a run was started, whatever else its environment says."""

    started_at: str = ""


def find_run(root: Path, name: str | None = None) -> Path:
    """The folder of a run below ``root``.

    ``name`` is a path to it, ``EXPERIMENT/RUN``, ``RUN``, or ``EXPERIMENT`` for its newest run; without it
    the newest of all. The newest is that which was started last, and one with trials comes before one
    without.

    Raises:
        UsageError: there is none, or ``name`` means several.
    """
    return _found(root, name, plan=PLAN, made_by="serverlab run experiments/quick.toml")


def find_fault_run(root: Path, name: str | None = None) -> Path:
    """The folder of a run that breaks things, found as find_run finds others.

    Raises:
        UsageError: there is none, or ``name`` means several.
    """
    return _found(root, name, plan=FAULT_PLAN, made_by="serverlab faults")


def _found(root: Path, name: str | None, *, plan: str, made_by: str) -> Path:
    if name is not None and (Path(name) / plan).is_file():
        return Path(name)
    runs = _all_runs(root, plan)
    if not runs:
        raise UsageError(f"{name or root}: no run there", f"`{made_by}` makes one.")
    if name is None:
        return max(runs.values(), key=_age)
    return _named(name, runs)


def _named(name: str, runs: dict[str, Path]) -> Path:
    wanted = name.strip("/")
    found = {key: path for key, path in runs.items() if wanted in (key, key.split("/")[1])}
    if len(found) > 1:
        raise UsageError(
            f"run {name!r}: there are several: {', '.join(sorted(found))}", "Name the experiment too."
        )
    if not found:
        found = {key: path for key, path in runs.items() if key.split("/")[0] == wanted}
    if not found:
        experiments = sorted({key.split("/")[0] for key in runs})
        near = did_you_mean(name, [*experiments, *runs])
        raise UsageError(f"run {name!r}: no such run{near}", f"There are runs of: {', '.join(experiments)}")
    return max(found.values(), key=_age)


def _all_runs(root: Path, plan: str) -> dict[str, Path]:
    return {
        f"{file.parent.parent.name}/{file.parent.name}": file.parent
        for file in sorted(root.glob(f"*/*/{plan}"))
    }


def _age(path: Path) -> tuple[bool, str, str]:
    """What sorts runs by age; file times would not do, because a checkout makes all of them new."""
    started_at = ""
    with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
        started_at = msgspec.json.decode((path / ENVIRONMENT).read_bytes(), type=_Start).started_at
    lines = [path / name for name in (TRIALS, CELLS)]
    return any(file.is_file() and file.stat().st_size for file in lines), started_at, path.name
