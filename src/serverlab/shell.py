"""The only module that starts processes; everything that needs one is handed a `Shell`."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from serverlab.errors import CommandFailed

NOT_FOUND = 127
"""Exit code of a command that does not exist, as POSIX shells report it."""

NOT_EXECUTABLE = 126
"""Exit code of a file that may not be run, as POSIX shells report it."""

STOP_GRACE_S = 10.0
"""How long a child may take to end after SIGTERM before it is killed."""

STRAGGLER_GRACE_S = 1.0
"""How long output is still awaited when the child has ended but a grandchild keeps its pipes open."""

OF_STACKS = ("LAB_", "LOCUST_", "COMPOSE_")
"""How variables begin that the stacks' files and Compose read: the lab says what they are, not its caller."""

OnLine = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended: its arguments, exit code and whole output as text."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Tell whether the exit code is 0."""
        return self.returncode == 0


class Shell(Protocol):
    """What the lab asks of the machine it runs on; tests hand in their own."""

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
        """Run a command to its end; see `HostShell.run`."""
        ...

    def start(self, argv: Sequence[str], *, log: Path) -> int:
        """Start a command that outlives the lab; see `HostShell.start`."""
        ...


class _LateError(Exception):
    """The deadline is over; `output` is what the command has said until then."""

    def __init__(self, output: str) -> None:
        super().__init__("late")
        self.output = output


