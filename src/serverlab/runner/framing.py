"""Odd requests to one target after the other: a fresh stack each, what a case comes to is saved before the next."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from serverlab import host
from serverlab.catalog.stacks import stack_of
from serverlab.errors import Interrupted, TrialFailed
from serverlab.formatting import plural
from serverlab.framing.asking import found, place_of, unasked
from serverlab.framing.case import Case
from serverlab.lock import only_lab
from serverlab.model.definitions import Target
from serverlab.model.framing import Framed
from serverlab.model.records import CoreSplit, ImageFacts
from serverlab.runner.ending import leaving_nothing, needing_the_engine
from serverlab.runner.resuming import refuse_unlike
from serverlab.runner.run import Describe, Lab, clear_the_machine
from serverlab.runner.standing import refuse_unproven, running
from serverlab.runner.trial import expectation
from serverlab.store import framing_runs

APP = {"LAB_FAULTS": "on", "LAB_ACCESS_LOG": "on"}
"""The app keeps what it is handed, the edge logs what it hands on."""


def start_framing(
    lab: Lab,
    targets: Sequence[Target],
    cases: Sequence[Case],
    *,
    cores: Sequence[int],
    describe: Describe,
    resume: Path | None = None,
) -> Path:
    """Put every case to every target, save what comes of it, and return the folder; with ``resume`` what is missing.

    Raises:
        Interrupted: the user stopped it; what was found is kept.
        EnvironmentLacks: another lab or a stack is alive, or the engine no longer answers; what was found is kept.
        UsageError: the run to be resumed was made on another machine, or with other images.
    """
    with only_lab(lab.lock):
        clear_the_machine(lab)
        split = host.assign_cores(1, cores)
        path, done = _begun(lab, split, describe, resume)
        go_on = f"serverlab http --resume {path.name} (with the same targets and cases)"
        hint = f"What was found is saved. When it runs again: {go_on}"
        with needing_the_engine(hint=hint), leaving_nothing(lab.engine, say=lab.say):
            try:
                for number, target in enumerate(targets, start=1):
                    left = [case for case in cases if (str(target), case.id) not in done]
                    lab.say(f"target {number}/{len(targets)} · {target} · {plural(len(left), 'case')}")
                    for each in framed_target(lab, path, target, left, split=split) if left else ():
                        _tell(lab, each)
            except KeyboardInterrupt:
                raise Interrupted(f"stopped; what was found is in {path}", f"Go on with: {go_on}") from None
    return path


def framed_target(
    lab: Lab, path: Path, target: Target, cases: Sequence[Case], *, split: CoreSplit
) -> Iterator[Framed]:
    """Put the cases to a fresh stack of the target; each is saved before it is handed out. No stack is left behind.

    A stack that does not start, or is not what it should be, is asked nothing, and every case says why.
    """
    settings = stack_of(lab.catalog, target, cpus=1, split=split, label=f"http-{path.name}", app=APP)
    expected = expectation(lab.catalog, settings)
    try:
        with running(lab.shell, lab.engine, lab.root, settings):
            refuse_unproven(lab.engine, expected)
            for each in found(place_of(lab.engine, expected), cases):
                framing_runs.append_framed(path, each)
                yield each
    except TrialFailed as broke:
        for case in cases:
            each = unasked(case, str(target), problem=f"no stack: {broke.reason}")
            framing_runs.append_framed(path, each)
            yield each


def images_asked(images: Mapping[str, ImageFacts], targets: Sequence[Target]) -> dict[str, ImageFacts]:
    """The images that these targets are made of."""
    used = {"app", *(target.server for target in targets), *(target.edge for target in targets)}
    return {name: facts for name, facts in images.items() if name in used}


def _begun(
    lab: Lab, split: CoreSplit, describe: Describe, resume: Path | None
) -> tuple[Path, set[tuple[str, str]]]:
    """The folder, and target and case of what is in it; what broke off is not."""
    if resume is None:
        run = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        environment = describe(run, {"1": split})
        return framing_runs.create_differential(lab.results, environment=environment), set()
    before = framing_runs.read_differential(resume)
    refuse_unlike(before.environment, describe(before.environment.run, before.environment.core_splits))
    return resume, {(each.target, each.case) for each in before.found if not each.problem}


def _tell(lab: Lab, each: Framed) -> None:
    if each.problem:
        lab.say(f"    {each.case} not shown: {each.problem}")
    for answer in each.answers:
        if answer.smuggled:
            lab.say(f"    {each.case} {answer.form}: SMUGGLED: {answer.smuggled}")
