"""Typed warnings: each rule asks one question of a section or a row, and says what to do about the answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from serverlab.analysis import artefacts, comparisons, suspicions
from serverlab.analysis.evidence import Evidence, Ground
from serverlab.model.tables import Detail, Doubt, DoubtKind


@dataclass(frozen=True)
class SectionRule:
    """A warning about a whole section; ``says`` returns its sentence, None where there is nothing to doubt."""

    kind: DoubtKind
    message: str
    action: str
    says: Callable[[Ground], str | None]


@dataclass(frozen=True)
class RowRule:
    """A warning about single rows; ``says`` is asked only of rows that have a valid trial.

    What is so of all rows alike ``says_of_all`` tells once.
    """

    kind: DoubtKind
    message: str
    action: str
    says: Callable[[Ground, Evidence], str | None]
    says_of_all: Callable[[Ground], str | None] = lambda _ground: None


RULES: tuple[SectionRule | RowRule, ...] = (
    SectionRule(
        DoubtKind.NO_REFERENCE,
        "there are no ratios",
        "see why the reference has no valid trial here, and measure again",
        comparisons.no_reference,
    ),
    SectionRule(
        DoubtKind.REFERENCE_BOUND,
        "the generator used more than 70 % of a core, or of what it can ask at all, for the reference: it may be "
        "faster than shown",
        "read every ratio as at most that; use a faster generator, or a slower reference",
        comparisons.reference_bound,
    ),
    RowRule(
        DoubtKind.FEW_ROUNDS,
        "few rounds: with fewer than 3 there is no interval, and no difference is shown; with 3 or 4 intervals are "
        "wide, and too narrow where the ratios jump between two values",
        "measure with --rounds 5 or more",
        suspicions.few_rounds,
    ),
    SectionRule(
        DoubtKind.SHARED_CORE,
        "stack and generator shared cores, so the generator slowed what it measured",
        "compare rows, not absolute values; measure on a machine with more cores",
        suspicions.shared_core,
    ),
    RowRule(
        DoubtKind.MACHINE_SPEED,
        "the machine itself was slower: a fixed loop ran more than 10 % below the run's median just before or "
        "after the load",
        "do not read these rounds as the server's; measure again on a machine that keeps its speed",
        suspicions.machine_speed,
    ),
    SectionRule(
        DoubtKind.DIRTY,
        "measured with uncommitted changes, or from a commit that is not known",
        "commit and measure again before anything is published",
        suspicions.dirty,
    ),
    SectionRule(
        DoubtKind.SELF_DIFFERENCE,
        "a reference that was measured twice in each round differs from itself; by chance that is so in one of 20 "
        "sections",
        "do not trust small differences here; look at the trials for what changed between them, and measure again",
        comparisons.self_difference,
    ),
    RowRule(
        DoubtKind.NO_DIFFERENCE,
        "tie: the interval of the ratio includes 1, so no difference to the reference was shown",
        "do not rank these against the reference; more rounds may tell",
        comparisons.no_difference,
    ),
    RowRule(
        DoubtKind.UNCLEAR,
        "unclear: the interval of this row alone excludes 1, but among so many rows one does by chance: after Holm's "
        "correction over the section no difference was shown",
        "do not rank these against the reference; more rounds may tell",
        comparisons.unclear,
    ),
    RowRule(
        DoubtKind.NOISE_FLOOR,
        "the reference differs from itself by as much as these differ from it, or nobody knows by how much, "
        "so no difference is shown",
        "add rounds until the noise floor is narrower",
        comparisons.noise_floor,
    ),
    RowRule(
        DoubtKind.UNSTABLE_ORDER,
        "the order to the reference is unstable: the medians of requests/s say one thing, the paired ratios the other",
        "do not rank these against the reference; add rounds",
        comparisons.unstable_order,
    ),
    RowRule(
        DoubtKind.RATIO_PAIRS,
        "rounds without a valid partner are in requests/s but not in the ratio or the gain",
        "see which trials are VOID or were not run, and measure these again",
        comparisons.ratio_pairs,
    ),
    RowRule(
        DoubtKind.NEW_CONNECTIONS,
        "the row and its reference used connections differently: where there was a new connection for every "
        "request, its numbers include TCP set-up",
        "compare with a workload in which everybody opens (-close), or behind an edge",
        comparisons.new_connections,
    ),
    RowRule(
        DoubtKind.NO_GAIN,
        "no gain by cores shown, after Holm's correction over all rows of the section",
        "do not say that it gains, or loses; more rounds may tell",
        comparisons.no_gain,
    ),
    RowRule(
        DoubtKind.IMPOSSIBLE_GAIN,
        "the gain is larger than cores alone can give: the trials with fewer cores were slow, or more than the "
        "cores changed",
        "read the rounds, not the mean; look at the spread with fewer cores, and add rounds",
        comparisons.impossible_gain,
    ),
    SectionRule(
        DoubtKind.GAIN_BOUND,
        "stack and generator shared cores at only one of the two budgets that a gain compares",
        "measure on a machine with cores for the generator at every budget",
        comparisons.gain_bound,
    ),
    RowRule(
        DoubtKind.WIDE_SPREAD,
        "requests/s differed by more than a quarter between rounds",
        "keep the machine quiet, measure longer, add rounds",
        suspicions.wide_spread,
    ),
    RowRule(
        DoubtKind.THRESHOLD,
        "a threshold of the workload was broken",
        "look at the errors, or lower the load: requests/s count successes only",
        suspicions.threshold,
    ),
    RowRule(
        DoubtKind.NEAR_GENERATOR,
        "the generator used more than 70 % of a core: the server may be faster than shown",
        "read these rows as at least that fast; use a faster generator",
        suspicions.near_generator,
    ),
    RowRule(
        DoubtKind.NEAR_CEILING,
        "more than 70 % of what the generator can ask of a server that does nothing: the generator, not the server, "
        "may be what was measured",
        "read these rows as at least that fast; give the stack fewer cores or a heavier workload, or the generator a "
        "faster core",
        suspicions.near_ceiling,
    ),
    RowRule(
        DoubtKind.PLATEAU_40MS,
        "hardly an answer came below 40 to 50 ms and most came close above, on kept connections: consistent with "
        "Nagle's algorithm waiting for a delayed ACK, where an answer is sent in two small writes; such a floor caps "
        "requests/s at users / floor, whatever the server could do",
        "compare with a new connection for each request, or write answers at once (TCP_NODELAY)",
        suspicions.plateau_40ms,
    ),
    RowRule(
        DoubtKind.SLOTS,
        "the server has fewer slots (workers x threads x copies) than there are users, and its cores had time left",
        "read requests/s as those of this many slots; try more workers or threads",
        suspicions.slots,
    ),
    RowRule(
        DoubtKind.IDLE_CPU,
        "users waited while more than half of the cores' time was unused: something else is the limit, "
        "such as workers, threads, locks or waiting views",
        "read requests/s as concurrency, not as speed; try more workers or threads",
        suspicions.idle_cpu,
    ),
    RowRule(
        DoubtKind.LATE,
        "more than 5 % of the requests were still open when the window ended",
        "measure longer",
        suspicions.late,
    ),
    RowRule(
        DoubtKind.FEW_SAMPLES,
        "percentiles are left out where a round has fewer than 10 samples beyond them: "
        "p50 needs 20 requests, p90 100, p95 200, p99 1000, p99.9 10000",
        "measure longer",
        suspicions.few_samples,
        suspicions.few_samples_everywhere,
    ),
    RowRule(
        DoubtKind.QUEUED,
        "requests that were due found as many in flight as there are users: their waiting is in the latencies, but "
        "the server saw fewer at once than there would have been",
        "lower the rate below what the server can do, or set more users if it is only a burst",
        suspicions.queued,
    ),
    SectionRule(
        DoubtKind.STEPPED,
        "the load changed within the window: percentiles of all of it would be those of a mixture and are left out",
        "read each step's own, and each second's, in the trials' records",
        suspicions.stepped,
    ),
    RowRule(
        DoubtKind.CHEAP_HASHER,
        "passwords were hashed with a cheap hasher: a real log-in costs far more CPU",
        "do not read the cost of log-ins from this table",
        suspicions.cheap_hasher,
    ),
    *(RowRule(*artefact) for artefact in artefacts.ARTEFACTS),
)


def find_doubts(ground: Ground) -> tuple[Doubt, ...]:
    """The section's footnotes, numbered from 1 in the order of the rules."""
    raised = [(rule, details) for rule in RULES if (details := _details(rule, ground))]
    return tuple(
        Doubt(
            number=number,
            kind=rule.kind,
            message=rule.message,
            action=rule.action,
            details=details,
            everywhere=_is_everywhere(ground, details),
        )
        for number, (rule, details) in enumerate(raised, start=1)
    )


def _details(rule: SectionRule | RowRule, ground: Ground) -> tuple[Detail, ...]:
    """The rule's sentences, each with all targets that it holds for; no targets means the whole section."""
    if isinstance(rule, SectionRule):
        return _of_all(rule.says(ground))
    found: dict[str, list[str]] = defaultdict(list)
    for evidence in ground.evidence:
        sentence = rule.says(ground, evidence) if evidence.samples else None
        if sentence is not None:
            found[sentence].append(evidence.name)
    single = (Detail(targets=tuple(targets), text=text) for text, targets in found.items())
    return (*_of_all(rule.says_of_all(ground)), *single)


def _of_all(sentence: str | None) -> tuple[Detail, ...]:
    return () if sentence is None else (Detail(targets=(), text=sentence),)


def _is_everywhere(ground: Ground, details: tuple[Detail, ...]) -> bool:
    """Whether the one sentence is of all, or holds for every measured row, of which there are several."""
    measured = {evidence.name for evidence in ground.evidence if evidence.samples}
    return len(details) == 1 and (
        not details[0].targets or (len(measured) > 1 and set(details[0].targets) == measured)
    )
