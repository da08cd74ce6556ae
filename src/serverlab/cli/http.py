"""The verb that sends odd requests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from serverlab import host
from serverlab.cli.context import Context, show, show_json
from serverlab.compose import Database
from serverlab.errors import Exit, UsageError
from serverlab.formatting import did_you_mean, plural
from serverlab.framing import CASES
from serverlab.framing.case import Case
from serverlab.model.definitions import Target
from serverlab.model.framing import Differential, Framed
from serverlab.model.security import Verdict
from serverlab.runner import provenance
from serverlab.runner.framing import images_asked, start_framing
from serverlab.runner.run import Describe
from serverlab.store.framing_runs import find_differential, read_differential


class Http:
    """The verb, bound to a context."""

    def __init__(self, context: Context) -> None:
        """Work with this checkout and engine."""
        self._context = context

    def http(
        self,
        *targets: str,
        only: str | None = None,
        resume: str | None = None,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Send malformed, ambiguous and oversized requests to every target, and tell what became of them.

        Exit code 1 when requests were not kept apart on a target, or a case could not be put to it. What is only other
        than the RFC wants is told and is no failure.

        Parameters
        ----------
        targets
            SERVER[:VARIANT][+EDGE], for example gunicorn:gthread+nginx; all of them if none is named.
        only
            Ids of cases, or beginnings of ids, separated by commas: H-01,H-6.
        resume
            Go on with this run: ask what it has no answers for. Name the same targets and cases.
        json
            For a machine to read.
        """
        cases = chosen_cases(only)
        earlier = find_differential(self._context.root / "results", resume) if resume else None
        chosen = self._targets(targets, earlier)
        path = start_framing(
            self._context.lab,
            chosen,
            cases,
            cores=host.cores_of(self._context.engine),
            describe=self._describer(chosen, earlier),
            resume=earlier,
        )
        return self._tell(path, json=json)

    def _targets(self, names: Sequence[str], earlier: Path | None) -> list[Target]:
        """The targets that are named, each once; without names all, of an ``earlier`` run all that it has images of.

        Raises:
            UsageError: the earlier run was begun without an image of one that is named.
        """
        catalog = self._context.sound_catalog
        named = list(dict.fromkeys(catalog.target(name) for name in names))
        if earlier is None:
            return named or list(catalog.targets())
        begun = read_differential(earlier).environment.images
        lacking = [str(target) for target in named if not _images_of(target) <= begun.keys()]
        if lacking:
            raise UsageError(
                f"{earlier}: it was begun without the images of {', '.join(lacking)}",
                "Name targets that it was begun with, or start a new run.",
            )
        return named or [target for target in catalog.targets() if _images_of(target) <= begun.keys()]

    def _describer(self, targets: Sequence[Target], earlier: Path | None) -> Describe:
        """A function that describes a run of the targets; an ``earlier`` one by the images that it was begun with."""
        images = self._context.images()
        if earlier is None:
            asked = images_asked(images, targets)
        else:
            begun = read_differential(earlier).environment.images
            asked = {name: facts for name, facts in images.items() if name in begun}
        return provenance.describer(self._context.lab, images=asked, database=Database.SQLITE)

    def _tell(self, path: Path, *, json: bool) -> int:
        run = read_differential(path)
        if json:
            show_json({"run": run.name, "answers": run.found, "problems": run.problems})
        else:
            show("\n".join(lines(run)))
        for problem in run.problems:
            self._context.say(f"{problem}")
        self._context.say(f"answers: {path}")
        return int(Exit.VERDICT_FAILED if any(is_bad(each) for each in run.found) else Exit.OK)


def register(app: App, context: Context) -> None:
    """Add the verb to the app."""
    app.command(Http(context).http)


def _images_of(target: Target) -> set[str]:
    """The images that a target's stack is made of, but for the app's."""
    return {target.server, *([target.edge] if target.edge else [])}


def chosen_cases(only: str | None) -> list[Case]:
    """The cases whose ids begin with one of the comma-separated texts; all of them without any.

    Raises:
        UsageError: a text is the beginning of none.
    """
    if only is None:
        return list(CASES.values())
    beginnings = [part.strip() for part in only.split(",")]
    for beginning in beginnings:
        if not beginning or not any(name.startswith(beginning) for name in CASES):
            near = did_you_mean(beginning, CASES)
            raise UsageError(f"no case {beginning!r}{near}", f"From {min(CASES)} to {max(CASES)}.")
    return [case for name, case in CASES.items() if name.startswith(tuple(beginnings))]


def is_bad(each: Framed) -> bool:
    """Whether requests were not kept apart, or nothing could be seen."""
    return bool(each.problem) or any(answer.smuggled for answer in each.answers)


def lines(run: Differential) -> list[str]:
    """A line for each form that was not answered as the RFC wants, and one with the totals."""
    told = [line for each in run.found for line in _lines(each)]
    answers = [answer for each in run.found for answer in each.answers]
    otherwise = sum(answer.verdict is Verdict.FAIL for answer in answers)
    hidden = sum(bool(answer.smuggled) for answer in answers)
    unknown = sum(bool(each.problem) for each in run.found)
    total = (
        f"{plural(len(answers), 'answer')}: {len(answers) - otherwise} as the RFC wants, {otherwise} otherwise, "
        f"{hidden} smuggled; {plural(unknown, 'case')} not shown"
    )
    return [*told, total]


def _lines(each: Framed) -> list[str]:
    problem = [f"? {each.target}  {each.case}  {each.problem}"] if each.problem else []
    return problem + [
        f"{'✗' if answer.smuggled else '≠'} {each.target}  {each.case}  {answer.form}: "
        f"{'; '.join(filter(None, (answer.smuggled, answer.said)))} ({each.right})"
        for answer in each.answers
        if answer.smuggled or answer.verdict is Verdict.FAIL
    ]
