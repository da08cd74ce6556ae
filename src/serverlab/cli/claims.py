"""The verb that judges popular sentences."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from serverlab.analysis.claims import judge_claims
from serverlab.attacks import ATTACKS
from serverlab.catalog.claims import Names, claim_files, claim_mistakes, load_claims
from serverlab.cli.context import Context, show, show_json
from serverlab.errors import Exit, NotEnoughEvidence, UsageError, VerdictFailed
from serverlab.faults import FAULTS
from serverlab.formatting import did_you_mean
from serverlab.framing import CASES
from serverlab.model.claims import Claim, JudgedClaim, Verdict
from serverlab.reports.claims import as_json, claim_lines, holdings_for

Flag = Annotated[bool, Parameter(negative="")]

GO_ON = frozenset({Exit.OK, Exit.VERDICT_FAILED, Exit.NOT_ENOUGH_EVIDENCE})
"""How a command that makes evidence may end: that a server fails is evidence as well."""


class Claims:
    """The verb, bound to a context and the app that runs the commands of claims."""

    def __init__(self, app: App, context: Context) -> None:
        """Work with this checkout, and call verbs of this app."""
        self._app = app
        self._context = context

    def claims(
        self, *, only: str | None = None, run: Flag = False, own: Flag = False, json: Flag = False
    ) -> int:
        """Tell what the results say of popular sentences about servers and tokens: holds, does not hold, depends, open.

        The verdict is computed from result files by the rule in the claim's file. Exit code 5 when one of them is open:
        there is not enough evidence. A sentence that does not hold is a result, and no failure.

        Parameters
        ----------
        only
            These claims, by name, separated by commas.
        run
            Make the evidence anew on this machine by the commands that the claims name, and judge by that alone.
        own
            Judge by the runs of this machine in results/, not by the published ones in results/reference/.
        json
            For a machine to read.
        """
        chosen = self._chosen(only)
        if run and only is None:
            raise UsageError("--run would take hours for all claims", "Say which: --only NAME --run")
        since = self._make(chosen.values()) if run else ""
        results = self._context.root / "results"
        published = results if run or own else results / "reference"
        holdings = holdings_for(chosen.values(), self._context.sound_catalog, published, since)
        for problem in holdings.problems:
            self._context.say(f"{problem}")
        return _print(judge_claims(chosen, holdings), json=json)

    def _chosen(self, only: str | None) -> dict[str, Claim]:
        """The claims with these names, all of them without any."""
        claims = load_claims(self._context.root)
        names = [part.strip() for part in only.split(",")] if only is not None else list(claims)
        for name in names:
            if name not in claims:
                raise UsageError(
                    f"no claim {name!r}{did_you_mean(name, claims)}", f"Known: {', '.join(claims)}"
                )
        return {name: claims[name] for name in claims if name in names}

    def _make(self, claims: Iterable[Claim]) -> str:
        """Run each command of the claims once; return when the first was begun."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        commands = dict.fromkeys(command for claim in claims for command in claim.test)
        for command in commands:
            self._context.say(f"evidence: {command}")
            with contextlib.redirect_stdout(sys.stderr):
                self._call(command)
        return since

    def _call(self, command: str) -> None:
        words = [self._whole(word) for word in shlex.split(command)[1:]]
        try:
            code = self._app(words, exit_on_error=False, print_error=False)
        except (VerdictFailed, NotEnoughEvidence) as told:
            self._context.say(told.what)
            return
        if code not in (None, *GO_ON):
            raise NotEnoughEvidence(
                f"{command}: ended with exit code {code}", "Without it there is no evidence."
            )

    def _whole(self, word: str) -> str:
        """A file of the checkout by its whole path, wherever the verb is called; other words as they are."""
        return str(self._context.root / word) if word.endswith(".toml") else word


def register(app: App, context: Context) -> None:
    """Add the verb to the app."""
    app.command(Claims(app, context).claims)


def names_of_conditions() -> Names:
    """The ids that conditions may name."""
    return Names(attacks=ATTACKS.keys(), faults=FAULTS.keys(), cases=CASES.keys())


def all_claim_mistakes(app: App, context: Context) -> list[str]:
    """What is wrong in the files of claims, their commands included."""
    found: list[str] = []
    for path in claim_files(context.root):
        mistakes = list(claim_mistakes(path, context.catalog, names_of_conditions()))
        found += [each.replace(f"{context.root}/", "") for each in mistakes]
    with contextlib.suppress(UsageError):
        for name, claim in load_claims(context.root).items():
            found += [
                f"claims/{name}.toml: test: {each}" for each in _command_mistakes(app, claim, context.root)
            ]
    return found


def _command_mistakes(app: App, claim: Claim, root: Path) -> Iterator[str]:
    for command in claim.test:
        words = shlex.split(command)[1:]
        try:
            app.parse_args(words, exit_on_error=False, print_error=False)
        except CycloptsError as wrong:
            yield f"{command!r}: {wrong}"
        files = [word for word in words if word.endswith(".toml")]
        yield from (f"{command!r}: no file {each}" for each in files if not (root / each).is_file())


def _print(judged: Sequence[JudgedClaim], *, json: bool) -> int:
    if json:
        show_json([as_json(each) for each in judged])
    else:
        show("\n\n".join("\n".join(claim_lines(each)) for each in judged))
    is_open = any(each.verdict is Verdict.OPEN for each in judged)
    return int(Exit.NOT_ENOUGH_EVIDENCE if is_open else Exit.OK)
