"""A cross-check: on one fresh, proven stack per target and round, every generator measures the same."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx2

from serverlab import compose, host, probe, seeding
from serverlab.catalog import Catalog
from serverlab.catalog.stacks import stack_of
from serverlab.compose import StackSettings
from serverlab.errors import TrialFailed
from serverlab.lock import only_lab
from serverlab.model.crosscheck import Crosscheck, CrossPlan, Measurement, Pace, Tool
from serverlab.model.definitions import Target
from serverlab.model.records import CoreSplit
from serverlab.runner import gates
from serverlab.runner.ending import telling_who_died
from serverlab.runner.resuming import refuse_changed, refuse_unlike
from serverlab.runner.run import Describe, Lab, check_disk, clear_the_machine, keeping
from serverlab.runner.standing import running
from serverlab.runner.trial import expectation
from serverlab.runner.witnessing import CPUS, WORKLOAD, Stand, half_of, measured_by
from serverlab.store.crosschecks import append_measurement, create_crosscheck, read_crosscheck

TOKEN_LIFETIME_S = 3600
"""One token is asked with until the last tool has measured; by default it would end before that."""

PACES = {
    Pace.SATURATED: (Tool.OURS, Tool.AGAIN, Tool.WRK, Tool.H2LOAD),
    Pace.HALF: (Tool.OURS, Tool.AGAIN, Tool.H2LOAD),
}
"""Who measures at which pace: wrk cannot be given a rate."""


def start_crosscheck(lab: Lab, plan: CrossPlan, *, cores: Sequence[int], describe: Describe) -> Path:
    """Let every tool measure every target in every round, save what it saw, and return the folder.

    Raises:
        Interrupted: the user stopped it; what was measured is kept.
        EnvironmentLacks: another lab or a stack is alive, or the disk is full.
    """
    with only_lab(lab.lock):
        clear_the_machine(lab)
        splits = {str(CPUS): host.assign_cores(CPUS, cores)}
        environment = describe(time.strftime("%Y%m%d-%H%M%S", time.gmtime()), splits)
        path = create_crosscheck(lab.results, plan=plan, environment=environment)
        _measure_all(lab, path, read_crosscheck(path))
        return path


def resume_crosscheck(lab: Lab, path: Path, *, describe: Describe) -> Path:
    """Measure the targets and rounds that the cross-check in ``path`` still lacks.

    Raises:
        UsageError: the lab, the servers or the machine are not what it began with.
        Otherwise as start_crosscheck.
    """
    with only_lab(lab.lock):
        clear_the_machine(lab)
        check = read_crosscheck(path)
        refuse_unlike(check.environment, describe(check.environment.run, check.environment.core_splits))
        refuse_changed(check.plan.name, check.plan.hashes, now=_hashes_now(check.plan, lab.catalog))
        for problem in check.problems:
            lab.say(f"{problem}")
        _measure_all(lab, path, check)
        return path


def _measure_all(lab: Lab, path: Path, check: Crosscheck) -> None:
    """Measure whatever is not there as a whole; what is left of a stack that was cut short is measured again."""
    plan, split = check.plan, check.environment.core_splits[str(CPUS)]
    made: list[Measurement] = []
    with keeping(lab, path, made, verb="crosscheck", before=len(check.measurements)):
        for number, target in pending(check):
            check_disk(path)
            lab.say(f"round {number}/{plan.rounds} · {target}")
            for each in on_one_stack(lab, path, plan, target, number, split=split):
                append_measurement(path, each)
                made.append(each)
                lab.say(f"    {told(each)}")


def pending(check: Crosscheck) -> list[tuple[int, str]]:
    """The rounds and targets that have not been measured by everybody."""
    due = sum(map(len, PACES.values()))
    done = Counter((each.round, each.target) for each in check.measurements)
    return [each for each in in_order(check.plan) if done[each] < due]


def _hashes_now(plan: CrossPlan, catalog: Catalog) -> dict[str, str]:
    return catalog.hashes(targets=[Target.parse(name) for name in plan.targets], workloads=[WORKLOAD])


def in_order(plan: CrossPlan) -> Iterator[tuple[int, str]]:
    """Every round with every target, shuffled within the round by the seed."""
    for number in range(1, plan.rounds + 1):
        targets = list(plan.targets)
        random.Random(f"{plan.seed}/{number}").shuffle(targets)  # noqa: S311 - not a secret
        for target in targets:
            yield number, target


def shuffled(plan: CrossPlan, pace: Pace, *, number: int, target: str) -> list[Tool]:
    """The tools in the order in which they measure at this pace."""
    tools = list(PACES[pace])
    random.Random(f"{plan.seed}/{number}/{target}/{pace.value}").shuffle(tools)  # noqa: S311 - the same
    return tools


def on_one_stack(
    lab: Lab, path: Path, plan: CrossPlan, name: str, number: int, *, split: CoreSplit
) -> list[Measurement]:
    """All measurements of one target in one round; where the stack is not what it should be, each of them is VOID."""
    settings = stack_of(
        lab.catalog,
        Target.parse(name),
        cpus=CPUS,
        split=split,
        label=f"{plan.name}-{path.name}",
        app={"LAB_ACCESS_LIFETIME_S": str(TOKEN_LIFETIME_S)},
    )
    wrong: tuple[str, ...] = ()
    made: list[Measurement] = []
    try:
        with running(lab.shell, lab.engine, lab.root, settings), telling_who_died(lab.engine):
            seeding.store_passwords(lab.engine, settings)
            before = probe.prove(lab.engine, expectation(lab.catalog, settings))
            wrong = tuple(gates.of_proofs(before, None))
            if not wrong:
                compose.start_witness(lab.shell, lab.root, settings)
                token = _token(lab, settings)
                made = _by_all(Stand(lab, path, settings, plan, token=token, round=number, target=name))
                after = probe.prove(lab.engine, expectation(lab.catalog, settings))
                wrong = tuple(gates.of_proofs(before, after))
    except TrialFailed as broke:
        wrong = (broke.reason,)
    return _all_void(made, number, name, wrong) if wrong else made


def told(made: Measurement) -> str:
    """What came out, in a line."""
    what = f"{made.tool.value}, {made.pace.value}"
    if made.void or made.reading is None:
        return f"{what}: VOID: {made.void[0]}"
    reading = made.reading
    p99 = "none" if reading.p99_us is None else f"{reading.p99_us / 1000:.1f} ms"
    return f"{what}: {reading.rps:.0f} requests/s, p99 {p99}, {reading.failed} failed"


def _by_all(stand: Stand) -> list[Measurement]:
    made: list[Measurement] = []
    for pace in Pace:
        rate = None if pace is Pace.SATURATED else half_of(made)
        tools = shuffled(stand.plan, pace, number=stand.round, target=stand.target)
        made += [measured_by(stand, tool, pace, rate=rate) for tool in tools]
    return made


def _all_void(made: list[Measurement], number: int, target: str, wrong: tuple[str, ...]) -> list[Measurement]:
    """Every measurement that was due on the stack, VOID for this reason; what was read before is kept beside it."""
    known = {(each.tool, each.pace): each for each in made}
    return [
        Measurement(
            round=number,
            target=target,
            tool=tool,
            pace=pace,
            rate=known[tool, pace].rate if (tool, pace) in known else None,
            void=wrong,
            reading=known[tool, pace].reading if (tool, pace) in known else None,
            cpu_share=None,
        )
        for pace, tools in PACES.items()
        for tool in tools
    ]


def _token(lab: Lab, settings: StackSettings) -> str:
    """An access token of user01.

    Raises:
        TrialFailed: the stack gave none.
    """
    with httpx2.Client(base_url=probe.front_url(lab.engine, settings)) as client:
        answer = probe.answered(
            client.post, probe.LOGIN, json={"username": probe.USER, "password": probe.PASSWORD}
        )
    if "access" not in answer.document:
        raise TrialFailed(f"no token to ask with: {answer.status} {answer.said}")
    return str(answer.document["access"])
