"""The table as JSON: every record and number as it is, not rounded."""

from __future__ import annotations

import msgspec

from serverlab.model.tables import Table


def render(table: Table) -> str:
    """The table as an indented JSON object that ends with a line feed."""
    return msgspec.json.format(msgspec.json.encode(table), indent=2).decode() + "\n"
