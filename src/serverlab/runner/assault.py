"""Attacks on one target after the other: a fresh stack for each profile, each finding saved before the next attack."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path

from serverlab import host, store
from serverlab.analysis.security import judged
from serverlab.attacks.profiles import PROFILES
from serverlab.attacks.running import finding, findings
from serverlab.attacks.stage import Attack, Outcome, Stage, not_applicable
from serverlab.catalog import Catalog
from serverlab.catalog.stacks import stack_of, started_together
from serverlab.compose import Engine, StackSettings
from serverlab.errors import Interrupted, TrialFailed
from serverlab.lock import only_lab
from serverlab.model.definitions import Target
from serverlab.model.records import CoreSplit, ImageFacts
from serverlab.model.security import AssaultPlan, Finding, PlannedAttack, Verdict
from serverlab.runner.ending import leaving_nothing, needing_the_engine
from serverlab.runner.run import Describe, Lab, clear_the_machine
from serverlab.runner.standing import running
from serverlab.runner.trial import expectation


def start_assault(
    lab: Lab,
    targets: Sequence[Target],
    attacks: Sequence[Attack],
    *,
    cores: Sequence[int],
    describe: Describe,
    rounds: int,
) -> Path:
    """Put every attack to every target, save what is found, and return the folder.

    Raises:
        Interrupted: the user stopped it; what was found is kept.
        EnvironmentLacks: another lab or a stack is alive, or the engine no longer answers; what was found is kept.
    """
    with only_lab(lab.lock):
        clear_the_machine(lab)
        split = host.assign_cores(1, cores)
        path = begin(lab, attacks, split=split, describe=describe)
        with (
            needing_the_engine(hint=f"What was found until then is in {path}"),
            leaving_nothing(lab.engine, say=lab.say),
        ):
            try:
                for number, target in enumerate(targets, start=1):
                    lab.say(f"target {number}/{len(targets)} · {target}")
                    for found in attack_target(lab, path, target, attacks, split=split, rounds=rounds):
                        _tell(lab, found)
            except KeyboardInterrupt:
                raise Interrupted(f"stopped; what was found is in {path}") from None
    return path


def begin(lab: Lab, attacks: Sequence[Attack], *, split: CoreSplit, describe: Describe) -> Path:
    """Make the folder of a new run of these attacks, with its environment and nothing found yet."""
    run = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    plan = {
        each.id: PlannedAttack(title=each.title, expected=each.expected, profile=each.profile)
        for each in attacks
    }
    environment = describe(run, {"1": split})
    return store.create_assault(lab.results, plan=AssaultPlan(attacks=plan), environment=environment)


def attack_target(
    lab: Lab, path: Path, target: Target, attacks: Sequence[Attack], *, split: CoreSplit, rounds: int
) -> Iterator[Finding]:
    """Put the attacks to the target, on a fresh stack for each profile; each finding is saved before it is handed out.

    No stack is left behind.
    """
    for found in _attacked(lab, target, attacks, split=split, label=f"attacks-{path.name}", rounds=rounds):
        store.append_finding(path, found)
        yield found


def stage_settings(
    catalog: Catalog, target: Target, profile: str, *, split: CoreSplit, label: str
) -> StackSettings:
    """The stack that attacks of the profile are put to; each call makes new keys."""
    chosen = PROFILES[profile]
    settings = stack_of(
        catalog, target, cpus=1, split=split, label=label, replicas=chosen.replicas, **chosen.stack()
    )
    return started_together(settings)


def stage_of(catalog: Catalog, engine: Engine, settings: StackSettings, *, rounds: int) -> Stage:
    """The stage that a running stack is to its attackers."""
    return Stage(engine=engine, expected=expectation(catalog, settings), rounds=rounds)


def images_attacked(
    images: Mapping[str, ImageFacts], targets: Sequence[Target], attacks: Sequence[Attack]
) -> dict[str, ImageFacts]:
    """The images that these targets are made of, as these attacks have them set up."""
    used = {"app", *(target.server for target in targets), *(target.edge for target in targets)}
    profiles = [PROFILES[name] for name in {attack.profile for attack in attacks}]
    for profile in profiles:
        used |= profile.images() if any(map(profile.fits, targets)) else set()
    return {name: facts for name, facts in images.items() if name in used}


def _attacked(
    lab: Lab, target: Target, attacks: Sequence[Attack], *, split: CoreSplit, label: str, rounds: int
) -> Iterator[Finding]:
    order = list(PROFILES)
    in_order = sorted(attacks, key=lambda attack: order.index(attack.profile))
    for profile, group in groupby(in_order, key=lambda attack: attack.profile):
        these = list(group)
        if not PROFILES[profile].fits(target):
            outcome = not_applicable(f"asked on {', '.join(PROFILES[profile].targets)} only")
            yield from (finding(attack, target, outcome, wall_s=0.0) for attack in these)
            continue
        settings = stage_settings(lab.catalog, target, profile, split=split, label=label)
        try:
            with (
                running(lab.shell, lab.engine, lab.root, settings),
                closing(stage_of(lab.catalog, lab.engine, settings, rounds=rounds)) as stage,
            ):
                yield from findings(stage, these)
        except TrialFailed as broke:
            outcome = Outcome(Verdict.UNKNOWN, "no stack", broke.reason)
            yield from (finding(attack, target, outcome, wall_s=0.0) for attack in these)


def _tell(lab: Lab, found: Finding) -> None:
    now = judged(found, lab.catalog.servers)
    if now.verdict is not Verdict.PASS:
        lab.say(f"    {now.attack} {now.verdict.value}: {now.seen}: {now.reason}")
