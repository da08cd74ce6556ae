"""Attacks that every target is put to, and what should come of them."""

from __future__ import annotations

from collections import Counter

from serverlab.attacks import (
    browser,
    claims,
    cleartext,
    companions,
    containers,
    contention,
    crossing,
    development,
    flood,
    foreign,
    handed,
    headers,
    keys,
    limits,
    login,
    outage,
    outside,
    revocation,
    rotation,
    signature,
    sockets,
    spilled,
    timing,
    traits,
    transport,
)
from serverlab.attacks.stage import Attack

MODULES: tuple[tuple[Attack, ...], ...] = (
    outside.ATTACKS,
    development.ATTACKS,
    headers.ATTACKS,
    transport.ATTACKS,
    cleartext.ATTACKS,
    containers.ATTACKS,
    companions.ATTACKS,
    handed.ATTACKS,
    rotation.FIRST,
    signature.ATTACKS,
    keys.ATTACKS,
    claims.ATTACKS,
    rotation.ATTACKS,
    revocation.ATTACKS,
    contention.ATTACKS,
    browser.ATTACKS,
    foreign.ATTACKS,
    crossing.ATTACKS,
    sockets.ATTACKS,
    sockets.SPLIT,
    spilled.ATTACKS,
    login.ATTACKS,
    sockets.PATIENT,
    limits.ATTACKS,
    flood.ATTACKS,
    timing.ATTACKS,
    traits.ATTACKS,
    outage.ATTACKS,
    contention.LAST,
)
"""Each module's own attacks, one line per module."""


def _by_id(modules: tuple[tuple[Attack, ...], ...]) -> dict[str, Attack]:
    attacks = [attack for module in modules for attack in module]
    twice = [name for name, count in Counter(attack.id for attack in attacks).items() if count > 1]
    if twice:
        raise ValueError(f"attacks with one id: {', '.join(twice)}")
    return {attack.id: attack for attack in attacks}


ATTACKS: dict[str, Attack] = _by_id(MODULES)
"""Every attack by its id, in the order of the modules."""
