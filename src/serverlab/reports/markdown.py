"""Pieces of Markdown that several pages are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

SPECIAL = re.compile(r"([\\`*_|\[\]])")


def grid(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table with all columns to the left."""
    yield line(titles)
    yield line([":--"] * len(titles))
    yield from map(line, rows)


def line(texts: Sequence[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(texts)} |"


def plain(text: str) -> str:
    """The text with what Markdown or HTML would take for its own made harmless."""
    return SPECIAL.sub(r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
