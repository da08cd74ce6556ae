"""What containers said, and how they ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from serverlab.formatting import harmless

Container: TypeAlias = Any
"""A container (network, volume, client) of docker-py, which has no types."""


def tails(containers: Iterable[Container], *, lines: int = 12) -> str:
    """The last log lines of the containers, indented, each block below its container's name."""
    return "".join(f"\n{each.name} {_state(each)}:{_log_tail(each, lines)}" for each in containers)


def log_lines(container: Container, *, lines: int) -> list[str]:
    """The last lines that a container logged."""
    text: bytes = container.logs(tail=lines)
    return [harmless(line) for line in text.decode(errors="replace").splitlines()]


def whole_lines(container: Container) -> list[str]:
    """The lines of a container's standard output so far; what is not ended yet is no line."""
    text: bytes = container.logs(stdout=True, stderr=False)
    return text.decode(errors="replace").split("\n")[:-1]


def follow(container: Container) -> Iterator[str]:
    """The lines of a container's standard output, until it ends."""
    rest = b""
    chunks = container.logs(stdout=True, stderr=False, stream=True, follow=True)
    try:
        for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace")
    finally:  # the stream's own close() leaves its socket to the garbage collector
        getattr(chunks, "_response", chunks).close()
    if rest:
        yield rest.decode(errors="replace")


def _state(container: Container) -> str:
    why = " (out of memory)" if container.attrs["State"].get("OOMKilled") else ""
    ended = container.status in ("exited", "dead")
    return f"ended with {exit_code(container)}{why}" if ended else f"is {container.status}"


def exit_code(container: Container) -> int:
    """The code that the container ended with, 0 while it runs."""
    return int(container.attrs["State"]["ExitCode"])


def _log_tail(container: Container, lines: int) -> str:
    return (
        "".join(f"\n  | {line}" for line in log_lines(container, lines=lines)) or "\n  | (it logged nothing)"
    )
