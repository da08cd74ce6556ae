"""The table as JSON: every record and number as it is, not rounded."""

from __future__ import annotations

import re

import msgspec

from serverlab.formatting import CONTROL
from serverlab.model.tables import Table


def render(table: Table) -> str:
    """The table as an indented JSON object that ends with a line feed.

    Characters that would steer a terminal are written as escapes, also those that JSON lets stand.
    """
    text = msgspec.json.format(msgspec.json.encode(table), indent=2).decode()
    return "\n".join(CONTROL.sub(_escaped, line) for line in text.split("\n")) + "\n"


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"\\u{ord(each):04x}" for each in found[0])
