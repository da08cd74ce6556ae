"""Requests that are malformed, ambiguous or too large, and what is right to do with each."""

from __future__ import annotations

from serverlab.framing import codings, heads, lengths, limits, messages, paths
from serverlab.framing.case import Case

CASES: dict[str, Case] = {
    case.id: case for module in (lengths, codings, messages, heads, paths, limits) for case in module.CASES
}
"""Every case by its id, in order."""
