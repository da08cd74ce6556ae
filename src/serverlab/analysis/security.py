"""From findings to verdicts: what is expected of a server by its definition, and what a column of targets comes to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from serverlab.model.definitions import Difference, Server, Target
from serverlab.model.security import Finding, Verdict

SEVERITY = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.DIFFERENCE, Verdict.PASS, Verdict.NA)
"""The first of these that is there is the verdict of many."""

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
        if re.search(difference.seen, finding.seen):
            return _as(finding, Verdict.DIFFERENCE, difference.why)
        reason = f"{finding.reason} (server.toml expects {difference.seen!r})"
        return _as(finding, Verdict.FAIL, reason)
    if finding.verdict is Verdict.NA and not finding.reason:
        return _as(finding, Verdict.UNKNOWN, "not asked, and it does not say why")
    return finding


def expected_difference(finding: Finding, servers: Mapping[str, Server]) -> Difference | None:
    """What the target's ``server.toml`` says of the attack, if anything."""
    target = Target.parse(finding.target)
    server = servers.get(target.server)
    differences = server.differences if server else ()
    return next((each for each in differences if each.applies_to(finding.attack, target)), None)


def merged(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict for several: the worst, where one that does not apply says nothing about the others.

    Nothing at all is UNKNOWN.
    """
    found = set(verdicts)
    return next((verdict for verdict in SEVERITY if verdict in found), Verdict.UNKNOWN)


def _as(finding: Finding, verdict: Verdict, reason: str) -> Finding:
    return msgspec.structs.replace(finding, verdict=verdict, reason=reason)
