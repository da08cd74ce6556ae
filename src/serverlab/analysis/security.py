"""From findings to verdicts: what a server's definition expects, and what several targets come to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from serverlab.analysis.conditions import environment_facts
from serverlab.model.definitions import Difference, Server, Target, Track
from serverlab.model.security import (
    BETWEEN,
    Assault,
    Finding,
    SecurityNote,
    SecurityRow,
    SecurityTable,
    Verdict,
)

SEVERITY = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.DIFFERENCE, Verdict.PASS, Verdict.NA)
"""The worst first."""

BAD = (Verdict.FAIL, Verdict.UNKNOWN)
"""What ends `serverlab attack` with exit code 1."""


def judged(finding: Finding, servers: Mapping[str, Server]) -> Finding:
    """The finding, held against the differences that the target's ``server.toml`` expects.

    A failure that is expected as it was seen is a DIFFERENCE with the server's reason; one that is expected and did not
    happen is a FAIL, so that no stale excuse stays. What is said to be not applicable has to say why.
    """
    difference = expected_difference(finding, servers)
    if difference and finding.verdict is Verdict.PASS:
        return _as(finding, Verdict.FAIL, "passed, but server.toml expects a difference: take it out")
    if difference and finding.verdict is Verdict.FAIL:
        if _explains(difference, finding.seen):
            return _as(finding, Verdict.DIFFERENCE, difference.why)
        reason = f"{finding.reason} (server.toml expects {difference.seen!r})"
        return _as(finding, Verdict.FAIL, reason)
    if finding.verdict is Verdict.NA and not finding.reason:
        return _as(finding, Verdict.UNKNOWN, "not asked, and it does not say why")
    return finding


def _explains(difference: Difference, seen: str) -> bool:
    """Whether each thing that was wrong is the one expected, so that none hides behind it."""
    if re.fullmatch(difference.seen, seen):
        return True
    return all(re.search(difference.seen, each) for each in seen.split(BETWEEN))


def expected_difference(finding: Finding, servers: Mapping[str, Server]) -> Difference | None:
    """What the target's ``server.toml`` says of the attack, if anything."""
    target = Target.parse(finding.target)
    server = servers.get(target.server)
    differences = server.differences if server else ()
    return next((each for each in differences if each.applies_to(finding.attack, target)), None)


def security_table(
    assault: Assault, servers: Mapping[str, Server], server: str | None = None
) -> SecurityTable:
    """Attacks against servers: of how many production variants of each (all, where there is none) each verdict is.

    With a ``server`` it is about that one alone, with every variant of it, and empty where nothing was found of it.
    Every verdict that is not a pass is told in a note; equal ones of several targets in one.
    """
    told = [judged(each, servers) for each in assault.findings if _shown(each, servers, server)]
    counted: dict[tuple[str, bool], dict[str, Counter[Verdict]]] = {}
    for each in told:
        target = Target.parse(each.target)
        cells = counted.setdefault((each.attack, target.edge is not None), {})
        cells.setdefault(target.server, Counter())[each.verdict] += 1
    return SecurityTable(
        run=assault.name,
        facts=environment_facts(assault.environment),
        servers=tuple(sorted({Target.parse(each.target).server for each in told})),
        rows=tuple(
            SecurityRow(
                attack=attack,
                title=assault.attacks[attack].title,
                expected=assault.attacks[attack].expected,
                direct={**counted.get((attack, False), {})},
                behind_edge={**counted.get((attack, True), {})},
            )
            for attack in sorted({attack for attack, _ in counted})
        ),
        notes=_notes(told),
        findings=tuple(told),
        problems=assault.problems,
    )


def _shown(finding: Finding, servers: Mapping[str, Server], server: str | None) -> bool:
    target = Target.parse(finding.target)
    if server is not None:
        return target.server == server
    if target.server not in servers:
        return True
    variants = servers[target.server].variants
    production = {name for name, variant in variants.items() if variant.track is Track.PRODUCTION}
    return target.variant in (production or variants)


def _notes(told: Iterable[Finding]) -> tuple[SecurityNote, ...]:
    targets: dict[tuple[str, Verdict, str, str], list[str]] = {}
    for each in told:
        if each.verdict is not Verdict.PASS:
            key = (each.attack, each.verdict, each.seen, each.reason)
            targets.setdefault(key, []).append(each.target)
    return tuple(
        SecurityNote(attack=attack, verdict=verdict, seen=seen, reason=reason, targets=tuple(named))
        for (attack, verdict, seen, reason), named in sorted(targets.items(), key=lambda item: item[0][0])
    )


def _as(finding: Finding, verdict: Verdict, reason: str) -> Finding:
    return msgspec.structs.replace(finding, verdict=verdict, reason=reason)
