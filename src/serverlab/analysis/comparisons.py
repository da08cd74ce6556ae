"""The questions behind the doubts about ratios: to the reference, and to the same target with fewer cores."""

from __future__ import annotations

from serverlab import stats
from serverlab.analysis.evidence import Evidence, Ground
from serverlab.analysis.rows import gain_by_cores, ratio_to_reference
from serverlab.analysis.suspicions import near_generator
from serverlab.formatting import exact, factor, percent, plural, ratio

MANY_OPENED = 0.5
"""From this share of the ended requests on, a row counts as one that opens a connection for every request."""


def no_reference(ground: Ground) -> str | None:
    """Whether ratios of the section have nothing to be taken against; that it holds no reference is said elsewhere."""
    missing = [each.name for each in ground.reference_evidence() if not each.samples]
    if not missing:
        return None
    return f"the reference{'' if len(missing) == 1 else 's'} {', '.join(missing)} has no valid trial"


def reference_bound(ground: Ground) -> str | None:
    """Whether the generator may have held back a reference, which ratios are taken against."""
    busiest = {
        reference.name: near_generator(ground, reference)
        for reference in ground.reference_evidence()
        if reference.samples
    }
    return "; ".join(f"{name}: {share}" for name, share in busiest.items() if share) or None


def no_difference(ground: Ground, evidence: Evidence) -> str | None:
    """Whether the paired ratios to the reference include 1."""
    found = ratio_to_reference(ground, evidence)
    return ratio(found) if found is not None and found.low <= 1 <= found.high else None


def unstable_order(ground: Ground, evidence: Evidence) -> str | None:
    """Whether the medians of requests/s order row and reference the other way round than the paired ratios do."""
    paired, reference = ratio_to_reference(ground, evidence), ground.compared_with(evidence)
    if paired is None or reference is None:
        return None
    of, to = stats.spread([*evidence.rps_by_round.values()]), stats.spread([*reference.rps_by_round.values()])
    if of is None or to is None or not to.median:
        return None
    of_medians = of.median / to.median
    if (of_medians - 1) * (paired.median - 1) >= 0:
        return None
    return f"ratio of the medians {factor(of_medians)}, median of the ratios {factor(paired.median)}"


def ratio_pairs(ground: Ground, evidence: Evidence) -> str | None:
    """Whether valid rounds of the row have no partner, so that a ratio or a gain stands on fewer of them."""
    reference, valid, said = ground.compared_with(evidence), len(evidence.samples), []
    if evidence is not reference and reference is not None and reference.samples:
        found = ratio_to_reference(ground, evidence)
        said += _missing("ratio", found.count if found else 0, valid)
    if ground.cpus != ground.smallest_cpus:
        found = gain_by_cores(ground, evidence)
        said += _missing("gain by cores", found.count if found else 0, valid)
    return ", ".join(said) or None


def new_connections(ground: Ground, evidence: Evidence) -> str | None:
    """Whether either the row or its reference, but not both, opened a connection for every request."""
    reference = ground.compared_with(evidence)
    own, other = evidence.opened_share, reference.opened_share if reference else None
    if own is None or other is None or (own >= MANY_OPENED) == (other >= MANY_OPENED):
        return None
    manner = "a new connection for every request" if own >= MANY_OPENED else "connections kept"
    return f"{manner}: opened for {_share(own)} of the requests, by the reference for {_share(other)}"


def no_gain(ground: Ground, evidence: Evidence) -> str | None:
    """Whether the gain by cores includes 1."""
    gain = gain_by_cores(ground, evidence)
    return ratio(gain) if gain is not None and gain.low <= 1 <= gain.high else None


def impossible_gain(ground: Ground, evidence: Evidence) -> str | None:
    """Whether a round gained more than the budget grew."""
    gain, most = gain_by_cores(ground, evidence), ground.cpus / ground.smallest_cpus
    if gain is None or gain.high <= most:
        return None
    return f"{ratio(gain)}, {exact(most)} times the cores"


def gain_bound(ground: Ground) -> str | None:
    """Whether the generator took from the stack's cores at only one of the two budgets that a gain compares."""
    here, smallest = ground.split, ground.smallest_split
    if here is None or smallest is None or here.disjoint == smallest.disjoint:
        return None
    if not any(gain_by_cores(ground, evidence) for evidence in ground.evidence):
        return None
    shared, bound = (ground.smallest_cpus, "at most") if here.disjoint else (ground.cpus, "at least")
    return f"shared with {plural(shared, 'core')} only: every gain is {bound} what is shown"


def _share(share: float) -> str:
    return percent(share) if share else "none"


def _missing(what: str, count: int, valid: int) -> list[str]:
    return [f"{what} rests on {count} of {plural(valid, 'round')}"] if count < valid else []
