"""The questions behind the doubts about ratios: to the reference, and to the same target with fewer cores."""

from __future__ import annotations

from serverlab import stats
from serverlab.analysis.differences import Compared, as_share, reach_of
from serverlab.analysis.evidence import Evidence, Ground
from serverlab.analysis.suspicions import near_ceiling, near_generator
from serverlab.formatting import estimate, exact, factor, percent, plural, span
from serverlab.model.tables import Shown

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
    busiest: dict[str, str] = {}
    for reference in ground.reference_evidence():
        if reference.samples and (share := near_generator(ground, reference)):
            busiest[reference.name] = f"{share} of a core"
        elif reference.samples and (share := near_ceiling(ground, reference)):
            busiest[reference.name] = f"{share} of its ceiling"
    return "; ".join(f"{name}: {share}" for name, share in busiest.items()) or None


def self_difference(ground: Ground) -> str | None:
    """Whether a reference that was measured twice in each round differs from itself."""
    found = [
        f"{name} against itself {estimate(floor.interval)}"
        for name, floor in ground.floors.items()
        if floor.interval is not None and not floor.interval.low <= 1 <= floor.interval.high
    ]
    return "; ".join(found) or None


def no_difference(ground: Ground, evidence: Evidence) -> str | None:
    """Whether row and reference tie, and how large a difference would have had to be."""
    found = ground.ratios.get(evidence.name)
    return _not_shown(found) if found and found.shown is Shown.TIE else None


def unclear(ground: Ground, evidence: Evidence) -> str | None:
    """Whether the row's interval excludes 1 though its difference does not stand among so many."""
    found = ground.ratios.get(evidence.name)
    return _not_shown(found) if found and found.shown is Shown.UNCLEAR and not found.below_floor else None


def noise_floor(ground: Ground, evidence: Evidence) -> str | None:
    """Whether the row would differ, were it not that its reference differs from itself by as much."""
    found = ground.ratios.get(evidence.name)
    if found is None or not found.below_floor:
        return None
    floor = ground.floors.get(ground.references[evidence.name])
    if floor is None or floor.interval is None:
        return f"{estimate(found.interval)}, and too few trials tell what the reference is against itself"
    return f"{estimate(found.interval)}, the floor reaches {percent(as_share(reach_of(floor.interval)))}"


def unstable_order(ground: Ground, evidence: Evidence) -> str | None:
    """Whether the medians of requests/s order row and reference the other way round than the paired ratios do."""
    paired, reference = ground.ratios.get(evidence.name), ground.compared_with(evidence)
    if paired is None or reference is None:
        return None
    of, to = stats.spread([*evidence.rps_by_round.values()]), stats.spread([*reference.rps_by_round.values()])
    if of is None or to is None or not to.median:
        return None
    of_medians, of_pairs = of.median / to.median, _middle(paired)
    if (of_medians - 1) * (of_pairs - 1) >= 0:
        return None
    return f"ratio of the medians {factor(of_medians)}, mean of the ratios {factor(of_pairs)}"


def ratio_pairs(ground: Ground, evidence: Evidence) -> str | None:
    """Whether valid rounds of the row have no partner, so that a ratio or a gain stands on fewer of them."""
    if evidence.load.is_open:
        return None
    reference, valid, said = ground.compared_with(evidence), len(evidence.samples), []
    if evidence is not reference and reference is not None and reference.samples:
        said += _missing("ratio", _count(ground.ratios.get(evidence.name)), valid)
    if ground.cpus != ground.smallest_cpus:
        said += _missing("gain by cores", _count(ground.gains.get(evidence.name)), valid)
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
    """Whether no gain by cores was shown, and how large one would have had to be."""
    found = ground.gains.get(evidence.name)
    return _not_shown(found) if found and found.shown in (Shown.TIE, Shown.UNCLEAR) else None


def impossible_gain(ground: Ground, evidence: Evidence) -> str | None:
    """Whether a round gained more than the budget grew."""
    gain, most = ground.gains.get(evidence.name), ground.cpus / ground.smallest_cpus
    if gain is None or gain.spread.high <= most:
        return None
    rounds = span(gain.spread.low, gain.spread.high, factor)
    return f"{factor(_middle(gain))}, rounds {rounds}, {exact(most)} times the cores"


def gain_bound(ground: Ground) -> str | None:
    """Whether the generator took from the stack's cores at only one of the two budgets that a gain compares."""
    here, smallest = ground.split, ground.smallest_split
    if here is None or smallest is None or here.disjoint == smallest.disjoint:
        return None
    if not ground.gains:
        return None
    shared, bound = (ground.smallest_cpus, "at most") if here.disjoint else (ground.cpus, "at least")
    return f"shared with {plural(shared, 'core')} only: every gain is {bound} what is shown"


def _not_shown(found: Compared) -> str:
    return f"{estimate(found.interval)}, less than {percent(found.smallest)} would not show"


def _middle(found: Compared) -> float:
    """The geometric mean, or the median where there are too few rounds for one with an interval."""
    return found.interval.middle if found.interval else found.spread.median


def _count(found: Compared | None) -> int:
    return found.spread.count if found else 0


def _share(share: float) -> str:
    return percent(share) if share else "none"


def _missing(what: str, count: int, valid: int) -> list[str]:
    return [f"{what} rests on {count} of {plural(valid, 'round')}"] if count < valid else []
