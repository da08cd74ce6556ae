"""Typed warnings: each rule asks one question of a section or a row, and says what to do about the answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from serverlab.analysis import suspicions
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
    """A warning about single rows; ``says`` is asked only of rows that have a valid trial."""

    kind: DoubtKind
    message: str
    action: str
    says: Callable[[Ground, Evidence], str | None]


RULES: tuple[SectionRule | RowRule, ...] = (
    SectionRule(
        DoubtKind.NO_REFERENCE,
        "there are no ratios",
        "see why the reference has no valid trial here, and measure again",
        suspicions.no_reference,
    ),
    RowRule(
        DoubtKind.FEW_ROUNDS,
        "fewer than 5 rounds: a range is what was seen, not an interval for what may come",
        "measure with --rounds 5 or more",
        suspicions.few_rounds,
    ),
    SectionRule(
        DoubtKind.SHARED_CORE,
        "stack and generator shared cores, so the generator slowed what it measured",
        "compare rows, not absolute values; measure on a machine with more cores",
        suspicions.shared_core,
    ),
    SectionRule(
        DoubtKind.DIRTY,
        "measured with uncommitted changes",
        "commit and measure again before anything is published",
        suspicions.dirty,
    ),
    RowRule(
        DoubtKind.NO_DIFFERENCE,
        "no difference shown: the paired ratios to the reference reach from below 1 to above it",
        "do not rank these against the reference; more rounds may tell",
        suspicions.no_difference,
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
        DoubtKind.PLATEAU_40MS,
        "answers took 40 ms and more while cores had time left: Nagle's algorithm waiting for a delayed "
        "ACK, because an answer is sent in two small writes on a kept connection",
        "compare with a new connection for each request, or write answers at once (TCP_NODELAY)",
        suspicions.plateau_40ms,
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
        "p50 needs 20 requests, p95 200, p99 1000",
        "measure longer",
        suspicions.few_samples,
    ),
    RowRule(
        DoubtKind.CHEAP_HASHER,
        "passwords were hashed with a cheap hasher: a real log-in costs far more CPU",
        "do not read the cost of log-ins from this table",
        suspicions.cheap_hasher,
    ),
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
            everywhere=isinstance(rule, SectionRule) or _is_everywhere(ground, details),
        )
        for number, (rule, details) in enumerate(raised, start=1)
    )


def _details(rule: SectionRule | RowRule, ground: Ground) -> tuple[Detail, ...]:
    """The rule's sentences, each with all targets that it holds for; no targets means the whole section."""
    if isinstance(rule, SectionRule):
        sentence = rule.says(ground)
        return () if sentence is None else (Detail(targets=(), text=sentence),)
    found: dict[str, list[str]] = defaultdict(list)
    for evidence in ground.evidence:
        sentence = rule.says(ground, evidence) if evidence.samples else None
        if sentence is not None:
            found[sentence].append(evidence.target)
    return tuple(Detail(targets=tuple(targets), text=text) for text, targets in found.items())


def _is_everywhere(ground: Ground, details: tuple[Detail, ...]) -> bool:
    """Whether the same sentence holds for every measured row, of which there are several."""
    measured = {evidence.target for evidence in ground.evidence if evidence.samples}
    return len(details) == 1 and len(measured) > 1 and set(details[0].targets) == measured
