"""Two runs side by side, for people and machines: what differs between them, what changed, what the guard says."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

import msgspec

from serverlab.analysis.regression import SEVERITY, shown
from serverlab.formatting import ABSENT, one_line, plural
from serverlab.model.regressions import ComparedCell, Comparison, Count, Metric, Missing
from serverlab.model.security import Verdict
from serverlab.reports.as_text import WIDTH, side_by_side
from serverlab.reports.markdown import line, plain

ABOUT = (
    "Ratios are new / base, of geometric means over the trials, with 95 % intervals for unpaired trials (Welch's t of "
    "the logarithms). Errors are the mean shares' difference in percentage points, with its interval. CPU/req and "
    "peak memory are the app's, requests per CPU second the whole stack's."
)
CAUTION = "The intervals know how far apart a run's trials are, not how far a machine drifts from one run to the next."
UNLIKE = (
    "THESE RUNS ARE UNLIKE; they are compared because it was asked for. What should be the same and is not:"
)
DIFFERING = "What else differs:"

TITLES = {
    Metric.RPS: "req/s",
    Metric.P50: "p50",
    Metric.P95: "p95",
    Metric.P99: "p99",
    Metric.ERRORS: "errors",
    Metric.CPU_MS: "CPU/req",
    Metric.PER_CPU_S: "req/CPU s",
    Metric.MEMORY: "peak",
}
USUAL = {
    Metric.RPS,
    Metric.P50,
    Metric.P99,
    Metric.ERRORS,
    Metric.CPU_MS,
    Metric.PER_CPU_S,
    Metric.MEMORY,
}


def as_json(comparison: Comparison) -> str:
    """The comparison as an indented JSON object that ends with a line feed, its numbers not rounded."""
    return msgspec.json.format(msgspec.json.encode(comparison), indent=2).decode() + "\n"


def as_text(comparison: Comparison) -> str:
    """Both runs, what differs, a grid for each workload and budget, and the verdicts; ends with a line feed."""
    lines = [f"{comparison.new} against {comparison.base}", "", *_folded(ABOUT), *_folded(CAUTION)]
    for title, found in ((UNLIKE, comparison.unlike), (DIFFERING, comparison.differing)):
        if found:
            lines += ["", title, *(f"  {each}" for each in found)]
    for heading, cells in _sections(comparison):
        rows = _grid(comparison, cells)
        lines += ["", heading, "-" * len(heading), *side_by_side(rows, left=range(len(rows[0])))]
    for title, found_lines in _remarks(comparison):
        lines += ["", title, *(part for each in found_lines for part in _folded(each, indent="  "))]
    return "\n".join(each.rstrip() for each in lines) + "\n"


def as_markdown(comparison: Comparison) -> str:
    """The same as a page."""
    lines = [f"# {comparison.new} against {comparison.base}", "", ABOUT, CAUTION]
    for title, found in ((UNLIKE, comparison.unlike), (DIFFERING, comparison.differing)):
        if found:
            lines += ["", title, "", *(f"- {plain(str(each))}" for each in found)]
    for heading, cells in _sections(comparison):
        titles, *rows = _grid(comparison, cells)
        marks = [":--", *("--:" for _ in titles[1:-1]), ":--"]
        lines += ["", f"## {heading}", "", line(titles), line(marks), *(line(row) for row in rows)]
    for title, found_lines in _remarks(comparison):
        lines += ["", f"**{title}**", "", *(f"- {plain(each)}" for each in found_lines)]
    return "\n".join(lines) + "\n"


FORMATS: dict[str, Callable[[Comparison], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
}


def _sections(comparison: Comparison) -> Iterator[tuple[str, list[ComparedCell]]]:
    """The cells of each workload and budget, in their order, under a heading."""
    place = {key: number for number, key in enumerate(dict.fromkeys(map(_section, comparison.cells)))}
    ordered = sorted(comparison.cells, key=lambda cell: place[_section(cell)])
    for (workload, cpus), cells in groupby(ordered, key=_section):
        yield f"{workload}, {plural(cpus, 'core')}", list(cells)


def _section(cell: ComparedCell) -> tuple[str, int]:
    return cell.workload, cell.cpus


def _grid(comparison: Comparison, cells: Sequence[ComparedCell]) -> list[list[str]]:
    """A line of titles, and one for each cell."""
    ruled = {rule.metric for rule in comparison.rules}
    metrics = [metric for metric in Metric if metric in USUAL | ruled]
    verdict = ["verdict"] if comparison.rules else []
    titles = ["target", *(TITLES[metric] for metric in metrics), "trials", *verdict]
    rows = [
        [
            cell.target,
            *(shown(each) for each in cell.changes if each.metric in metrics),
            f"{_count(cell.base)}, {_count(cell.new)}",
            *([_worst(cell).value.upper()] if comparison.rules else []),
        ]
        for cell in cells
    ]
    return [titles, *rows]


def _remarks(comparison: Comparison) -> Iterator[tuple[str, list[str]]]:
    """What stands below the grids: a title and its lines, where there are any."""
    judged = [(cell, each) for cell in comparison.cells for each in cell.judgements]
    counts = Counter(each.verdict for _, each in judged)
    told = [
        f"{each.verdict.value.upper()} {each.rule}: {_named(cell)}: {one_line(each.reason)}"
        for verdict in SEVERITY
        for cell, each in judged
        if each.verdict is verdict and verdict is not Verdict.PASS
    ]
    summary = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in SEVERITY if counts[verdict])
    missing = [*_missing(comparison.missing)]
    if missing:
        yield "Not in both runs", missing
    if comparison.problems:
        yield "Problems in the runs' files", [str(problem) for problem in comparison.problems]
    if judged:
        rules = ", ".join(rule.text for rule in comparison.rules)
        yield f"Verdicts on {rules}: {summary}", told


def _missing(missing: Iterable[Missing]) -> Iterator[str]:
    """The cells that only one of the runs holds, those of one run, workload and budget in one line."""
    for (only_in, workload, cpus), cells in groupby(
        missing, key=lambda each: (each.only_in, each.workload, each.cpus)
    ):
        yield f"only in {only_in}: {workload}, {plural(cpus, 'core')}: {', '.join(each.target for each in cells)}"


def _named(cell: ComparedCell) -> str:
    return f"{cell.target}, {cell.workload}, {plural(cell.cpus, 'core')}"


def _worst(cell: ComparedCell) -> Verdict:
    return min((each.verdict for each in cell.judgements), key=SEVERITY.index)


def _count(count: Count) -> str:
    return f"{count.valid}/{count.planned}" if count.planned else ABSENT


def _folded(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "    " if indent else "",
        break_on_hyphens=False,
    )
