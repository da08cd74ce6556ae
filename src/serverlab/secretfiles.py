"""The secrets of a stack as files that only this user can reach, for as long as there is a stack."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from serverlab.errors import EnvironmentLacks

FOLDER = Path(f"/dev/shm/serverlab-{os.getuid()}")  # noqa: S108 - memory, whatever TMPDIR says
"""In memory, so that no disk keeps them; one stack at a time is on a machine."""

FOR_THE_OWNER = 0o700
READABLE = 0o444
"""Of the files: whoever a container's user is reads what is mounted there. On this machine the folder keeps all out."""


def write(folder: Path, secrets: Mapping[str, str]) -> None:
    """Make the folder anew with a file for each secret.

    Raises:
        EnvironmentLacks: something is in its place that this user does not own, or it cannot be written.
    """
    remove(folder)
    with _told(folder):
        folder.mkdir(mode=FOR_THE_OWNER)
        for name, text in secrets.items():
            file = folder / name
            file.write_text(text, encoding="utf-8")
            file.chmod(READABLE)


def remove(folder: Path) -> None:
    """Remove the folder with all that is in it, if it is there.

    Raises:
        EnvironmentLacks: something is in its place that is no folder of this user's, or it cannot be removed.
    """
    with _told(folder):
        try:
            found = folder.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(None, "it is no folder of this user's")
        shutil.rmtree(folder)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Tell what is refused, and what to do."""
    try:
        yield
    except OSError as refused:
        raise EnvironmentLacks(
            f"{folder}: the secrets of a stack cannot be kept there: {refused.strerror}",
            f"Remove what is in its place; {folder.parent} has to be a folder that this user can write to.",
        ) from None
