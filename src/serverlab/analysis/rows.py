"""One row: a target's trials summed up over the rounds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from serverlab import stats
from serverlab.analysis import costs
from serverlab.analysis.evidence import Evidence, Ground, Sample
from serverlab.model.records import Inspection, Trial
from serverlab.model.tables import Errors, FailureCount, Row, RowState, Shown, Spread, VoidTrials

ROLES = ("app", "edge", "db", "cache", "realtime", "load")


def make_row(ground: Ground, evidence: Evidence, *, doubts: tuple[int, ...]) -> Row:
    """The row of one cell, marked with the numbers of its doubts; without a valid trial it has a reason."""
    samples = evidence.samples
    state = state_of(evidence)
    compared_with = ground.references.get(evidence.name)
    ratio, gain = ground.ratios.get(evidence.name), ground.gains.get(evidence.name)
    return Row(
        name=evidence.name,
        target=evidence.target,
        workload=evidence.workload,
        state=state,
        reference=evidence.name == compared_with,
        compared_with=compared_with,
        reason=_reason(evidence, state),
        planned=len(evidence.planned),
        valid=len(samples),
        void=_void_trials(evidence.void),
        doubts=doubts,
        rps=stats.spread([sample.rps for sample in samples]),
        ratio=ratio.spread if ratio else None,
        scaling=gain.spread if gain else None,
        **_percentiles(samples),
        max_us=_largest_us(samples),
        errors=_errors(samples),
        cpu_ms=_by_role(samples, Sample.cpu_ms),
        memory_bytes=_by_role(samples, _memory_bytes),
        per_cpu_s=_over_all(samples, costs.per_cpu_s),
        cpu_user_ms=_by_role(samples, costs.user_ms),
        cpu_system_ms=_by_role(samples, costs.system_ms),
        pss_bytes=_by_role(samples, costs.pss_bytes),
        switches=_by_role(samples, costs.switches),
        connections=_over_all(samples, costs.connections),
        ready_s=_over_all(samples, lambda sample: sample.trial.ready_s),
        image_bytes=max((each.trial.image_bytes for each in samples if each.trial.image_bytes), default=None),
        replicas=max((each.trial.replicas for each in samples), default=None),
        queries=_per_request(samples, lambda seen: seen.queries),
        request_bytes=_per_request(samples, lambda seen: seen.request_bytes),
        response_bytes=_per_request(samples, lambda seen: seen.response_bytes),
        rps_interval=stats.interval([sample.rps for sample in samples]),
        ratio_interval=ratio.interval if ratio else None,
        scaling_interval=gain.interval if gain else None,
        shown=ratio.shown if ratio else None,
        group=_group(ground, evidence),
        smallest=ratio.smallest if ratio else None,
        unsent_share=_unsent_share(samples),
        lag_us=_over_all(samples, lambda sample: sample.load.lag.p99_us if sample.load.lag else None),
        samples=_over_all(samples, lambda sample: sample.load.latency.count),
        memory_growth=_over_all(samples, costs.memory_growth),
        **_ceiling(ground, samples),
    )


def _ceiling(ground: Ground, samples: tuple[Sample, ...]) -> dict[str, Spread | None]:
    """What the generator could ask at most, and the row's share of it."""
    return {
        "ceiling_rps": _over_all(samples, ground.ceiling_rps),
        "ceiling_share": _over_all(samples, ground.ceiling_share),
    }


def state_of(evidence: Evidence) -> RowState:
    """Why the target has numbers here, or none."""
    if evidence.lacks is not None:
        return RowState.NOT_APPLICABLE
    if evidence.samples:
        return RowState.MEASURED
    return RowState.VOID if evidence.void else RowState.NOT_RUN


def _group(ground: Ground, evidence: Evidence) -> int | None:
    """The number of the row's group: that of its reference, for it and all rows that tie with it; None for others."""
    reference = ground.references.get(evidence.name)
    tied = [name for name, found in ground.ratios.items() if found.shown is Shown.TIE]
    leaders = list(dict.fromkeys(ground.references[name] for name in tied))
    if reference not in leaders or evidence.name not in (reference, *tied):
        return None
    return leaders.index(reference) + 1


