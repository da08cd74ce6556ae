"""One lab at a time on a machine: two would measure each other."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serverlab.errors import EnvironmentLacks

LOCK = Path("/tmp/serverlab.lock")  # noqa: S108 - one place for the whole machine, whatever TMPDIR says


@contextmanager
def only_lab(path: Path = LOCK) -> Iterator[None]:
    """Hold the machine's lock while the block runs; the kernel gives it back when the process ends, however it ends.

    Raises:
        EnvironmentLacks: another lab holds it, or it cannot be opened.
    """
    descriptor = _opened(path)
    try:
        _take(descriptor, path)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as refused:
        raise EnvironmentLacks(
            f"{path}: the lock cannot be opened: {refused.strerror}",
            "It may belong to another user; remove it when no lab of theirs is at work.",
        ) from None


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
        raise EnvironmentLacks(
            f"another lab is at work on this machine (process {holder}, lock {path})",
            "Wait for it to end, or stop it: two labs would measure each other.",
        ) from None
