"""Verbs that only read what a run has left: compare, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from serverlab import analysis, reports, store
from serverlab.cli.context import Context, show
from serverlab.errors import UsageError, VerdictFailed

Flag = Annotated[bool, Parameter(negative="")]


class Judging:
    """The verbs, bound to a context."""

    def __init__(self, context: Context) -> None:
        """Work with this checkout."""
        self._context = context

    def compare(self, run: str | None = None, *, format: str = "text") -> None:  # noqa: A002 - the option's name
        """Print the table of a run, and write it beside the run as JSON, CSV and Markdown.

        Parameters
        ----------
        run
            EXPERIMENT/RUN, EXPERIMENT (its newest run) or a path; without it the newest run of all.
        format
            text, markdown, json or csv.
        """
        if format not in reports.FORMATS:
            raise UsageError(f"unknown format {format!r}", f"Known: {', '.join(reports.FORMATS)}")
        print_table(self._context, store.find_run(self._context.root / "results", run), format)

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


def register(app: App, context: Context) -> None:
    """Add the verbs to the app."""
    verbs = Judging(context)
    app.command(verbs.compare)
    app.command(verbs.report)


def print_table(context: Context, path: Path, format_name: str) -> None:
    """Print the table of the run in ``path``, and write it beside the run in every format but plain text."""
    table = analysis.tabulate(store.read_run(path))
    for name, suffix in (("json", "json"), ("csv", "csv"), ("markdown", "md")):
        store.write_table(path, text=reports.FORMATS[name](table), suffix=suffix)
    show(reports.FORMATS[format_name](table))
    context.say(f"results: {path} (table.json, table.csv, table.md)")
