"""The questions behind the doubts: each returns one sentence with numbers, or None if nothing is doubtful."""

from __future__ import annotations

import re

from serverlab import stats
from serverlab.analysis.evidence import Evidence, Ground, Sample
from serverlab.analysis.rows import ratio_to_reference
from serverlab.formatting import factor, milliseconds, percent, plural, ratio, span

ENOUGH_ROUNDS = 5
WIDE_SPREAD = 1.25
PLATEAU_US = (39_000, 46_000)
"""Linux holds an ACK back for 40 ms at least (TCP_DELACK_MIN); a small service time comes on top."""
PLATEAU_BUSY_SHARE = 0.6
FLOOR_BUSY_SHARE = 0.9
IDLE_SHARE = 0.5
LATE_SHARE = 0.05
NEAR_GENERATOR_CORES = 0.7
PERCENTILES = (50, 95, 99)

LOGIN = re.compile(r"^POST \S*/(token|signup)/?$")
"""Requests in which the app hashes a password."""
CHEAP_HASHERS = re.compile(r"md5|sha1|cheap|unsalted", re.IGNORECASE)


def no_reference(ground: Ground) -> str | None:
    """Whether the section's ratios have nothing to be taken against."""
    if ground.reference is None:
        return None  # said in the conditions: the experiment is made so
    has_samples = any(each.samples for each in ground.evidence if each.target == ground.reference)
    return None if has_samples else f"the reference {ground.reference} has no valid trial"


def few_rounds(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether there are too few rounds to speak of an interval."""
    count = len(evidence.samples)
    return plural(count, "round") if count < ENOUGH_ROUNDS else None


def shared_core(ground: Ground) -> str | None:
    """Whether the generator ran on the stack's cores, and how much it took there."""
    if ground.split is None or ground.split.disjoint:
        return None
    taken = [
        sample.cores_used("load")
        for each in ground.evidence
        for sample in each.samples
        if "load" in sample.trial.usage
    ]
    took = span(min(taken), max(taken), percent) if taken else "an unknown part"
    return f"both on CPU {ground.split.generator}; the generator took {took} of one core"


def dirty(ground: Ground) -> str | None:
    """Whether the checkout was changed since its commit."""
    if not ground.environment.dirty:
        return None
    return f"the checkout differed from commit {(ground.environment.commit or 'unknown')[:12]}"


def no_difference(ground: Ground, evidence: Evidence) -> str | None:
    """Whether the paired ratios to the reference include 1."""
    found = ratio_to_reference(ground, evidence)
    return ratio(found) if found is not None and found.low <= 1 <= found.high else None


def wide_spread(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether the fastest round was more than 1.25 times as fast as the slowest."""
    rates = list(evidence.rps_by_round.values())
    low, high = min(rates), max(rates)
    if high <= low * WIDE_SPREAD:
        return None
    return f"{factor(high / low)} times" if low else "none succeeded in a round"


def threshold(ground: Ground, evidence: Evidence) -> str | None:
    """Whether a round broke the workload's bound on errors or on the 99th percentile."""
    bounds = ground.workload.thresholds
    shares = [sample.error_share for sample in evidence.samples if sample.error_share > bounds.error_share]
    slow = [
        p99_us
        for sample in evidence.samples
        if (p99_us := sample.percentile_us(99)) is not None and p99_us > bounds.p99_ms * 1000
    ]
    broken = []
    if shares:
        broken.append(f"errors up to {percent(max(shares))}, allowed {percent(bounds.error_share)}")
    if slow:
        allowed = milliseconds(bounds.p99_ms * 1000)
        broken.append(f"p99 up to {milliseconds(max(slow))} ms, allowed {allowed} ms")
    return "; ".join(broken) or None


def near_generator(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether the generator was so busy in a round that it may have held the server back."""
    busiest = max(sample.cores_used("load") for sample in evidence.samples)
    return f"up to {percent(busiest)}" if busiest > NEAR_GENERATOR_CORES else None


def plateau_40ms(ground: Ground, evidence: Evidence) -> str | None:
    """Whether latencies sit where delayed ACKs put them, although there was CPU left to be faster.

    Under load the wait for a core comes on top, so a floor is looked for first: the 5th percentile. Where only a part
    of the answers is held back it shows in the median alone, which is trusted only if the cores were clearly idle.
    """
    busy = _busy_share(ground, evidence)
    if busy is None:
        return None
    floor, middle = _median_percentile(evidence, 5), _median_percentile(evidence, 50)
    if floor is not None and _is_delayed_ack(floor) and busy < FLOOR_BUSY_SHARE:
        return f"19 of 20 answers took {milliseconds(floor)} ms or longer, cores {percent(busy)} busy"
    if middle is not None and _is_delayed_ack(middle) and busy < PLATEAU_BUSY_SHARE:
        return f"p50 {milliseconds(middle)} ms, cores {percent(busy)} busy"
    return None


def idle_cpu(ground: Ground, evidence: Evidence) -> str | None:
    """Whether the cores idled though users without think time waited, for another reason than the plateau."""
    busy = _busy_share(ground, evidence)
    if ground.workload.think_time_ms or busy is None or busy >= IDLE_SHARE:
        return None
    if plateau_40ms(ground, evidence):
        return None
    app = stats.median([sample.cores_used("app") / ground.cpus for sample in evidence.samples])
    return f"cores {percent(busy)} busy, the app's part {percent(app)}"


def late(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether many requests of a round were open when its window ended."""
    worst = max(sample.late_share for sample in evidence.samples)
    return f"up to {percent(worst)}" if worst > LATE_SHARE else None


def few_samples(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether a round has too few requests for one of the percentiles."""
    fewest = min(sample.load.latency.count for sample in evidence.samples)
    absent = [f"p{each}" for each in PERCENTILES if fewest < stats.samples_needed(each)]
    return f"no {', '.join(absent)}: {plural(fewest, 'request')} in a round" if absent else None


def cheap_hasher(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether users logged in within the window while the app hashed passwords cheaply."""
    hashers = {_hasher(sample) for sample in evidence.samples if _logs_in(sample)}
    return ", ".join(sorted(hasher for hasher in hashers if CHEAP_HASHERS.search(hasher))) or None


def _busy_share(ground: Ground, evidence: Evidence) -> float | None:
    """The median over rounds of how busy the cores were, None where the app's CPU time was not read."""
    if any("app" not in sample.trial.usage for sample in evidence.samples):
        return None
    return stats.median([ground.busy_share(sample) for sample in evidence.samples])


def _median_percentile(evidence: Evidence, percent: int) -> float | None:
    """The median over rounds of a percentile that every round has."""
    values = [sample.percentile_us(percent) for sample in evidence.samples]
    present = [value for value in values if value is not None]
    return stats.median(present) if len(present) == len(values) else None


def _is_delayed_ack(latency_us: float) -> bool:
    return PLATEAU_US[0] <= latency_us <= PLATEAU_US[1]


def _logs_in(sample: Sample) -> bool:
    return any(LOGIN.match(name) for name in sample.load.by_name)


def _hasher(sample: Sample) -> str:
    proof = sample.trial.proof_before
    return proof.identity.get("password_hasher", "") if proof else ""
