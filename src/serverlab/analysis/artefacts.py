"""The questions behind the doubts about artefacts: numbers that come from the measuring, the machine or the settings.

Each returns one sentence with numbers, or None if nothing is doubtful or what it takes was not read.
"""

from __future__ import annotations

from collections.abc import Callable

from serverlab.analysis.evidence import STACK_ROLES, Evidence, Ground, Sample
from serverlab.formatting import amount, milliseconds, percent, plural, significant
from serverlab.model.definitions import Arrival
from serverlab.model.tables import DoubtKind

RETRANSMITTED_SHARE = 0.001
"""Of the requests: a tenth of what moves a 99th percentile, if each cost a request its 200 ms or more."""

LITTLE_SHARE = 0.1
SAME_SHARE = 0.01
SPREAD_SHARE = 0.9
"""A percentile below this share of a higher one shows that latencies differed."""

FAILED_SHARE = 0.01
FAST_SHARE = 0.5
FEW_FAILURES = 20
UNEQUAL_SHARE = 0.5
LEAST_WORK_S = 0.5
"""CPU seconds per worker process below which the kernel's clock ticks would decide who is unequal."""

LOGGED_SHARE = 0.5
STOLEN_CORES = 0.02
OTHER_SHARE = 0.1


def listen_overflows(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether connections found a full backlog in a round."""
    worst = {
        role: max(_counted(sample, role, "listen_overflows") for sample in evidence.samples)
        for role in STACK_ROLES
    }
    return ", ".join(f"{role}: up to {count} in a round" for role, count in worst.items() if count) or None


def retransmits(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether TCP had to send segments again for more than one request in a thousand."""
    found = [
        sum(counts.retransmits for counts in sample.trial.network.values()) / max(1, sample.began)
        for sample in evidence.samples
    ]
    worst = max(found)
    return f"up to {percent(worst)} of the requests" if worst > RETRANSMITTED_SHARE else None


def littles_law(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether throughput x (latency + think time) gives another number of users than there were.

    Source: J. D. C. Little, "A proof for the queuing formula L = λW", Operations Research 9 (1961), 383-387; with think
    time the interactive response time law, R. Jain, The Art of Computer Systems Performance Analysis (1991), 33.4. It
    holds exactly where nothing is open at the window's edges; latencies that are long beside it are allowed for.
    """
    if evidence.load.arrival is not Arrival.CLOSED or evidence.load.steps:
        return None
    for sample in evidence.samples:
        users = _users_by_law(sample, evidence.load.think_time_ms / 1000)
        if users is None:
            continue
        allowed = LITTLE_SHARE + (sample.load.latency.mean_us or 0) / 1e6 / sample.load.window_s
        if abs(users / sample.load.users - 1) > allowed:
            return (
                f"round {sample.round}: {significant(users)} of {plural(sample.load.users, 'user')} "
                "had a request open on average"
            )
    return None


def mean_as_p99(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether the 99th percentile is the mean in every round, although latencies differed."""
    means = [sample.load.latency.mean_us for sample in evidence.samples]
    p99s, p50s = _percentiles(evidence, 99), _percentiles(evidence, 50)
    if not p99s or not p50s or None in means:
        return None
    pairs = zip(p99s, p50s, (mean or 0.0 for mean in means), strict=True)
    same = all(_alike(p99, mean) and p50 < SPREAD_SHARE * p99 for p99, p50, mean in pairs)
    return f"both {milliseconds(p99s[0])} ms in round {evidence.samples[0].round}" if same else None


def equal_percentiles(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether p95 and p99 are one number in every round, although latencies differed."""
    p99s, p95s, p50s = (_percentiles(evidence, each) for each in (99, 95, 50))
    if not p99s or not p95s or not p50s:
        return None
    triples = zip(p99s, p95s, p50s, strict=True)
    same = all(_alike(p99, p95) and p50 < SPREAD_SHARE * p95 for p99, p95, p50 in triples)
    return f"both {milliseconds(p99s[0])} ms in round {evidence.samples[0].round}" if same else None


def fast_errors(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether failures, being more than a few, came in less than half the time of right answers."""
    for sample in evidence.samples:
        failed, right = sample.load.latency_failed, sample.load.latency
        if failed.count < FEW_FAILURES or sample.error_share <= FAILED_SHARE:
            continue
        if (
            failed.p50_us is not None
            and right.p50_us is not None
            and failed.p50_us < FAST_SHARE * right.p50_us
        ):
            return (
                f"round {sample.round}: p50 of failures {milliseconds(failed.p50_us)} ms, of right answers "
                f"{milliseconds(right.p50_us)} ms; {percent(sample.error_share)} failed"
            )
    return None


def unequal_workers(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether a worker process used less than half of what the workers used in the mean."""
    for sample in evidence.samples:
        used = worker_cpu_s(sample)
        mean_s = sum(used) / len(used) if used else 0.0
        if mean_s >= LEAST_WORK_S and min(used) < UNEQUAL_SHARE * mean_s:
            return (
                f"round {sample.round}: of {plural(len(used), 'worker process', 'worker processes')} the busiest used "
                f"{significant(max(used))} s of CPU time, the least busy {significant(min(used))} s"
            )
    return None


def access_log(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether a role of the stack logged a line for every other request or more, failures aside."""
    for sample in evidence.samples:
        right = max(1, sample.load.ok)
        for role, lines in sample.trial.log_lines.items():
            if lines - sample.failed >= LOGGED_SHARE * right:
                return f"{role}: {amount(lines / max(1, sample.load.ended))} lines per request"
    return None


def stolen_time(_ground: Ground, evidence: Evidence) -> str | None:
    """Whether other guests of the host kept this machine's cores waiting."""
    worst = max((sample.trial.steal_share or 0.0 for sample in evidence.samples), default=0.0)
    return f"up to {percent(worst)} of a core" if worst > STOLEN_CORES else None


def load_average(ground: Ground, evidence: Evidence) -> str | None:
    """Whether more was ready to run than users and cores explain: a user keeps at most one thing running at a time."""
    explained = ground.environment.cores + evidence.load.users
    worst = max((sample.trial.load_average or 0.0 for sample in evidence.samples), default=0.0)
    return f"up to {significant(worst)}, explained are {explained}" if worst > explained else None


def other_work(ground: Ground, evidence: Evidence) -> str | None:
    """Whether others than the trial's containers used more than a tenth of the machine."""
    found = [
        sample.trial.other_cpu_s / sample.load.window_s
        for sample in evidence.samples
        if sample.trial.other_cpu_s is not None
    ]
    cores = max(found, default=0.0)
    if cores <= OTHER_SHARE * ground.environment.cores:
        return None
    return f"up to {significant(cores)} of {plural(ground.environment.cores, 'core')}"


ARTEFACTS: tuple[tuple[DoubtKind, str, str, Callable[[Ground, Evidence], str | None]], ...] = (
    (
        DoubtKind.LISTEN_OVERFLOWS,
        (
            "connections found a full backlog: the kernel dropped them, and the client tries again after a second "
            "or more"
        ),
        "raise the server's backlog and net.core.somaxconn, or open fewer connections; do not read max as service time",
        listen_overflows,
    ),
    (
        DoubtKind.RETRANSMITS,
        "TCP segments were sent again for more than one request in a thousand: each costs 200 ms or more",
        "look for full backlogs and a starved machine; do not read p99 and max as the server's",
        retransmits,
    ),
    (
        DoubtKind.LITTLES_LAW,
        (
            "throughput, latency and think time do not make the number of users: they waited where no latency is "
            "counted, in the generator for instance or in requests that began before the window"
        ),
        "look at the generator's CPU and at time-outs, measure longer; do not read latency and requests/s together",
        littles_law,
    ),
    (
        DoubtKind.MEAN_AS_P99,
        (
            "the 99th percentile is the mean: either an average was printed as a percentile, or fewer than one request "
            "in a hundred were so slow that they make up the mean"
        ),
        "look at the trial's histogram (.hgrm) before reading either",
        mean_as_p99,
    ),
    (
        DoubtKind.EQUAL_PERCENTILES,
        "p95 and p99 are one number while p50 is lower: rounded, cut off by a time-out, or one wait that many share",
        "look at the trial's histogram (.hgrm), and for a time-out of this length",
        equal_percentiles,
    ),
    (
        DoubtKind.FAST_ERRORS,
        (
            "failures came in less than half the time of right answers: they made room, so that the right answers look "
            "faster than under the whole load"
        ),
        "lower the load until nothing fails, then compare",
        fast_errors,
    ),
    (
        DoubtKind.UNEQUAL_WORKERS,
        "the worker processes did not share the work: one used less than half of the mean",
        "look at how connections are spread (kept ones stay where they were accepted); try more connections",
        unequal_workers,
    ),
    (
        DoubtKind.ACCESS_LOG,
        "a line was logged for every other request or more: the work of logging is in the numbers",
        "set LAB_ACCESS_LOG=off; where a server logs as installed, compare with its production variant",
        access_log,
    ),
    (
        DoubtKind.STOLEN_TIME,
        "other guests of the host took time from this machine's cores",
        "measure again when the host is quiet, or on a machine of its own",
        stolen_time,
    ),
    (
        DoubtKind.LOAD_AVERAGE,
        "more was ready to run than the users and the cores explain: something else was at work",
        "see what else runs (`uptime`, `top`), end it, and measure again",
        load_average,
    ),
    (
        DoubtKind.OTHER_WORK,
        "others than the trial's containers used more than a tenth of the machine's cores",
        "see what else runs (`top`), end it, and measure again",
        other_work,
    ),
)
"""Kind, message, action and question of each doubt, in the order of the kinds."""


def _counted(sample: Sample, role: str, field: str) -> int:
    counts = sample.trial.network.get(role)
    return int(getattr(counts, field)) if counts else 0


def _users_by_law(sample: Sample, think_s: float) -> float | None:
    """How many users throughput and times make, None where no latency was recorded."""
    load = sample.load
    if load.latency.mean_us is None or not sample.began:
        return None
    failed_us = (load.latency_failed.mean_us or 0.0) * load.latency_failed.count
    waited_s = (load.latency.mean_us * load.latency.count + failed_us) / 1e6
    return (waited_s + sample.began * think_s) / load.window_s


def _percentiles(evidence: Evidence, percent: int) -> list[float] | None:
    """A percentile of each round, None as soon as one has too few samples for it."""
    values = [sample.percentile_us(percent) for sample in evidence.samples]
    present = [float(value) for value in values if value is not None]
    return present if len(present) == len(values) else None


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= SAME_SHARE * max(one, other)


def worker_cpu_s(sample: Sample) -> list[float]:
    """What each worker process used: the busiest of those that the proof saw, as many as it counted; [] if unknown.

    Supervisors hardly work, so that they are not among them. Where the proof saw too few of those that were sampled,
    all processes of the app are taken.
    """
    proof, usage = sample.trial.proof_before, sample.trial.usage.get("app")
    if proof is None or usage is None or proof.workers is None:
        return []
    workers = proof.workers
    if workers < 2 or len(usage.processes) < workers:
        return []
    seen = [each for each in usage.processes if each.pid in proof.processes]
    counted = seen if len(seen) >= workers else usage.processes
    return sorted((each.cpu_s for each in counted), reverse=True)[:workers]
