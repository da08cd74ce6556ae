"""What searches for capacity found, for people and machines: rates, latency at shares of them, curves over users."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

import msgspec

from serverlab.formatting import (
    ABSENT,
    estimate,
    milliseconds,
    one_line,
    per_second,
    percent,
    plural,
    significant,
)
from serverlab.model.capacity import Answer, Outcome
from serverlab.model.capacity_tables import (
    AtShare,
    CapacityRow,
    CapacitySection,
    CapacityTable,
    FurtherRun,
    SearchIn,
)
from serverlab.model.tables import Fact, Interval
from serverlab.reports.as_text import WIDTH, fact_lines
from serverlab.reports.markdown import line, plain

LAW = (
    "X(N) = X(1) N / (1 + contention (N-1) + coherency N (N-1)), the Universal Scalability Law (Gunther 2007), fitted "
    "to every valid closed trial; 95 % intervals. Where that of coherency begins at 0, no peak is shown."
)
"""What stands below the curves."""

AS_ABOVE = "all else as above"
"""What is said of a further run, of which only those facts are listed that the first has not."""


def as_json(table: CapacityTable) -> str:
    """The table as an indented JSON object that ends with a line feed, its numbers not rounded."""
    return msgspec.json.format(msgspec.json.encode(table), indent=2).decode() + "\n"


def as_text(table: CapacityTable) -> str:
    """Title, question, facts, and for each workload and budget the capacities and curves; ends with a line feed."""
    names = ", ".join([table.run, *(each.run for each in table.further)])
    lines = [f"{table.title} ({names})", table.question, "", *fact_lines(table.facts)]
    for each in table.further:
        lines += ["", f"{each.run}, {AS_ABOVE}", *fact_lines(list(_facts(each)))]
    for section in table.sections:
        lines += ["", _heading(section), "-" * len(_heading(section)), *fact_lines(section.conditions)]
        for rows in _grids(table, section):
            lines += ["", *_aligned(rows)]
        remarks = [part for words in _remarks(table, section) for part in _folded(words, indent="    ")]
        lines += ["", *remarks] if remarks else []
    if table.problems:
        lines += ["", "Problems in the run's files", *(f"  {problem}" for problem in table.problems)]
    return "\n".join(text.rstrip() for text in lines) + "\n"


def as_markdown(table: CapacityTable) -> str:
    """The same as a page."""
    lines = [f"# {plain(table.title)}", "", plain(table.question), ""]
    for section in table.sections:
        lines += [f"## {_heading(section)}", "", *_body(table, section), ""]
    return "\n".join([*lines, *_run(table)]) + "\n"


def render_excerpt(table: CapacityTable, sections: Sequence[CapacitySection]) -> str:
    """Some sections for the docs and the facts of the run. No line feed at the end."""
    lines: list[str] = []
    for section in sections:
        lines += [f"**{_heading(section)}**", "", *_body(table, section), ""]
    return "\n".join([*lines, *_run(table)])


FORMATS: dict[str, Callable[[CapacityTable], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
}


def _run(table: CapacityTable) -> Iterator[str]:
    yield f"Run `{table.run}`:"
    yield ""
    yield from (f"- {fact.label}: {plain(fact.value)}" for fact in table.facts)
    for each in table.further:
        yield from ("", f"Run `{each.run}`, {AS_ABOVE}:", "")
        yield from (f"- {fact.label}: {plain(fact.value)}" for fact in _facts(each))
    yield from (f"- Problem: {plain(str(problem))}" for problem in table.problems)


def _facts(run: FurtherRun) -> Iterator[Fact]:
    """What is not as in the first run, what should be so before all else."""
    if run.unlike:
        said = "; ".join(map(str, run.unlike))
        yield Fact(label="UNLIKE the first", value=f"{said}; in one table with it because that was asked for")
    yield from run.facts
    if run.differing:
        yield Fact(label="Differs, too", value=", ".join(each.what for each in run.differing))


def _body(table: CapacityTable, section: CapacitySection) -> Iterator[str]:
    for titles, *rows in _grids(table, section):
        yield line(titles)
        yield line([":--", *("--:" for _ in titles[1:-1]), ":--"])
        yield from (line([plain(each) for each in row]) for row in rows)
        yield ""
    yield from (f"- {fact.label}: {plain(fact.value)}" for fact in section.conditions)
    yield from (f"- {plain(each)}" for each in _remarks(table, section))


def _heading(section: CapacitySection) -> str:
    return f"{section.workload}, {plural(section.cpus, 'core')}"


def _grids(table: CapacityTable, section: CapacitySection) -> Iterator[list[list[str]]]:
    """The capacities and the curves, where each was asked for: a line of titles, and one for each target."""
    if table.slo:
        shares = sorted({each.share for row in section.rows for each in row.latencies})
        titles = [f"p50 / p99 ms at {percent(share)}" for share in shares]
        yield [
            ["target", "capacity req/s", "missed at", "req /CPU s", *titles, "trials"],
            *([*_capacity(row), *_latencies(row, shares), _trials(row)] for row in section.rows),
        ]
    curves = [row for row in section.rows if row.curve]
    if curves:
        levels = sorted({point.users for row in curves for point in row.curve})
        users = [plural(level, "user") for level in levels]
        yield [
            ["target", *users, "X(1) req/s", "contention", "coherency", "peak at"],
            *([row.target, *_points(row, levels), *_law(row)] for row in curves),
        ]


def _capacity(row: CapacityRow) -> tuple[str, str, str, str]:
    if row.lacks is not None:
        return row.target, "n/a", ABSENT, ABSENT
    found = ", ".join(map(_found, row.searches))
    return row.target, found, per_second(row.found.missed_at), per_second(row.per_cpu_s)


def _found(search: SearchIn) -> str:
    """A rate never stands without what it is, where it is not the capacity itself; in brackets where it is doubted."""
    rate = per_second(search.found.rate)
    shown = {
        Outcome.FOUND: rate,
        Outcome.AT_LEAST: f"at least {rate}",
        Outcome.LESS_THAN: f"less than {rate}",
        Outcome.UNKNOWN: "unknown",
    }
    text = shown[search.found.outcome]
    return f"({text})" if search.doubted else text


def _latencies(row: CapacityRow, shares: Sequence[float]) -> list[str]:
    found = {each.share: each for each in row.latencies}
    return [_latency(found[share]) if share in found else ABSENT for share in shares]


def _latency(at: AtShare) -> str:
    if at.answer is Answer.VOID and at.p50_us is None:
        return "VOID"
    return f"{milliseconds(at.p50_us)} / {milliseconds(at.p99_us)}"


def _trials(row: CapacityRow) -> str:
    return f"{row.trials}, {row.void} VOID" if row.void else f"{row.trials}"


def _points(row: CapacityRow, levels: Sequence[int]) -> list[str]:
    found = {point.users: point.throughput for point in row.curve}
    return [per_second(found.get(level)) for level in levels]


def _law(row: CapacityRow) -> list[str]:
    if row.fit is None:
        return [ABSENT] * 4
    peak = row.fit.peak_users
    return [
        estimate(row.fit.rate_of_one, per_second),
        _loss(row.fit.contention),
        _loss(row.fit.coherency),
        ABSENT if peak is None else f"{significant(peak, 2)} users",
    ]


def _loss(interval: Interval) -> str:
    return estimate(interval, lambda value: significant(value, 2))


def _remarks(table: CapacityTable, section: CapacitySection) -> Iterator[str]:
    """What is to be said of some rows, and what the columns of the curves mean."""
    for row in section.rows:
        if row.lacks is not None:
            yield f"{row.target}: it lacks the capability {row.lacks!r}"
        elif row.found.reason and table.slo:
            yield f"{row.target}: {row.found.outcome.value}: {one_line(row.found.reason)}"
        for at in row.latencies:
            if at.reason:
                yield f"{row.target}: at {percent(at.share)} of its capacity: {at.answer.value}: {at.reason}"
        yield from (f"{row.target}: {one_line(each)}" for each in row.remarks)
        if row.fit is not None:
            yield f"{row.target}: its closed trials lie {percent(row.fit.error)} off the fit"
    if any(row.fit for row in section.rows):
        yield LAW


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows with the first column to the left and the others to the right; they move closer where they must."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    gap = "  " if sum(widths) + 2 * (len(widths) - 1) <= WIDTH else " "
    for first, *others in rows:
        right = (text.rjust(width) for text, width in zip(others, widths[1:], strict=True))
        yield gap.join([first.ljust(widths[0]), *right])


def _folded(text: str, *, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
