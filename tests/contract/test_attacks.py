"""Every attack on every target: it is held off, or not applicable with a reason, or a difference that is written down.

Where the definition of a server expects a difference that no longer occurs, that fails as well: see analysis.security.
What is found is kept in results/attacks/, as by `serverlab attack`; the table of docs/security.md is made of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from serverlab import host
from serverlab.analysis.security import BAD, judged
from serverlab.attacks import ATTACKS
from serverlab.catalog import load_catalog
from serverlab.cli.attack import describer
from serverlab.cli.context import CHECKOUT, Context
from serverlab.compose import Engine
from serverlab.lock import only_lab
from serverlab.model.records import CoreSplit
from serverlab.runner.assault import attack_target, begin, images_attacked

TARGETS = [str(target) for target in load_catalog(CHECKOUT).targets()]
ROUNDS = 3


@pytest.fixture(scope="module")
def context() -> Context:
    return Context()


@pytest.fixture(scope="module")
def split(engine: Engine) -> CoreSplit:
    return host.assign_cores(1, host.cores_of(engine))


@pytest.fixture(scope="module")
def path(context: Context, split: CoreSplit) -> Path:
    """The folder that all findings of these tests are kept in."""
    used = images_attacked(context.images(), context.catalog.targets(), list(ATTACKS.values()))
    describe = describer(context, used, rounds=ROUNDS)
    return begin(context.lab, list(ATTACKS.values()), split=split, describe=describe)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", TARGETS)
def test_attacks_are_held_off(context: Context, split: CoreSplit, path: Path, name: str) -> None:
    target, attacks = context.catalog.target(name), list(ATTACKS.values())
    with only_lab():
        found = list(attack_target(context.lab, path, target, attacks, split=split, rounds=ROUNDS))
    verdicts = [judged(each, context.catalog.servers) for each in found]
    bad = [f"{each.attack}: {each.seen}: {each.reason}" for each in verdicts if each.verdict in BAD]
    assert bad == []
    assert len(verdicts) == len(ATTACKS)
