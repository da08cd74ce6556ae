"""Stand-ins for what the lab talks to, written by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serverlab.errors import CommandFailed
from serverlab.shell import Completed, OnLine


@dataclass(frozen=True)
class Answer:
    """What a command answers; `does` is called first, `hangs` makes it run into its time limit."""

    stdout: str = ""
    stderr: str = ""
    returncode: int = 0
    does: Callable[[Sequence[str]], None] | None = None
    hangs: bool = False


ABSENT = Answer(returncode=127, stderr="not found")
NO = Answer(returncode=1, stderr="no")


@dataclass
class FakeShell:
    """Answers by the longest scripted beginning of the command line; a list is used up answer by answer.

    A command nobody scripted fails the test.
    """

    script: Mapping[str, Answer | list[Answer]]
    calls: list[str] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)
    started: list[tuple[str, Path]] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout_s: float | None = None,
        input_text: str | None = None,
        on_line: OnLine | None = None,
        on_error_line: OnLine | None = None,
    ) -> Completed:
        said = " ".join(argv)
        self.calls.append(said)
        self.environments.append(env or {})
        answer = self._answer(said)
        if answer.does:
            answer.does(argv)
        for line in answer.stdout.splitlines() if on_line else ():
            on_line(line)
        for line in answer.stderr.splitlines() if on_error_line else ():
            on_error_line(line)
        if answer.hangs:
            raise CommandFailed(f"{said} did not end within {timeout_s:g} s")
        return Completed(tuple(argv), answer.returncode, answer.stdout, answer.stderr)

    def start(self, argv: Sequence[str], *, log: Path) -> int:
        self.started.append((" ".join(argv), log))
        answer = self._answer("start " + " ".join(argv))
        if answer.does:
            answer.does(argv)
        return 4711

    def _answer(self, said: str) -> Answer:
        known = [beginning for beginning in self.script if said.startswith(beginning)]
        assert known, f"no answer is scripted for: {said}"
        scripted = self.script[max(known, key=len)]
        if isinstance(scripted, Answer):
            return scripted
        return scripted.pop(0) if len(scripted) > 1 else scripted[0]
