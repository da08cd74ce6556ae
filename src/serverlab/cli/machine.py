"""Verbs that look after the machine: engine, images, doctor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from cyclopts import App, Parameter

from serverlab import doctor as checks
from serverlab.browser import ensure_browser
from serverlab.cli.context import Context, show, show_json
from serverlab.engine import ensure_engine
from serverlab.errors import Exit
from serverlab.reproduction import compare_builds, take_inventory

SHOWN = 20
"""How many differences of an image are told."""


class Machine:
    """The verbs, bound to a context."""

    def __init__(self, context: Context) -> None:
        """Work with this checkout and engine."""
        self._context = context

    def engine(self) -> None:
        """Find the container engine, or install and start one (Debian and Ubuntu, as root)."""
        facts = ensure_engine(self._context.shell, self._context.say)
        self._context.say(
            f"engine {facts.version}, compose {facts.compose_version}, buildx {facts.buildx_version}"
        )

    def images(
        self,
        *,
        verify: Annotated[bool, Parameter(negative="")] = False,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Find, pull or bootstrap the base image and build every image that has changed.

        Parameters
        ----------
        verify
            Also build each image twice from nothing; exit code 1 when two builds do not hold the same files.
            With --json it is said there in how many paths they differ.
        json
            Also print for a machine to read how large each image is and how many packages it holds.
        """
        context = self._context
        context.images()
        found = compare_builds(context.shell, context.root, context.say) if verify else {}
        if json:
            show_json(take_inventory(context.shell, context.root, context.say, compared=found))
        else:
            _show_compared(found)
        return int(Exit.VERDICT_FAILED if any(found.values()) else Exit.OK)

    def browser(self) -> None:
        """Find the Chromium that the browser tests drive, or install it (Debian, as root)."""
        self._context.say(f"browser: {ensure_browser(self._context.shell, self._context.say)}")

    def doctor(self, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
        """Tell what is wrong with this machine and how to mend it; exit code 3 when something is.

        Parameters
        ----------
        json
            For a machine to read.
        """
        findings = checks.examine(self._context.shell, self._context.root)
        if json:
            show_json(findings)
        else:
            show("\n".join(checks.line(each) for each in findings))
        return int(Exit.ENVIRONMENT if any(each.state.value == "fail" for each in findings) else Exit.OK)


def _show_compared(found: Mapping[str, list[str]]) -> None:
    for name, differences in found.items():
        lines = [f"{name}: {_compared(differences)}", *(f"  {line}" for line in differences[:SHOWN])]
        show("\n".join(lines))


def _compared(differences: list[str]) -> str:
    if not differences:
        return "two builds are the same"
    return "1 file differs" if len(differences) == 1 else f"{len(differences)} files differ"


def register(app: App, context: Context) -> None:
    """Add the verbs to the app."""
    verbs = Machine(context)
    app.command(verbs.engine)
    app.command(verbs.images)
    app.command(verbs.browser)
    app.command(verbs.doctor)
