"""Verbs that only read what a run has left: compare, report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from serverlab import analysis, reports, store
from serverlab.analysis.guarding import read_rules
from serverlab.analysis.likeness import refuse_differing
from serverlab.analysis.regression import compare_runs
from serverlab.cli.capacity import print_capacities, print_together
from serverlab.cli.context import Context, show
from serverlab.errors import Exit, UsageError, VerdictFailed
from serverlab.model.regressions import Comparison, Rule
from serverlab.model.security import Verdict
from serverlab.reports import regression

Flag = Annotated[bool, Parameter(negative="")]

EXIT_CODES: dict[Verdict | None, Exit] = {
    Verdict.FAIL: Exit.VERDICT_FAILED,
    Verdict.UNKNOWN: Exit.NOT_ENOUGH_EVIDENCE,
}
"""Of a comparison, by its worst verdict."""


class Judging:
    """The verbs, bound to a context."""

    def __init__(self, context: Context) -> None:
        """Work with this checkout."""
        self._context = context

    def compare(
        self,
        run: str | None = None,
        new: str | None = None,
        *,
        fail_on: Annotated[tuple[str, ...], Parameter(negative="")] = (),
        unlike: Flag = False,
        format: str = "text",  # noqa: A002 - the option's name
    ) -> int:
        """Print the table of a run, and write it beside the run; with a second run, what changed from one to the other.

        Two searches for capacity stand in one table; the exit code is 5 where one of the capacities is not known. Runs
        that should not be compared are refused, and what differs is named. With --fail-on the exit code is 1 when a
        verdict is FAIL, 5 when none is but one is UNKNOWN, because the runs do not carry an answer, and else 0.

        Parameters
        ----------
        run
            EXPERIMENT/RUN, EXPERIMENT (its newest run) or a path; without it the newest run of all.
        new
            Another run, named likewise: it is compared with the first one.
        fail_on
            From which change on a metric counts as regressed: p99:+10%, rps:-5%, errors:+0.1pp. May be repeated.
        unlike
            Compare runs although they are unlike, and say so.
        format
            text, markdown, json or, of one run, csv.
        """
        if new is not None:
            return self._compare(run, new, rules=read_rules(fail_on), unlike=unlike, format_name=format)
        if fail_on or unlike:
            raise UsageError("--fail-on and --unlike need two runs", "Say: serverlab compare BASE NEW")
        _check_format(format, reports.FORMATS)
        print_table(self._context, store.find_run(self._context.root / "results", run), format)
        return int(Exit.OK)

    def report(self, *, docs: Flag = False, check: Flag = False) -> None:
        """Render the tables in README.md and docs/ from the result files that they name.

        Parameters
        ----------
        docs
            Write the rendered tables into the files.
        check
            Write nothing; fail when a table is not what its result file renders.
        """
        if docs == check:
            raise UsageError("say either --docs or --check")
        pages = [self._context.root / "README.md", *sorted((self._context.root / "docs").rglob("*.md"))]
        if docs:
            changed = reports.render_docs(pages, self._context.root)
            show(
                "\n".join(f"rendered {path.relative_to(self._context.root)}" for path in changed)
                or "nothing to render"
            )
        elif stale := reports.stale(pages, self._context.root):
            names = ", ".join(str(path.relative_to(self._context.root)) for path in stale)
            raise VerdictFailed(f"not what the result files render: {names}", "`make report` renders them.")

    def _compare(
        self, base: str | None, new: str, *, rules: tuple[Rule, ...], unlike: bool, format_name: str
    ) -> int:
        _check_format(format_name, regression.FORMATS)
        before, after = (store.find_run(self._context.root / "results", name) for name in (base, new))
        if before.resolve() == after.resolve():
            raise UsageError(f"{after}: this is the run that it was to be compared with", "Name another one.")
        runs = [store.read_run(path) for path in (before, after)]
        searches = [run.name for run in runs if run.plan.experiment.capacity]
        if len(searches) == len(runs) and not rules:
            return print_together(runs, format_name, unlike=unlike)
        if searches:
            raise UsageError(
                f"{', '.join(searches)}: what was searched for has no metrics that are compared",
                "Name two searches without --fail-on, or two runs of experiments.",
            )
        comparison = compare_runs(runs[0], runs[1], rules)
        _refuse(comparison, unlike=unlike)
        show(regression.FORMATS[format_name](comparison))
        return int(EXIT_CODES.get(comparison.verdict, Exit.OK))


def register(app: App, context: Context) -> None:
    """Add the verbs to the app."""
    verbs = Judging(context)
    app.command(verbs.compare)
    app.command(verbs.report)


def _check_format(name: str, formats: Iterable[str]) -> None:
    if name not in formats:
        raise UsageError(f"unknown format {name!r}", f"Known: {', '.join(formats)}")


def _refuse(comparison: Comparison, *, unlike: bool) -> None:
    """Raise UsageError where the runs share nothing, or are unlike and nobody asked for that."""
    both = f"{comparison.base} and {comparison.new}"
    if not comparison.cells:
        raise UsageError(
            f"{both} cannot be compared: they share no target with the same workload and budget",
            "Compare runs of one experiment.",
        )
    if not unlike:
        refuse_differing(
            comparison.base,
            comparison.new,
            comparison.unlike,
            hint="Measure both alike; with --unlike they are compared all the same, and the output says so.",
        )


def print_table(context: Context, path: Path, format_name: str) -> None:
    """Print the table of the run in ``path``, and write it beside the run in every format but plain text."""
    run = store.read_run(path)
    if run.plan.experiment.capacity:
        print_capacities(context, path, format_name)
        return
    table = analysis.tabulate(run)
    for name, suffix in (("json", "json"), ("csv", "csv"), ("markdown", "md")):
        store.write_table(path, text=reports.FORMATS[name](table), suffix=suffix)
    show(reports.FORMATS[format_name](table))
    context.say(f"results: {path} (table.json, table.csv, table.md)")
