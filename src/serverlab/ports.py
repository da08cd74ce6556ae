"""Ports of this machine: whether one is free, and who listens on one that is not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
LISTENING = "0A"
"""How the kernel's tables of sockets write that state (include/net/tcp_states.h)."""


def is_free(port: int) -> bool:
    """Tell whether a server could listen on 127.0.0.1 at ``port``."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def taken_by(port: int) -> str | None:
    """Who listens at ``port``, in words; None where it is free."""
    return None if is_free(port) else (listener(port) or "a process that this user may not see")


def listener(port: int, root: Path = ROOT) -> str | None:
    """The process that listens at ``port``, for example ``process 4711 (python3)``; None where it cannot be told."""
    wanted = {f"socket:[{inode}]" for inode in _listening(port, root)}
    for folder in sorted(root.glob("proc/[0-9]*")) if wanted else ():
        if wanted & set(_open_files(folder)):
            name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
            return f"process {folder.name} ({name})"
    return None


def _listening(port: int, root: Path) -> Iterator[str]:
    """The inodes of the sockets that listen at ``port``."""
    for table in ("tcp", "tcp6"):
        path = root / "proc/net" / table
        lines = path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []
        for fields in map(str.split, lines):
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _open_files(process: Path) -> Iterator[str]:
    try:
        for each in (process / "fd").iterdir():
            yield str(each.readlink())
    except OSError:  # it has ended, or belongs to somebody else
        return
