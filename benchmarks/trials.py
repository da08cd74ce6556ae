"""How long ``serverlab run experiments/quick.toml`` takes beside the load itself, and with what.

The command is run whole, in this process, with a clock around what it calls. Load is warm-up and window of each trial;
all the rest (containers started and removed, proofs, start-up of the lab) is what measuring costs.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.keeping import CHECKOUT, keep, parser_of
from serverlab import compose, held, load, probe, seeding, store
from serverlab.cli.main import main as serverlab
from serverlab.model.benchmarks import Bound
from serverlab.model.records import State
from serverlab.model.runs import Run
from serverlab.runner import ceiling
from serverlab.runner import trial as trials

EXPERIMENT = CHECKOUT / "experiments" / "quick.toml"
LIMIT = 1.4

TIMED: tuple[tuple[str, object, str], ...] = (
    ("containers started", compose, "up"),
    ("waited until ready", probe, "wait_ready"),
    ("passwords stored", seeding, "store_passwords"),
    ("proofs", probe, "examine"),
    ("rows looked at", seeding, "check_rows"),
    ("waited for the generator", held, "await_loaded"),
    ("cores timed", trials, "core_speed"),
    ("generator followed", load, "await_result"),
    ("containers removed", compose.Engine, "remove_all"),
    ("ceiling of the generator", ceiling, "keep_ceiling"),
)
"""What a trial consists of: its name, and the function that does it."""


@dataclass
class Clock:
    """Seconds by what they were spent on; what is called within something timed counts as that."""

    spent_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _running: bool = False

    @contextmanager
    def around(self, timed: Sequence[tuple[str, object, str]]) -> Iterator[None]:
        """Time the functions while the block runs."""
        kept = [(owner, name, getattr(owner, name)) for _, owner, name in timed if hasattr(owner, name)]
        for what, owner, name in timed:
            if hasattr(owner, name):
                setattr(owner, name, self._timed(what, getattr(owner, name)))
        try:
            yield
        finally:
            for owner, name, function in kept:
                setattr(owner, name, function)

    def _timed(self, what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: object, **options: object) -> object:
            if self._running:
                return function(*args, **options)
            self._running, began = True, time.monotonic()
            try:
                return function(*args, **options)
            finally:
                self._running = False
                self.spent_s[what] += time.monotonic() - began

        return call


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment and print what it took; 1 where the limit was missed, or the run did not end well."""
    parser = parser_of("trials", __doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: %(default)s)")
    options = parser.parse_args(arguments)
    clock, began = Clock(), time.monotonic()
    with clock.around(TIMED):
        code = serverlab(["run", str(EXPERIMENT), "--rounds", str(options.rounds), "--json"])
    wall_s = time.monotonic() - began
    if code != 0:
        print(f"serverlab run ended with {code}: nothing to tell", file=sys.stderr)
        return 1
    run = store.read_run(store.find_run(CHECKOUT / "results", EXPERIMENT.stem))
    if missing := not_measured(run):
        print(
            "\n".join([f"{run.name}: nothing to tell, for not every trial was measured", *missing]),
            file=sys.stderr,
        )
        return 1
    return keep(
        "trials",
        "What measuring costs",
        [bound_of(run, wall_s=wall_s, spent_s=clock.spent_s)],
        folder=options.save,
        conditions=f"serverlab run experiments/{EXPERIMENT.name}, rounds: {options.rounds}, run {run.name}",
    )


def not_measured(run: Run) -> list[str]:
    """The planned trials that have no number, each with why: what they took is not what measuring costs."""
    states = {trial.planned.id: trial for trial in run.trials}
    return [
        f"{planned.id}: {'; '.join(made.void_reasons) if made else 'no line'}"
        for planned in run.plan.trials
        if (made := states.get(planned.id)) is None or made.state is not State.MEASURED
    ]


def bound_of(run: Run, *, wall_s: float, spent_s: dict[str, float]) -> Bound:
    """Wall time over load time of the run, and where the rest went, for each trial."""
    load_s = sum(
        workload.warmup_s + workload.duration_s
        for workload in (run.plan.workloads[trial.planned.workload] for trial in run.trials)
    )
    trials_made, ratio = len(run.trials), wall_s / load_s
    parts = dict(spent_s)
    if "generator followed" in parts:
        parts["generator beside its load"] = parts.pop("generator followed") - load_s
    parts["everything else"] = wall_s - load_s - sum(parts.values())
    told = ", ".join(
        f"{what} {seconds / trials_made:.2f} s"
        for what, seconds in sorted(parts.items(), key=lambda part: -part[1])
    )
    return Bound(
        what="wall time of `quick` over its load time",
        measured=f"{ratio:.2f}",
        limit=f"at most {LIMIT:g}",
        kept=ratio <= LIMIT,
        details=f"{wall_s:.0f} s for {trials_made} trials with {load_s:.0f} s of load; beside the load, for each "
        f"trial: {told}",
    )


if __name__ == "__main__":
    sys.exit(main())
