"""What an image holds, read from the archive that `docker export` writes: its files, and how many packages."""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

INSTALLED = re.compile(rb"^Status: install ok installed$", re.MULTILINE)
DPKG_STATUS = "var/lib/dpkg/status"
DISTRIBUTION = re.compile(r"^venv/lib/python[^/]+/site-packages/[^/]+\.dist-info/METADATA$")
MADE_BY_THE_ENGINE = frozenset({".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf"})
"""Not of the image: the engine puts them into every container."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of an image by path, each with all that must not differ (no times), and its packages counted."""

    files: Mapping[str, str]
    debian_packages: int
    python_packages: int


def read_contents(archive: Path) -> Contents:
    """Return what the archive of a container's files holds; what a file holds counts as its SHA-256."""
    files: dict[str, str] = {}
    debian_packages = 0
    with tarfile.open(archive) as tar:
        for entry in tar:
            name = entry.name.removeprefix("./")
            if name in MADE_BY_THE_ENGINE:
                continue
            reader = tar.extractfile(entry) if entry.isreg() else None
            content = reader.read() if reader else b""
            files[name] = _identity(entry, content)
            if name == DPKG_STATUS:
                debian_packages = len(INSTALLED.findall(content))
    return Contents(files, debian_packages, sum(1 for name in files if DISTRIBUTION.match(name)))


def differing(first: Contents, second: Contents) -> list[str]:
    """Return one line for each path that only one of the two has, or that is not the same in both."""
    lines = []
    for path in sorted(first.files.keys() | second.files.keys()):
        if (path in first.files) != (path in second.files):
            lines.append(f"{path}: in one build only")
        elif first.files[path] != second.files[path]:
            lines.append(f"{path}: not the same")
    return lines


def _identity(entry: tarfile.TarInfo, content: bytes) -> str:
    kind = entry.type.decode("ascii", errors="replace")
    digest = hashlib.sha256(content).hexdigest() if entry.isreg() else entry.linkname
    return f"{kind} {entry.mode:o} {entry.uid}:{entry.gid} {digest}"