def _unsent_share(samples: tuple[Sample, ...]) -> float | None:
    """Arrivals that were never sent as a share of all that were due, over all rounds; None where none were due."""
    scheduled = sum(sample.load.scheduled or 0 for sample in samples)
    return sum(sample.load.unsent or 0 for sample in samples) / scheduled if scheduled else None


def _percentiles(samples: tuple[Sample, ...]) -> dict[str, Spread | None]:
    percents = {"p50_us": 50, "p90_us": 90, "p95_us": 95, "p99_us": 99, "p999_us": 99.9}
    return {field: _percentile(samples, percent) for field, percent in percents.items()}


def _percentile(samples: tuple[Sample, ...], percent: float) -> Spread | None:
    """None as soon as one round has too few samples: leaving out only the slow rounds would flatter."""
    return _over_all(samples, lambda sample: sample.percentile_us(percent))


def _largest_us(samples: tuple[Sample, ...]) -> int | None:
    """The largest latency of all rounds, not a middle of the rounds' largest: nobody waited longer than that."""
    largest = (sample.load.latency.max_us for sample in samples)
    return max((each for each in largest if each is not None), default=None)


def _over_all(samples: tuple[Sample, ...], value: Callable[[Sample], float | None]) -> Spread | None:
    """The spread of a value that every sample has, else None."""
    values = [value(sample) for sample in samples]
    present = [each for each in values if each is not None]
    return stats.spread(present) if len(present) == len(values) else None


def _by_role(samples: tuple[Sample, ...], value: Callable[[Sample, str], float | None]) -> dict[str, Spread]:
    found = {role: _spread_for(samples, role, value) for role in ROLES}
    return {role: spread for role, spread in found.items() if spread is not None}


def _spread_for(
    samples: tuple[Sample, ...], role: str, value: Callable[[Sample, str], float | None]
) -> Spread | None:
    return _over_all(samples, lambda sample: value(sample, role))


def _per_request(samples: tuple[Sample, ...], value: Callable[[Inspection], int | None]) -> Spread | None:
    return _over_all(samples, lambda sample: sample.per_request(value))


def _memory_bytes(sample: Sample, role: str) -> float | None:
    usage = sample.trial.usage.get(role)
    return usage.memory_peak_bytes if usage else None


def _errors(samples: tuple[Sample, ...]) -> Errors | None:
    """All failures of the valid trials together, the most frequent first; None without a valid trial."""
    if not samples:
        return None
    counts: Counter[tuple[str, int | None]] = Counter()
    for sample in samples:
        for failure in sample.load.failures:
            counts[failure.kind, failure.status] += failure.count
    failed = counts.total()
    attempts = max(failed, sum(sample.began for sample in samples))
    return Errors(
        count=failed,
        share=failed / attempts if attempts else None,
        kinds=tuple(
            FailureCount(kind=kind, status=status, count=count)
            for (kind, status), count in sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
        ),
    )


def _reason(evidence: Evidence, state: RowState) -> str | None:
    match state:
        case RowState.MEASURED:
            return None
        case RowState.NOT_APPLICABLE:
            return f"it lacks the capability {evidence.lacks!r}"
        case RowState.NOT_RUN:
            return "none of its trials was run"
        case RowState.VOID:
            return "; ".join(dict.fromkeys(reason for trial in evidence.void for reason in _reasons(trial)))


def _void_trials(trials: Iterable[Trial]) -> tuple[VoidTrials, ...]:
    """The VOID rounds, those with the same reason together; a log that a reason quotes below itself stays behind."""
    rounds: dict[str, list[int]] = defaultdict(list)
    for trial in trials:
        reason = "; ".join(each.partition("\n")[0] for each in _reasons(trial))
        rounds[reason].append(trial.planned.round)
    return tuple(VoidTrials(rounds=tuple(found), reason=reason) for reason, found in rounds.items())


def _reasons(trial: Trial) -> tuple[str, ...]:
    return trial.void_reasons or ("the trial has no result of the generator and gives no reason",)
