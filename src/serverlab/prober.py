"""Starts the prober beside a stack, checks that its clock is the lab's, and takes its ledger when it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests.exceptions

from serverlab.compose import Container, Engine, StackSettings, start_beside, tails, whole_lines
from serverlab.errors import TrialFailed
from serverlab.ledger import BrokenLedger, Ledger, Opening, parse_ledger, read_opening
from serverlab.model.faults import Probing
from serverlab.shell import Shell

SERVICE = "prober"
FILE = "prober.yml"
START_DEADLINE_S = 30.0
CLOCK_TOLERANCE_S = 0.05
MARGIN_S = 10.0
"""How much longer than its time-out a prober that was told to stop may take to end."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class ProberBroke(TrialFailed):
    """The prober did not start, did not end, or left no whole ledger: nothing can be said of what was probed."""


@dataclass(frozen=True)
class Prober:
    """A prober at work; ``opening`` is what it said when it began."""

    container: Container
    opening: Opening

    def is_running(self) -> bool:
        """Whether it still probes; it ends by itself after its duration."""
        self.container.reload()
        return bool(self.container.status == "running")

    def stop(self) -> Ledger:
        """Have it send nothing more, wait for what is in flight, and return its ledger.

        Raises:
            ProberBroke: it did not end in time, or its ledger is not whole.
        """
        if self.is_running():
            self.container.kill(signal="SIGTERM")
        return self.ledger()

    def ledger(self) -> Ledger:
        """Wait until it has ended by itself, and return its ledger.

        Raises:
            ProberBroke: it did not end in time, or its ledger is not whole.
        """
        opening = self.opening
        end_s = opening.began_s + opening.duration_s + opening.timeout_s + MARGIN_S
        try:
            self.container.wait(timeout=max(MARGIN_S, end_s - time.monotonic()))
        except requests.exceptions.RequestException:
            raise ProberBroke(f"the prober did not end{tails([self.container])}") from None
        self.container.reload()
        try:
            return parse_ledger(whole_lines(self.container), where=f"the ledger of {self.container.name}")
        except BrokenLedger as broken:
            raise ProberBroke(f"{broken.what}{tails([self.container])}", broken.hint) from None


def start_prober(
    shell: Shell,
    engine: Engine,
    root: Path,
    settings: StackSettings,
    *,
    probing: Probing,
    duration_s: float,
) -> Prober:
    """Start the prober on the running stack's network and return when it has begun to send.

    It sends for ``duration_s`` at most.

    Raises:
        ProberBroke: it did not begin in time, or its clock is another one than the lab's.
    """
    before_s = time.monotonic()
    variables = variables_of(probing, url=settings.inner_url, duration_s=duration_s)
    start_beside(shell, root, settings, files=[FILE], service=SERVICE, variables=variables)
    container = engine.service(SERVICE)
    line = _first_line(container, deadline_s=before_s + START_DEADLINE_S)
    try:
        opening = read_opening(line, where="the prober's first line")
    except BrokenLedger as broken:
        raise ProberBroke(broken.what, broken.hint) from None
    check_clock(opening, not_before_s=before_s, not_after_s=time.monotonic())
    return Prober(container, opening)


def variables_of(probing: Probing, *, url: str, duration_s: float) -> dict[str, str]:
    """The prober's environment."""
    return {
        "LAB_PROBE_URL": url,
        "LAB_PROBE_READS_PER_S": str(probing.reads_per_s),
        "LAB_PROBE_WRITES_PER_S": str(probing.writes_per_s),
        "LAB_PROBE_TIMEOUT_S": str(probing.timeout_s),
        "LAB_PROBE_DURATION_S": str(duration_s),
        "LAB_PROBE_GUARDED": "on" if probing.guarded else "off",
    }


def check_clock(
    opening: Opening, *, not_before_s: float, not_after_s: float, boot_id: Callable[[], str] | None = None
) -> None:
    """Check that the prober reads the very clock that the lab reads, so that one timeline holds for both.

    The kernel must be the same one, and what the prober's clock showed must lie between what the lab's showed when it
    was not yet started and when its first line was there, give or take CLOCK_TOLERANCE_S.

    Raises:
        ProberBroke: it does not.
    """
    hint = "Faults need an engine on this very machine: `docker context use default`."
    if opening.boot_id != (boot_id or _own_boot_id)():
        raise ProberBroke("the container engine runs on another machine, whose clock is another one", hint)
    early_s, late_s = not_before_s - opening.began_s, opening.began_s - not_after_s
    if max(early_s, late_s) > CLOCK_TOLERANCE_S:
        raise ProberBroke(f"the prober's clock is {max(early_s, late_s):.3f} s away from the lab's", hint)


def _own_boot_id() -> str:
    return BOOT_ID.read_text(encoding="ascii").strip()


def _first_line(container: Container, *, deadline_s: float) -> str:
    while True:
        if lines := whole_lines(container):
            return lines[0]
        container.reload()
        if container.status == "exited" or time.monotonic() > deadline_s:
            raise ProberBroke(f"the prober did not begin{tails([container])}")
        time.sleep(0.05)
