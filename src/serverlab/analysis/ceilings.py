"""What a run says of its generator: what it could ask at most, and how near to that the targets came."""

from __future__ import annotations

from collections.abc import Iterator

from serverlab.analysis.evidence import Sample, is_valid
from serverlab.formatting import one_line, per_second, percent, plural
from serverlab.model.ceilings import Ceiling, LoadSetup
from serverlab.model.definitions import Arrival
from serverlab.model.runs import Run


def ceilings_told(run: Run) -> str:
    """Each ceiling that the run has measured, and who used most of it; "" where there is none."""
    found = sorted(run.ceilings.ceilings, key=lambda each: _order(each.setup))
    return "; ".join(f"{_named(run, each.setup)}: {_told(run, each)}" for each in found)


def _order(setup: LoadSetup) -> tuple[int, str, str, int]:
    return setup.cpus, setup.arrival.value, setup.connections.value, setup.users


def _named(run: Run, setup: LoadSetup) -> str:
    """The set-up in words; the stack's budget is said where the run has several."""
    arrival = "open arrival, at most " if setup.arrival is Arrival.OPEN else ""
    budget = f", {plural(setup.cpus, 'core')} for the stack" if len(run.plan.experiment.cpus) > 1 else ""
    return f"{arrival}{plural(setup.users, 'user')}, {setup.connections.value} connections{budget}"


def _told(run: Run, ceiling: Ceiling) -> str:
    if ceiling.rps is None:
        return f"not known, {one_line(ceiling.reason or '')}"
    own = percent(ceiling.generator_cores)
    most, target = max(_shares(run, ceiling.setup, ceiling.rps), default=(0.0, ""))
    used = f", of which {target} used at most {percent(most)}" if target else ""
    return f"{per_second(ceiling.rps)} requests/s with {own} of a core{used}"


def _shares(run: Run, setup: LoadSetup, rps: float) -> Iterator[tuple[float, str]]:
    """Of each valid trial with this set-up its share of the ceiling, and its target."""
    for trial in run.trials:
        if is_valid(trial) and trial.load is not None and trial.setup == setup:
            yield Sample(trial, trial.load).rps / rps, trial.planned.target