class HostShell:
    """Runs commands on this machine."""

    def __init__(self) -> None:
        """Begin with nothing started."""
        self._started: list[
            subprocess.Popen[bytes]
        ] = []  # held on to: an abandoned Popen complains when collected

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
        """Run `argv` to its end and return its exit code and output, whatever the code.

        `env` is added to the environment of the lab. `on_line` is called with each line of standard output,
        `on_error_line` with each line of standard error, while the command runs, in the caller's thread. The child
        has a process group of its own, so Ctrl-C reaches only the lab; when anything is raised meanwhile,
        KeyboardInterrupt included, the whole group is stopped before the exception goes on. A command that does
        not exist returns 127.
        Raises CommandFailed when the command is still running after `timeout_s`; it is stopped then.
        """
        try:
            child = _spawn(argv, env=env, cwd=cwd, feeds_input=input_text is not None)
        except FileNotFoundError as absent:
            return Completed(tuple(argv), NOT_FOUND, "", f"{absent.filename}: not found")
        except PermissionError as refused:
            return Completed(tuple(argv), NOT_EXECUTABLE, "", f"{refused.filename}: permission denied")
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            output = _Output(child, {"stdout": on_line, "stderr": on_error_line})
            if input_text is not None:
                output.feed(input_text)
            stdout, stderr = output.read(deadline=deadline)
            return Completed(tuple(argv), _wait(child, deadline=deadline), stdout, stderr)
        except _LateError as late:
            said = _tail(late.output, 10)
            raise CommandFailed(f"{_shown(argv)} did not end within {timeout_s:g} s{said}") from None
        finally:
            _stop(child)

    def start(self, argv: Sequence[str], *, log: Path) -> int:
        """Start `argv` in a session of its own, its output appended to `log`, and return its process id.

        It goes on when the lab ends. Raises CommandFailed when there is no such command.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            try:
                child = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                    cwd="/",
                )
            except FileNotFoundError as absent:
                raise CommandFailed(f"{absent.filename}: not found") from None
        self._started.append(child)
        return child.pid


def run_checked(
    shell: Shell,
    argv: Sequence[str],
    *,
    what: str = "",
    hint: str = "",
    last_lines: int = 15,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float | None = None,
    input_text: str | None = None,
    on_line: OnLine | None = None,
    on_error_line: OnLine | None = None,
) -> Completed:
    """Run `argv` like `Shell.run`, but promise success.

    Raises CommandFailed saying `what` failed (the command itself when empty) with the last lines of its output,
    and `hint`.
    """
    done = shell.run(
        argv,
        env=env,
        cwd=cwd,
        timeout_s=timeout_s,
        input_text=input_text,
        on_line=on_line,
        on_error_line=on_error_line,
    )
    if not done.ok:
        said = _tail(done.stderr if done.stderr.strip() else done.stdout, last_lines)
        raise CommandFailed(f"{what or _shown(argv)}: failed with exit code {done.returncode}{said}", hint)
    return done


class _Output:
    """Reads a child's two streams line by line, with one thread each, into one queue."""

    def __init__(self, child: subprocess.Popen[str], listeners: Mapping[str, OnLine | None]) -> None:
        self._child = child
        self._listeners = listeners
        self._lines: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
        self._seen: dict[str, list[str]] = {"stdout": [], "stderr": []}
        for name, stream in (("stdout", child.stdout), ("stderr", child.stderr)):
            if stream is not None:
                threading.Thread(target=self._pump, args=(name, stream), daemon=True).start()

    def _pump(self, name: str, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.put((name, line))
        self._lines.put((name, None))

    def feed(self, text: str) -> None:
        threading.Thread(target=self._write, args=(text,), daemon=True).start()

    def _write(self, text: str) -> None:
        if self._child.stdin is None:
            return
        try:
            with self._child.stdin as stdin:
                stdin.write(text)
        except BrokenPipeError:
            return  # the child did not want all of it; its exit code tells whether that matters

    def read(self, *, deadline: float | None) -> tuple[str, str]:
        open_streams = set(self._seen)
        ended_at: float | None = None
        while open_streams:
            try:
                name, line = self._lines.get(timeout=0.1)
            except queue.Empty:
                ended_at = self._when_to_give_up(ended_at)
                if ended_at is not None and time.monotonic() > ended_at:
                    break
            else:
                self._take(name, line, open_streams)
            if deadline is not None and time.monotonic() > deadline:
                raise _LateError("".join(self._seen["stdout"] + self._seen["stderr"]))
        return "".join(self._seen["stdout"]), "".join(self._seen["stderr"])

    def _take(self, name: str, line: str | None, open_streams: set[str]) -> None:
        if line is None:
            open_streams.discard(name)
            return
        self._seen[name].append(line)
        listener = self._listeners.get(name)
        if listener is not None:
            listener(line.rstrip("\n"))

    def _when_to_give_up(self, known: float | None) -> float | None:
        if known is None and self._child.poll() is not None:
            return time.monotonic() + STRAGGLER_GRACE_S
        return known


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What the lab's children have of its environment: nothing that the stacks' files would take for a setting."""
    return {name: value for name, value in environment.items() if not name.startswith(OF_STACKS)}


def _spawn(
    argv: Sequence[str], *, env: Mapping[str, str] | None, cwd: Path | None, feeds_input: bool
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        list(argv),
        env={**inherited(os.environ), **(env or {})},
        cwd=cwd,
        stdin=subprocess.PIPE if feeds_input else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def _wait(child: subprocess.Popen[str], *, deadline: float | None) -> int:
    """Wait for a child that has closed its output; raises _LateError at the deadline."""
    try:
        return child.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise _LateError("") from None


def _stop(child: subprocess.Popen[str]) -> None:
    """End the child's whole process group, politely first; nothing happens when it has ended already."""
    if child.poll() is not None:
        return
    _signal_group(child.pid, signal.SIGTERM)
    try:
        child.wait(STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        return  # `finally` kills it
    finally:  # also at a second Ctrl-C: no child may be left behind
        if child.poll() is None:
            _signal_group(child.pid, signal.SIGKILL)
            child.wait()


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _tail(text: str, count: int) -> str:
    lines = [line.rstrip() for line in text.splitlines() if line.strip()][-count:]
    return "".join(f"\n  | {line}" for line in lines)


def _shown(argv: Sequence[str]) -> str:
    text = " ".join(argv)
    return text if len(text) <= 120 else f"{text[:117]}..."
