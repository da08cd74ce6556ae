"""The questions behind the doubts: each returns one sentence with numbers, or None if nothing is doubtful."""

from __future__ import annotations

import re
from collections.abc import Iterable

from serverlab import stats
from serverlab.analysis.evidence import Evidence, Ground, Sample
from serverlab.formatting import factor, milliseconds, per_second, percent, plural, span

ENOUGH_ROUNDS = 5
"""With fewer an interval leans on how evenly the noise lies; docs/decisions/0012 has the coverage for each number."""
WIDE_SPREAD = 1.25
SLOW_CORE = 0.9
"""Below this share of the run's median speed a core counts as slowed down."""
FLOOR_US = (39_000, 50_000)
"""Linux holds an ACK back for 40 ms at least (TCP_DELACK_MIN); a small service time comes on top."""
NARROW = 0.75
"""A floor at this share of the median or above is not the lower end of a queue, whose waits spread widely."""
KEPT_SHARE = 0.05
FULL_SHARE = 0.9
IDLE_SHARE = 0.5
LATE_SHARE = 0.05
NEAR_GENERATOR_CORES = 0.7
NEAR_CEILING = 0.7

LOGIN = re.compile(r"^POST \S*/(token|login|signup)/?$")  # "token" in runs of earlier versions
"""Requests in which the app hashes a password."""
CHEAP_HASHERS = re.compile(r"md5|sha1|cheap|unsalted", re.IGNORECASE)


