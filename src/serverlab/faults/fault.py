"""What a fault is, and the stack that it is injected into."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2

from serverlab.compose import Engine, StackSettings
from serverlab.errors import TrialFailed
from serverlab.model.definitions import Target
from serverlab.model.faults import Happening, Rule
from serverlab.probe import ONE_REQUEST_EACH, Expectation, front_url
from serverlab.shell import Shell

EDGE = "edge"
"""What a fault needs, beside the names of capabilities: an edge in front of the server."""

RECOVERS = Rule()
"""What is asked of every stack: nothing lost, and well again."""

CONFIRM_S = 5.0
CONFIRM_PAUSE_S = 0.02


class NotEffective(TrialFailed):
    """The fault was injected and nothing came of it: the cell says nothing about the stack."""


class NotUndone(TrialFailed):
    """The fault was undone and is still there: what was seen after it says nothing about recovery."""


def _unmarked(what: Happening) -> None:
    """Keep no mark."""


@dataclass(frozen=True)
class Scene:
    """A running stack that is probed, and the means to break it.

    ``note`` keeps a sentence for the cell, ``measure`` numbers under names with units (``measure(exit_code=0)``),
    ``mark`` the moment at which it is called. ``hold_s`` is how long the fault will be held once it is injected.
    """

    engine: Engine
    shell: Shell
    root: Path
    expected: Expectation
    hold_s: float
    note: Callable[[str], None]
    measure: Callable[..., None]
    mark: Callable[[Happening], None] = _unmarked

    def acted(self) -> None:
        """Say that the act itself begins now, all that it needs being ready: what it costs is counted from here.

        Without it, that is when ``inject`` was called.
        """
        self.mark(Happening.ACTED)

    def lifted(self) -> None:
        """Say that the cause is gone as of now; recovery is counted from the last time that this is said.

        It is said right after a container was told to start, a way was opened, a process was thawed, and before anybody
        waits for the stack to make something of it; for what ends by itself, right after the act. Without it, recovery
        is counted from when the undo had been confirmed.
        """
        self.mark(Happening.LIFTED)

    @property
    def settings(self) -> StackSettings:
        """How the stack was started."""
        return self.expected.settings

    @property
    def target(self) -> Target:
        """What is broken."""
        return self.settings.target

    @cached_property
    def url(self) -> str:
        """Where the stack answered when it was whole; a container that is started again has another port."""
        return front_url(self.engine, self.settings)

    def client(self, *, timeout_s: float = 10.0) -> httpx2.Client:
        """A client for the stack's front door that uses each connection once; to be used in a ``with`` block."""
        return httpx2.Client(base_url=self.url, timeout=timeout_s, limits=ONE_REQUEST_EACH)


@dataclass(frozen=True, kw_only=True)
class Fault(ABC):
    """Something that is broken on purpose, with its undo; the fields of a kind of fault are its settings.

    ``what`` is a sentence for people, ``rule`` what a stack has to do to pass. ``needs`` are capabilities of the
    target, or EDGE. ``hold_s``, where it is not 0, is how long it is held whatever the experiment says: a rule with an
    absolute bound needs one. The lab switches its views for faults on (LAB_FAULTS) whatever the fault is.
    """

    id: str
    title: str
    what: str
    rule: Rule = RECOVERS
    needs: tuple[str, ...] = ()
    hold_s: float = 0.0

    def stack(self) -> Mapping[str, Any]:
        """The fields of StackSettings that the stack has to have for it: ``{"replicas": 2, "overlays": ("x.yml",)}``.

        Variables that an overlay is filled in with go into ``app``, to which LAB_FAULTS is added.
        """
        return {}

    def applicable(self, expected: Expectation) -> str | None:
        """Why the fault has no meaning on the stack, or None; it is asked before anything is started."""
        return lacking(self.needs, expected)

    @abstractmethod
    def inject(self, scene: Scene) -> AbstractContextManager[str]:
        """Break it, and give what was seen once the effect is confirmed; whatever ends the block undoes it.

        The undo is confirmed, too: it is over when the block has been left.

        Raises:
            NotEffective: nothing came of it.
            NotUndone: on leaving the block, the fault is still there.
            TrialFailed: it could not be injected.
        """

    def left_behind(self, scene: Scene) -> str | None:  # noqa: ARG002 - for those that leave something
        """What is still there of it when it should be undone, or None; asked whatever ``inject`` says it has done."""
        return None


def lacking(needs: tuple[str, ...], expected: Expectation) -> str | None:
    """The first need that the target does not meet, as a reason, or None."""
    capabilities = expected.capabilities | set(expected.edge.capabilities if expected.edge else ())
    for need in needs:
        if need == EDGE and expected.edge is None:
            return "there is no edge in front of it"
        if need != EDGE and need not in capabilities:
            return f"lacks the capability {need}"
    return None


def await_effect(
    what: str,
    seen: Callable[[], str | None],
    *,
    within_s: float | None = None,
    pause_s: float = CONFIRM_PAUSE_S,
) -> str:
    """What ``seen`` says as soon as it says anything, which has to be within CONFIRM_S unless another time is given.

    Raises:
        NotEffective: it said nothing within the time; ``what`` says which effect was waited for.
    """
    patience_s = CONFIRM_S if within_s is None else within_s
    return _awaited(seen, patience_s, pause_s, NotEffective(f"{what}: not seen within {patience_s:g} s"))


def await_undone(
    what: str,
    seen: Callable[[], str | None],
    *,
    within_s: float | None = None,
    pause_s: float = CONFIRM_PAUSE_S,
) -> str:
    """As await_effect, for an undo.

    Raises:
        NotUndone: it said nothing within the time.
    """
    patience_s = CONFIRM_S if within_s is None else within_s
    return _awaited(seen, patience_s, pause_s, NotUndone(f"{what}: not seen within {patience_s:g} s"))


def _awaited(seen: Callable[[], str | None], within_s: float, pause_s: float, otherwise: TrialFailed) -> str:
    give_up = time.monotonic() + within_s
    while (saw := seen()) is None:
        if time.monotonic() > give_up:
            raise otherwise
        time.sleep(pause_s)
    return saw
