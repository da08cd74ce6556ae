"""How long trials and ceilings take: judged by those that have been made, else by what is usual."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from serverlab.model.ceilings import Ceiling, Ceilings
from serverlab.model.definitions import Arrival, Workload
from serverlab.model.records import Plan, PlannedTrial, Trial
from serverlab.model.runs import Run

SETUP_S = 8.0
"""What a trial is expected to take beside warm-up and window, until the first ones have been timed."""

CEILING_S = 5.0
"""What a ceiling of the generator is expected to take, with its stack, until one has been timed."""

NONE = Ceilings()

Asking: TypeAlias = tuple[int, Arrival, int]
"""Users, how they arrive, and the budget of the stack: what is known of a set-up before it is measured."""


def seconds_left(
    pending: Sequence[PlannedTrial], plan: Plan, measured: Sequence[Trial], ceilings: Ceilings = NONE
) -> float:
    """How long the pending trials will take, with the ceilings that the run's ``ceilings`` still lack."""
    overheads = [trial.wall_s - _load_s(trial.planned, plan) for trial in measured]
    overhead = sum(overheads) / len(overheads) if overheads else SETUP_S
    trials_s = sum(_load_s(planned, plan) + overhead for planned in pending)
    asked = ((plan.workloads[planned.workload], planned.cpus) for planned in pending)
    return trials_s + ceilings_left_s(asked, ceilings)


def seconds_of(run: Run, plan: Plan) -> float:
    """What the run's trials and ceilings took, and what those take that the plan has beyond the run's."""
    spent_s = sum(trial.wall_s for trial in run.trials) + sum(map(_spent_s, run.ceilings.ceilings))
    return spent_s + seconds_left(plan.trials[len(run.plan.trials) :], plan, run.trials, run.ceilings)


def ceilings_left_s(asked: Iterable[tuple[Workload, int]], ceilings: Ceilings = NONE) -> float:
    """What the ceilings take that trials of these workloads on these budgets need, beside those that are settled.

    There is one for each set-up, as far as that is known before: that a server closes its connections is seen only
    when it is measured, and makes one more.
    """
    settled = {_asking(each) for each in ceilings.ceilings if ceilings.settled(each.setup)}
    due = {
        (workload.users, workload.arrival, cpus)
        for workload, cpus in asked
        if "websocket" not in workload.needs
    }
    tries = sum(each.tries for each in ceilings.ceilings)
    each_s = sum(map(_spent_s, ceilings.ceilings)) / tries if tries else CEILING_S
    return len(due - settled) * each_s


def _asking(ceiling: Ceiling) -> Asking:
    return ceiling.setup.users, ceiling.setup.arrival, ceiling.setup.cpus


def _spent_s(ceiling: Ceiling) -> float:
    """What all its tries took; what is usual where that was not kept, as in older runs."""
    return ceiling.tries * CEILING_S if ceiling.wall_s is None else ceiling.wall_s


def _load_s(planned: PlannedTrial, plan: Plan) -> float:
    workload = plan.workloads[planned.workload]
    return workload.warmup_s + workload.duration_s
