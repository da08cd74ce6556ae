"""Every attack on every target: it is held off, or not applicable with a reason, or a difference that is written down.

Where the definition of a server expects a difference that no longer occurs, that fails as well: see analysis.security.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from serverlab.analysis.security import BAD, judged
from serverlab.attacks import ATTACKS
from serverlab.attacks.profiles import PROFILES
from serverlab.attacks.running import findings
from serverlab.attacks.stage import Attack, Stage
from serverlab.catalog import Catalog, load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.compose import Engine, StackSettings
from serverlab.runner.assault import stage_of

Start = Callable[..., AbstractContextManager[StackSettings]]

STACKS = [
    (str(target), name)
    for target in load_catalog(CHECKOUT).targets()
    for name, profile in PROFILES.items()
    if profile.fits(target)
]
ROUNDS = 3


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, start: Start, catalog: Catalog, engine: Engine) -> Iterator[Stage]:
    """Each target in turn under each profile, running."""
    target, name = request.param
    profile = PROFILES[name]
    with start(
        catalog.target(target),
        app=profile.app(),
        replicas=profile.replicas,
        shared_data=profile.shared_data,
    ) as settings:
        yield stage_of(catalog, engine, settings, rounds=ROUNDS)


def _cells() -> list[object]:
    """Stack by stack, each the same object in all of its cells: pytest starts another one for what is only equal."""
    return [
        pytest.param(stack, attack, id=f"{stack[0]}-{attack.id}")
        for stack in STACKS
        for attack in ATTACKS.values()
        if attack.profile == stack[1]
    ]


@pytest.mark.parametrize(("stage", "attack"), _cells(), indirect=["stage"])
def test_an_attack_is_held_off(stage: Stage, attack: Attack, catalog: Catalog) -> None:
    (found,) = findings(stage, [attack])
    verdict = judged(found, catalog.servers)
    assert verdict.verdict not in BAD, f"{verdict.seen}: {verdict.reason}"
