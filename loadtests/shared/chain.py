"""The ledger's lines: JSON, each with a running checksum, so that none can be missing or changed unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

DIGITS = 16
DECIMALS = 6


class Chain:
    """Writes lines. Each ends with ``chain``, which follows from all lines before it and from itself."""

    def __init__(self, write: Callable[[str], object]) -> None:
        """Hand each whole line to ``write``."""
        self._write = write
        self._digest = b""

    def add(self, row: Mapping[str, object]) -> None:
        """Write one more line; numbers are rounded to a millionth."""
        rounded = {
            name: round(value, DECIMALS) if isinstance(value, float) else value for name, value in row.items()
        }
        body = json.dumps(rounded, separators=(",", ":"))
        self._digest = hashlib.sha256(self._digest + body.encode()).digest()
        self._write(f'{body[:-1]},"chain":"{self._digest.hex()[:DIGITS]}"}}\n')
