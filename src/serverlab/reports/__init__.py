"""Tables for people and machines: one ``render(table) -> str`` module per format, one line each here."""

from collections.abc import Callable

from serverlab.model.tables import Table
from serverlab.reports import as_csv, as_json, as_markdown, as_text
from serverlab.reports.docs import render_docs, stale

FORMATS: dict[str, Callable[[Table], str]] = {
    "text": as_text.render,
    "markdown": as_markdown.render,
    "json": as_json.render,
    "csv": as_csv.render,
}

__all__ = ["FORMATS", "render_docs", "stale"]