def few_rounds(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether there are too few rounds for an interval, or for one that may be leant on."""
    count = len(evidence.samples)
    if count >= ENOUGH_ROUNDS:
        return None
    return f"{plural(count, 'round')}{'' if count >= stats.FEWEST_ROUNDS else ': no interval'}"


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


def machine_speed(ground: Ground, evidence: Evidence) -> str | None:
    """Whether the stack's cores were more than 10 % slower in a round than in the middle of the run."""
    if ground.core_speed is None:
        return None
    slow = [
        f"round {sample.round}: core {percent(1 - sample.speed / ground.core_speed)} slower"
        for sample in evidence.samples
        if sample.speed is not None and sample.speed < ground.core_speed * SLOW_CORE
    ]
    return f"{', '.join(slow)} than the run's median" if slow else None


def dirty(ground: Ground) -> str | None:
    """Whether the checkout was changed since its commit, or nobody knows."""
    commit = ground.environment.commit
    if commit is None:
        return "the commit is unknown"
    if ground.environment.dirty is None:
        return f"whether the checkout differed from commit {commit[:12]} is unknown"
    return f"the checkout differed from commit {commit[:12]}" if ground.environment.dirty else None


def wide_spread(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether the fastest round was more than 1.25 times as fast as the slowest."""
    rates = list(evidence.rps_by_round.values())
    low, high = min(rates), max(rates)
    if high <= low * WIDE_SPREAD:
        return None
    return f"{factor(high / low)} times" if low else "none succeeded in a round"


def threshold(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether a round broke the workload's bound on errors or on the 99th percentile."""
    bounds = evidence.load.thresholds
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


def near_ceiling(ground: Ground, evidence: Evidence) -> str | None:
    """Whether users who wait for answers made more than 70 % of the requests that the generator can make at all."""
    shares = [share for sample in evidence.samples if (share := ground.ceiling_share(sample)) is not None]
    worst = max(shares, default=0.0)
    if evidence.load.is_open or worst <= NEAR_CEILING:
        return None
    return f"up to {percent(worst)}"


def plateau_40ms(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether latencies on kept connections begin where delayed ACKs put them, with most answers close above.

    How busy the cores are tells nothing: with enough users in parallel they are full although every answer waits.
    """
    floor, middle = _median_percentile(evidence, 5), _median_percentile(evidence, 50)
    if floor is None or middle is None or (evidence.opened_share or 0) >= KEPT_SHARE:
        return None
    if not FLOOR_US[0] <= floor <= FLOOR_US[1] or floor < NARROW * middle:
        return None
    found = f"19 of 20 answers took {milliseconds(floor)} ms or longer, p50 {milliseconds(middle)} ms"
    if evidence.load.is_open:
        return found
    users, turn_s = evidence.load.users, (floor / 1000 + evidence.load.think_time_ms) / 1000
    return f"{found}; {plural(users, 'user')} / floor = {per_second(users / turn_s)} requests/s"


def slots(ground: Ground, evidence: Evidence) -> str | None:
    """Whether more users than the server has slots for were waiting at once, while the cores had time left."""
    count, busy = _slots(evidence), _busy_share(ground, evidence)
    users = evidence.load.users
    if _may_idle(evidence) or not count or count >= users or busy is None or busy >= FULL_SHARE:
        return None
    return f"{plural(count, 'slot')} for {plural(users, 'user')}: the rest queue; cores {percent(busy)} busy"


def idle_cpu(ground: Ground, evidence: Evidence) -> str | None:
    """Whether the cores idled though users without think time waited, for another reason than the plateau."""
    busy = _busy_share(ground, evidence)
    if _may_idle(evidence) or busy is None or busy >= IDLE_SHARE:
        return None
    if plateau_40ms(ground, evidence):
        return None
    app = stats.median([sample.cores_used("app") / ground.cpus for sample in evidence.samples])
    return f"cores {percent(busy)} busy, the app's part {percent(app)}"


def late(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether many requests of a round were open when its window ended."""
    worst = max(sample.late_share for sample in evidence.samples)
    return f"up to {percent(worst)}" if worst > LATE_SHARE else None


def few_samples(ground: Ground, evidence: Evidence) -> str | None:
    """Whether a round has too few requests for a percentile that the section's table shows of other rows."""
    if evidence.load.steps:
        return None
    fewest, nowhere = _fewest_requests(evidence), _told_of_no_row(ground)
    absent = [each for each in _percentiles_shown(ground) if fewest < stats.samples_needed(each)]
    names = _names(each for each in absent if each not in nowhere)
    return f"no {names}: {plural(fewest, 'request')} in a round" if names else None


def few_samples_everywhere(ground: Ground) -> str | None:
    """Whether all rows have too few requests for a percentile, which the section's table leaves out then."""
    names = _names(_told_of_no_row(ground))
    if not names or ground.load.steps:
        return None
    return f"no row has {names}: each has a round of {plural(_most_requests(ground), 'request')} or fewer"


def _percentiles_shown(ground: Ground) -> tuple[float, ...]:
    """Those of the usual columns."""
    return (50, 99) if ground.workload is None else (50, 90, 99, 99.9)


def _told_of_no_row(ground: Ground) -> tuple[float, ...]:
    """Percentiles for which every row has too few requests; none where there are no two rows."""
    if sum(bool(evidence.samples) for evidence in ground.evidence) < 2:
        return ()
    most = _most_requests(ground)
    return tuple(each for each in _percentiles_shown(ground) if most < stats.samples_needed(each))


def _names(percents: Iterable[float]) -> str:
    return ", ".join(f"p{each:g}" for each in percents)


def _fewest_requests(evidence: Evidence) -> int:
    """Of all rounds."""
    return min(sample.load.latency.count for sample in evidence.samples)


def _most_requests(ground: Ground) -> int:
    """So many requests the row has in each round that has the most of them."""
    return max(_fewest_requests(evidence) for evidence in ground.evidence if evidence.samples)


def queued(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether requests that were due waited until a user was free to send them, or were never sent."""
    scheduled = sum(sample.load.scheduled or 0 for sample in evidence.samples)
    late = sum(sample.load.queued or 0 for sample in evidence.samples)
    never = sum(sample.load.unsent or 0 for sample in evidence.samples)
    if not late and not never:
        return None
    return f"{percent(late / scheduled)} were sent late, {percent(never / scheduled)} never"


def stepped(ground: Ground) -> str | None:
    """Whether the load changed within the window, so that its percentiles are those of no load at all."""
    return plural(len(ground.load.steps), "step") if ground.load.steps else None


def _may_idle(evidence: Evidence) -> bool:
    """Whether the load leaves a server idle that is fast enough: users who think, or requests due at a rate."""
    return bool(evidence.load.think_time_ms) or evidence.load.is_open


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


def _slots(evidence: Evidence) -> int | None:
    """How many requests all copies work on at once, None where that is unbounded or was not stated."""
    trial = evidence.samples[0].trial
    identity = trial.proof_before.identity if trial.proof_before else {}
    try:
        return int(identity["workers"]) * int(identity["threads"]) * trial.replicas or None
    except (KeyError, ValueError):
        return None


def _logs_in(sample: Sample) -> bool:
    return any(LOGIN.match(name) for name in sample.load.by_name)


def _hasher(sample: Sample) -> str:
    proof = sample.trial.proof_before
    return proof.identity.get("password_hasher", "") if proof else ""
