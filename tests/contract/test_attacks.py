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
from serverlab.attacks.stage import Stage
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


@pytest.fixture(params=STACKS, ids="-".join)
def stage(request: pytest.FixtureRequest, start: Start, catalog: Catalog, engine: Engine) -> Iterator[Stage]:
    """Each target in turn under each profile, running."""
    target, name = request.param
    profile = PROFILES[name]
    with start(catalog.target(target), replicas=profile.replicas, **profile.stack()) as settings:
        yield stage_of(catalog, engine, settings, rounds=ROUNDS)


@pytest.mark.timeout(600)
def test_attacks_are_held_off(stage: Stage, request: pytest.FixtureRequest, catalog: Catalog) -> None:
    _, profile = request.node.callspec.params["stage"]
    attacks = [attack for attack in ATTACKS.values() if attack.profile == profile]
    verdicts = [judged(found, catalog.servers) for found in findings(stage, attacks)]
    bad = [f"{each.attack}: {each.seen}: {each.reason}" for each in verdicts if each.verdict in BAD]
    assert bad == []
