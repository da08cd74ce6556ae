"""Two runs of the same side by side, in Markdown: each row's two ratios, and which do not overlap."""

from __future__ import annotations

from collections.abc import Sequence

from serverlab.analysis.agreement import Pair
from serverlab.formatting import estimate, plural
from serverlab.reports.columns import heading
from serverlab.reports.markdown import grid, plain

SHOWN = {True: "yes", False: "**no**", None: "–"}


def render_agreement(pairs: Sequence[Pair], first: str, second: str) -> str:
    """One sentence about all rows, and a table of them. No line feed at the end."""
    titles = ("section", "row", f"ratio in `{first}`", f"in `{second}`", "overlap")
    rows = [
        [
            plain(heading(each.section)),
            plain(each.name),
            plain(estimate(each.first)),
            plain(estimate(each.second)),
            SHOWN[each.overlap],
        ]
        for each in pairs
    ]
    return "\n".join([_summary(pairs), "", *grid(titles, rows)])


def _summary(pairs: Sequence[Pair]) -> str:
    compared = [each for each in pairs if each.overlap is not None]
    apart = [f"{each.name} ({heading(each.section)})" for each in compared if not each.overlap]
    rows, without = plural(len(compared), "row"), plural(len(pairs) - len(compared), "row")
    said = f"Of {rows} with an interval in both runs, the two overlap in {len(compared) - len(apart)}"
    but = f"; they do not in {', '.join(apart)}" if apart else ""
    return plain(f"{said}{but}. {without} without an interval in one of them.")
