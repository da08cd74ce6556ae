"""What can go wrong, each with the exit code that the command line ends with."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every verb; they are printed in --help."""

    OK = 0
    VERDICT_FAILED = 1
    USAGE = 2
    ENVIRONMENT = 3
    INTERRUPTED = 4
    NOT_ENOUGH_EVIDENCE = 5
    LAB_BROKE = 70


class LabError(Exception):
    """Something the user has to know: what happened, to which file or target, and what to do next.

    It is caught once, in `cli`, which prints `what`, then `hint`, and ends with `exit_code`.
    """

    exit_code: Exit = Exit.LAB_BROKE

    def __init__(self, what: str, hint: str = "") -> None:
        """Keep `what` happened and a `hint` on what to do next (may be empty)."""
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        """Return what happened and, on a line of its own, what to do next."""
        return f"{self.what}\n{self.hint}" if self.hint else self.what


class VerdictFailed(LabError):
    """A verdict is FAIL, or a regression was found."""

    exit_code = Exit.VERDICT_FAILED


class UsageError(LabError):
    """A wrong name, option or file."""

    exit_code = Exit.USAGE


class EnvironmentLacks(LabError):
    """The machine lacks something that the lab needs."""

    exit_code = Exit.ENVIRONMENT


class Interrupted(LabError):
    """The user stopped the lab; what was measured is kept and the run can be resumed."""

    exit_code = Exit.INTERRUPTED


class NotEnoughEvidence(LabError):
    """The results do not carry the answer that was asked for."""

    exit_code = Exit.NOT_ENOUGH_EVIDENCE


class TrialFailed(LabError):
    """A target or its load broke: this makes one trial VOID and says nothing about the others."""

    exit_code = Exit.ENVIRONMENT

    @property
    def reason(self) -> str:
        """Why the trial is VOID: what happened and, after a semicolon, what to do; last lines of a log stay below."""
        what, *below = self.what.split("\n")
        action = f"; {self.hint[0].lower()}{self.hint[1:].rstrip('.')}" if self.hint else ""
        return "\n".join([f"{what}{action}", *below])


class CommandFailed(LabError):
    """A command of the machine ended badly or not in time; `what` carries the last lines of its output."""

    exit_code = Exit.ENVIRONMENT
