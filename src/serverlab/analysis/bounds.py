"""Whether what a fault measured itself is within the bounds of its rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from serverlab.model.faults import Judgement, Rule, Verdict


def bounded(judgement: Judgement, measured: Mapping[str, float], rule: Rule) -> Judgement:
    """The judgement with what the rule says of ``measured``: FAIL where a bound is broken, unless the cell is VOID.

    What is bounded and was not measured leaves a cell that would have passed UNKNOWN.
    """
    if judgement.verdict is Verdict.VOID:
        return judgement
    broken, unknown = (
        list(_broken(measured, rule)),
        [name for name in rule.measured_at_most if name not in measured],
    )
    if broken:
        reasons = [judgement.reason] if judgement.verdict is Verdict.FAIL else []
        return msgspec.structs.replace(judgement, verdict=Verdict.FAIL, reason="; ".join([*reasons, *broken]))
    if unknown and judgement.verdict is Verdict.PASS:
        reason = f"not measured: {', '.join(unknown)}"
        return msgspec.structs.replace(judgement, verdict=Verdict.UNKNOWN, reason=reason)
    return judgement


def _broken(measured: Mapping[str, float], rule: Rule) -> Iterator[str]:
    for name, most in rule.measured_at_most.items():
        if measured.get(name, most) > most:
            yield rule.said.get(name, f"{name} {measured[name]:g}, at most {most:g} is asked")
