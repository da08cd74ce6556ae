"""What a search is about, and what each of its trials tells."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from serverlab import capacity, stats
from serverlab.analysis.evidence import Sample
from serverlab.errors import UsageError
from serverlab.formatting import exact, milliseconds, one_line, percent
from serverlab.model.capacity import Answer, Asked, Objective, Probe, Purpose, Search
from serverlab.model.records import Plan, PlannedTrial, State, Trial
from serverlab.model.runs import Run

SPARE = 1.1
"""So many times the requests that a percentile needs are due in a window, because Poisson's numbers vary."""

LEAST_ERRORS = 0.001
"""That there are none at all no number of requests shows: an objective of 0 % needs those of this share."""


class Cell(NamedTuple):
    """What one search is about."""

    target: str
    workload: str
    cpus: int

    def __str__(self) -> str:
        """For people."""
        return f"{self.target} · {self.workload} · {self.cpus} CPU"


def search_of(plan: Plan) -> Search:
    """How the plan searches.

    Raises:
        UsageError: it is the plan of a plain run.
    """
    if plan.experiment.capacity is None:
        raise UsageError(f"{plan.name}: not a search for capacity", "`serverlab capacity` makes one.")
    return plan.experiment.capacity


def cells_of(plan: Plan) -> list[Cell]:
    """Every search of the plan, in order; what lacks a capability is left out."""
    asked = plan.experiment
    return [
        Cell(target, workload, cpus)
        for workload, cpus, target in product(asked.workloads, asked.cpus, asked.targets)
        if f"{target} {workload}" not in plan.skipped
    ]


def cell_of(planned: PlannedTrial) -> Cell:
    """The search that a trial belongs to; its workload is that of the search, and ``:`` what it is called itself."""
    workload = planned.workload.rpartition(":")[0] if planned.asked else planned.workload
    return Cell(planned.target, workload, planned.cpus)


def probes_of(run: Run) -> dict[Cell, list[Probe]]:
    """What the trials of each search have told, in the order in which they were made."""
    objectives = capacity.objectives_of(search_of(run.plan))
    probes: dict[Cell, list[Probe]] = defaultdict(list)
    for trial in run.trials:
        if trial.planned.asked is not None:
            probes[cell_of(trial.planned)].append(probe_of(trial, trial.planned.asked, objectives))
    return probes


def probe_of(trial: Trial, asked: Asked, objectives: Sequence[Objective]) -> Probe:
    """What the trial has told; on closed ones no objective is put."""
    answer, reason = judged(trial, objectives if asked.rate is not None else (), purpose=asked.purpose)
    load = trial.load
    return Probe(
        asked=asked,
        answer=answer,
        reason=reason,
        throughput=load.ok / load.window_s if load and load.window_s > 0 else None,
        wall_s=trial.wall_s,
    )


def judged(trial: Trial, objectives: Sequence[Objective], *, purpose: Purpose) -> tuple[Answer, str]:
    """Whether the trial met all objectives, and why if not; VOID, too, where one of them has too few requests."""
    if trial.state is State.VOID or trial.load is None:
        return Answer.VOID, _first_line(trial.void_reasons[0]) if trial.void_reasons else "it has no result"
    sample = Sample(trial, trial.load)
    missed = [words for each in objectives if (words := _missed(sample, each))]
    if missed:
        return Answer.MISSED, "; ".join(missed)
    unseen = [words for each in objectives if (words := _too_few(sample, each, objectives, purpose))]
    return (Answer.VOID, "; ".join(unseen)) if unseen else (Answer.MET, "")


def _first_line(reason: str) -> str:
    """Why a trial is VOID without what its containers wrote last, which stands with the trial."""
    return one_line(reason.partition("\n")[0])


def window_s(search: Search, asked: Asked) -> float:
    """How long the window has to be, so that the objectives see enough requests at the rate asked; in whole seconds."""
    objectives = capacity.objectives_of(search)
    needed = max(
        (requests_needed(each, objectives, asked.purpose) for each in objectives),
        default=0,
    )
    searches = asked.purpose is Purpose.SEARCH and search.search_s is not None
    least_s = (search.search_s if searches else None) or search.duration_s
    return float(math.ceil(min(max(least_s, SPARE * needed / (asked.rate or math.inf)), search.longest_s)))


def requests_needed(objective: Objective, objectives: Sequence[Objective], purpose: Purpose) -> int:
    """How many requests a trial has to see before it can say that it met the objective, one of ``objectives``.

    For errors so many that none of them being one would be evidence. The trial that confirms needs these; another only
    where nothing but errors is bounded: with a percentile beside it, it decides no more than what is tried next.
    """
    if objective.metric.percent is not None:
        return stats.samples_needed(objective.metric.percent)
    if purpose is not Purpose.CONFIRM and any(each.metric.percent is not None for each in objectives):
        return 0
    bound = objective.at_most or LEAST_ERRORS
    return stats.trials_without_event(bound) if bound < 1 else 1


def _value(sample: Sample, objective: Objective) -> float | None:
    """The number that the objective bounds, None where too few requests tell it; what was never sent is an error."""
    percentile = objective.metric.percent
    if percentile is not None:
        return sample.percentile_us(percentile)
    return sample.unserved_share


def _missed(sample: Sample, objective: Objective) -> str:
    """How the objective was missed, "" where it was not or where that cannot be told."""
    value = _value(sample, objective)
    if value is None or value <= objective.at_most:
        return ""
    if objective.metric.percent is None:
        never = ", what was never sent among them" if sample.load.unsent else ""
        return f"errors are {percent(value)}{never}, not {percent(objective.at_most)} at most"
    return (
        f"{objective.metric.value} is {milliseconds(value)} ms, not {exact(objective.at_most / 1000)} at most"
    )


def _too_few(sample: Sample, objective: Objective, objectives: Sequence[Objective], purpose: Purpose) -> str:
    """Which requests are missing for the objective to be met, "" where there are enough."""
    needed, percentile = requests_needed(objective, objectives, purpose), objective.metric.percent
    seen = sample.due if percentile is None else sample.load.latency.count
    if seen >= needed:
        return ""
    instead = "allow more errors" if percentile is None else "bound a lower percentile"
    return f"{objective} needs {needed} requests, there were {seen}; raise longest_s, or {instead}"
