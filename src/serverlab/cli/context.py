"""What every verb stands on, so that tests can hand in their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec

from serverlab import compose, images, ports
from serverlab.catalog import Catalog, load_catalog
from serverlab.errors import EnvironmentLacks, UsageError
from serverlab.lock import LOCK
from serverlab.model.records import ImageFacts
from serverlab.progress import say_on_stderr, write_no_more
from serverlab.runner import Lab
from serverlab.runner.breaking import CLOCK, MACHINE, Machine
from serverlab.runner.cell import Clock
from serverlab.shell import HostShell, Shell

CHECKOUT = Path(__file__).resolve().parents[3]
"""The checkout that this package was installed from (``pip install --editable``)."""


@dataclass
class Context:
    """The checkout, the shell and the engine that the verbs use, and what a run that breaks things goes by."""

    root: Path = CHECKOUT
    shell: Shell = field(default_factory=HostShell)
    connect: Callable[[Shell], compose.Engine] = compose.connect
    say: Callable[[str], None] = say_on_stderr
    lock: Path = LOCK
    clock: Clock = CLOCK
    machine: Machine = MACHINE
    unbuilt: dict[str, str] = field(default_factory=dict)
    taken_by: Callable[[int], str | None] = ports.taken_by

    @cached_property
    def catalog(self) -> Catalog:
        """All definitions of the checkout."""
        return load_catalog(self.root)

    @property
    def sound_catalog(self) -> Catalog:
        """The catalog.

        Raises:
            UsageError: a definition is wrong; every mistake is listed.
        """
        if self.catalog.mistakes:
            raise UsageError("\n".join(self.catalog.mistakes), "`serverlab check` reads all files again.")
        return self.catalog

    @cached_property
    def engine(self) -> compose.Engine:
        """The running engine."""
        return self.connect(self.shell)

    @cached_property
    def lab(self) -> Lab:
        """What the runner works with."""
        return Lab(
            root=self.root,
            shell=self.shell,
            engine=self.engine,
            catalog=self.sound_catalog,
            say=self.say,
            lock=self.lock,
            unbuilt=self.unbuilt,
        )

    def images(self, *, on_failure: images.OnFailure | None = None) -> dict[str, ImageFacts]:
        """Every image of the lab, built where it was stale; with ``on_failure`` those that can be built.

        Raises:
            EnvironmentLacks: no engine answers, which is found out before anything is pulled or built.
        """
        _ = self.engine
        return images.ensure_images(self.shell, self.root, self.say, on_failure=on_failure)


def show(text: str) -> None:
    """Print a result to standard output; who reads no more of it changes neither what is done nor the exit code.

    Raises:
        EnvironmentLacks: it cannot be written, for instance because the disk is full.
    """
    try:
        print(text, flush=True)
    except OSError as failed:
        write_no_more(sys.stdout)
        if isinstance(failed, BrokenPipeError):
            return
        what = f"standard output cannot be written: {failed.strerror}"
        raise EnvironmentLacks(what, "Make room, or send it elsewhere.") from None


def show_json(value: object) -> None:
    """Print a result for a machine to standard output, as ``show`` does."""
    show(json.dumps(msgspec.to_builtins(value), indent=2))
