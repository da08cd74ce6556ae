"""Two runs of the same side by side, in Markdown: each row's two ratios, and which do not overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serverlab.analysis.agreement import Likeness, Pair
from serverlab.formatting import estimate, plural
from serverlab.reports.columns import heading
from serverlab.reports.markdown import grid, plain

UNLIKE = "What should be the same in both runs and is not:"
ALIKE = "Nothing differs that should be the same in both runs."
DIFFERING = "What else differs:"

SHOWN = {True: "yes", False: "**no**", None: "–"}


def render_agreement(pairs: Sequence[Pair], first: str, second: str, alike: Likeness) -> str:
    """One sentence about all rows, what differs between the runs, and a table of the rows. No line feed at the end."""
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
    return "\n".join([_summary(pairs), "", *_likeness(alike), *grid(titles, rows)])


def _likeness(alike: Likeness) -> Iterator[str]:
    """What differs, each list with an empty line at the end."""
    if not alike.unlike:
        yield from (ALIKE, "")
    for title, found in ((UNLIKE, alike.unlike), (DIFFERING, alike.differing)):
        if found:
            yield from (title, "", *(f"- {plain(str(each))}" for each in found), "")


def _summary(pairs: Sequence[Pair]) -> str:
    compared = [each for each in pairs if each.overlap is not None]
    apart = [f"{each.name} ({heading(each.section)})" for each in compared if not each.overlap]
    rows, without = plural(len(compared), "row"), plural(len(pairs) - len(compared), "row")
    said = f"Of {rows} with an interval in both runs, the two overlap in {len(compared) - len(apart)}"
    but = f"; they do not in {', '.join(apart)}" if apart else ""
    return plain(f"{said}{but}. {without} without an interval in one of them.")
