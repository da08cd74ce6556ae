"""The page's files, read once when the process starts: there is nothing to find, and no path to be led astray by."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "site"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """What is sent for one file; `etag` is quoted, as in the header."""

    content: bytes
    content_type: str
    etag: str


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    return PageFile(content, TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


FILES: Final = {path.name: _read(path) for path in sorted(FOLDER.iterdir())}
