"""One cell as a picture, and in words: requests and latency second by second, with the fault as a band."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from serverlab.analysis.tolls import act_of
from serverlab.formatting import ABSENT, coordinate, per_second, seconds, significant
from serverlab.model.faults import Cell, Event, Happening, Instant
from serverlab.reports.markdown import grid
from serverlab.stats import median

WIDTH, LEFT, RIGHT = 720.0, 52.0, 20.0
TOP, PANEL, GAP, BOTTOM = 40.0, 110.0, 34.0, 34.0
HEIGHT = TOP + 2 * PANEL + GAP + BOTTOM
HEADROOM = 1.25
"""The panels are so much higher than their highest value, so that the band is seen above it."""

TICKS_AT_MOST = 12
STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120)

STYLE = """
  .ground { fill: #ffffff } .band { fill: #f2c14e; fill-opacity: .35 } .frame { stroke: #8a8f98; fill: none }
  .ok { fill: #2e7d5b } .failed { fill: #c0392b } .p50 { stroke: #1f5fa8 } .p99 { stroke: #7a3ea1 }
  .line { fill: none; stroke-width: 1.8 } .p99 { stroke-dasharray: 5 3 }
  text { font: 12px sans-serif; fill: #1c2026 } .end { text-anchor: end } .middle { text-anchor: middle }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #14171c } text { fill: #e6e8eb } .ok { fill: #4db38a } .failed { fill: #f07167 }
    .p50 { stroke: #6fb1ff } .p99 { stroke: #c79bf2 }
  }
"""


@dataclass(frozen=True)
class _Scale:
    """Values from ``low`` to ``high`` on pixels from ``begin`` to ``end``."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)


def picture_name(run: str, cell: Cell) -> str:
    """The file that the picture of a cell of the run is kept in."""
    return f"{run.replace('/', '-')}-{cell.planned.id}.svg"


def picture(cell: Cell, *, title: str) -> str:
    """The cell as a static SVG with a title and a description for those who do not see it; it ends with a line feed.

    Above successes and failures per second, below p50 and p99 in milliseconds; seconds count from the fault's act.
    """
    course = cell.course
    across = _Scale(course[0].at_s, course[-1].at_s + 1, LEFT, WIDTH - RIGHT)
    parts = [
        f'<rect class="ground" width="{coordinate(WIDTH)}" height="{coordinate(HEIGHT)}"/>',
        f'<text x="{coordinate(LEFT)}" y="18">{escape(title)}</text>',
        *_band(cell.events, across),
        *_requests(course, across),
        *_latencies(course, across),
        *_axis(course, across),
    ]
    body = "\n".join(f"  {part}" for part in parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {coordinate(WIDTH)} {coordinate(HEIGHT)}" role="img">\n'
        f"  <title>{escape(title)}</title>\n  <desc>{escape(_described(cell))}</desc>\n  <style>{STYLE}  </style>\n"
        f"{body}\n</svg>\n"
    )


def phases(cell: Cell) -> Iterator[str]:
    """The lines of a table that says the same in numbers: before, under and after the fault."""
    titles = [
        "phase",
        "seconds",
        "ok /s",
        "failed /s",
        "p50 ms (median second)",
        "p99 ms (worst second)",
        "seconds without success",
    ]
    yield from grid(titles, (_phase(name, part) for name, part in _parts(cell) if part))


def held_s(events: Sequence[Event]) -> float | None:
    """How long the fault lasted from its act, None where it was not both injected and removed.

    It ends when its cause is lifted; one whose cause was gone before its effect was confirmed ends with its hold.
    """
    moments = {event.what: event.at_s for event in sorted(events, key=lambda each: each.at_s)}
    if Happening.INJECTED not in moments or Happening.REMOVED not in moments:
        return None
    lifted_s = moments.get(Happening.LIFTED, moments[Happening.INJECTED])
    ended_s = lifted_s if lifted_s > moments[Happening.INJECTED] else moments[Happening.REMOVED]
    return ended_s - (act_of(events) or 0.0)


def _parts(cell: Cell) -> Iterator[tuple[str, list[Instant]]]:
    """The whole seconds of each phase: the first and the last of a course are cut short."""
    end_s = held_s(cell.events) or 0.0
    whole = cell.course[1:-1]
    yield "before", [each for each in whole if each.at_s < 0]
    yield "under the fault", [each for each in whole if 0 <= each.at_s < end_s]
    yield "after", [each for each in whole if each.at_s >= max(0.0, end_s)]


def _phase(name: str, part: Sequence[Instant]) -> list[str]:
    middles = [each.p50_ms for each in part if each.p50_ms is not None]
    worst = [each.p99_ms for each in part if each.p99_ms is not None]
    return [
        name,
        str(len(part)),
        per_second(sum(each.ok for each in part) / len(part)),
        per_second(sum(each.failed for each in part) / len(part)),
        significant(median(middles)) if middles else ABSENT,
        significant(max(worst)) if worst else ABSENT,
        str(sum(not each.ok for each in part)),
    ]


def _described(cell: Cell) -> str:
    said = [
        f"{name}: {sum(each.ok for each in part)} ok, {sum(each.failed for each in part)} failed in {len(part)} s"
        for name, part in _parts(cell)
        if part
    ]
    return "; ".join(said)


def _band(events: Sequence[Event], across: _Scale) -> Iterator[str]:
    held = held_s(events)
    if held is None:
        return
    begin, end = across.at(0), min(across.at(held), across.end)
    yield (
        f'<rect class="band" x="{coordinate(begin)}" y="{coordinate(TOP)}" '
        f'width="{coordinate(max(2.0, end - begin))}" height="{coordinate(2 * PANEL + GAP)}"/>'
    )
    yield f'<text x="{coordinate(begin + 3)}" y="{coordinate(TOP - 6)}">fault, {seconds(held)} s</text>'


def _requests(course: Sequence[Instant], across: _Scale) -> Iterator[str]:
    highest = max(1, *(each.ok + each.failed for each in course))
    up = _Scale(0, HEADROOM * highest, TOP + PANEL, TOP)
    for each in course:
        yield from _bar("ok", each.at_s, 0, each.ok, across, up)
        yield from _bar("failed", each.at_s, each.ok, each.ok + each.failed, across, up)
    yield from _panel("requests/s: ok, failed", up, [(0, "0"), (highest, str(highest))])


def _bar(kind: str, at_s: int, low: float, high: float, across: _Scale, up: _Scale) -> Iterator[str]:  # noqa: PLR0917
    if high > low:
        x, y = across.at(at_s), up.at(high)
        width = across.at(at_s + 1) - x
        yield (
            f'<rect class="{kind}" x="{coordinate(x)}" y="{coordinate(y)}" width="{coordinate(max(0.8, width - 0.8))}" '
            f'height="{coordinate(up.at(low) - y)}"/>'
        )


def _latencies(course: Sequence[Instant], across: _Scale) -> Iterator[str]:
    highest = max([1.0, *(each.p99_ms for each in course if each.p99_ms is not None)])
    top = TOP + PANEL + GAP
    up = _Scale(0, HEADROOM * highest, top + PANEL, top)
    for kind, value in (("p50", _p50), ("p99", _p99)):
        for stretch in _stretches(course, value):
            points = " ".join(
                f"{coordinate(across.at(at_s + 0.5))},{coordinate(up.at(height))}" for at_s, height in stretch
            )
            yield f'<polyline class="line {kind}" points="{points}"/>'
    yield from _panel("ms: p50, p99 (dashed)", up, [(0, "0"), (highest, significant(highest))])


def _p50(each: Instant) -> float | None:
    return each.p50_ms


def _p99(each: Instant) -> float | None:
    return each.p99_ms


def _stretches(
    course: Sequence[Instant], value: Callable[[Instant], float | None]
) -> Iterator[list[tuple[int, float]]]:
    """The seconds that have the value, cut where one has none: a gap is not bridged. One second alone is a dash."""
    stretch: list[tuple[int, float]] = []
    for each in course:
        found = value(each)
        if found is not None:
            stretch.append((each.at_s, found))
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _panel(title: str, up: _Scale, marks: Sequence[tuple[float, str]]) -> Iterator[str]:
    yield (
        f'<rect class="frame" x="{coordinate(LEFT)}" y="{coordinate(up.end)}" '
        f'width="{coordinate(WIDTH - RIGHT - LEFT)}" height="{coordinate(up.begin - up.end)}"/>'
    )
    yield f'<text class="end" x="{coordinate(WIDTH - RIGHT)}" y="{coordinate(up.end - 6)}">{escape(title)}</text>'
    for height, name in marks:
        yield f'<text class="end" x="{coordinate(LEFT - 6)}" y="{coordinate(up.at(height) + 4)}">{escape(name)}</text>'


def _axis(course: Sequence[Instant], across: _Scale) -> Iterator[str]:
    """The seconds, counted from the fault's act."""
    first, last = course[0].at_s, course[-1].at_s + 1
    step = next((each for each in STEPS_S if (last - first) / each <= TICKS_AT_MOST), STEPS_S[-1])
    y = TOP + 2 * PANEL + GAP + 18
    for tick in range(-(-first // step) * step, last + 1, step):
        yield f'<text class="middle" x="{coordinate(across.at(tick))}" y="{coordinate(y)}">{tick} s</text>'
