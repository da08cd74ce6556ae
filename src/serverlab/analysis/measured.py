"""Numbers of the cells that claims ask for, each with what speaks against leaning on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from serverlab import stats
from serverlab.analysis import costs
from serverlab.analysis.artefacts import worker_cpu_s
from serverlab.analysis.differences import reach_of
from serverlab.analysis.evidence import Evidence, Ground, Sample
from serverlab.analysis.grouping import grounds
from serverlab.analysis.suspicions import FULL_SHARE, near_ceiling, near_generator
from serverlab.formatting import percent
from serverlab.model.claims import Cell, Metric
from serverlab.model.runs import Run

MOST_ERRORS = 0.01
"""A cell in which a larger share failed or was never sent was under another load than the one it is compared with."""


@dataclass(frozen=True)
class Measured:
    """One cell of a run: its evidence, and the section that it stands in."""

    ground: Ground
    evidence: Evidence

    def by_round(self, metric: Metric) -> dict[int, float]:
        """The metric of each valid trial by round; none at all as soon as one lacks it, which may be the worst.

        Nor are there requests per second where arrivals are open: the schedule makes them.
        """
        if metric is Metric.RPS and self.evidence.load.is_open:
            return {}
        values = {each.round: self._value(each, metric) for each in self.evidence.samples}
        found = {number: value for number, value in values.items() if value is not None}
        return found if len(found) == len(values) else {}

    def held_back(self, beside: Measured | None = None) -> str:
        """What may have kept its requests per second lower than the server's, "" if nothing.

        ``beside`` is the cell that it is compared with: where only this one shared full cores with the generator, it
        could have made more.
        """
        if not self.evidence.samples:
            return ""
        if near := near_generator(self.ground, self.evidence):
            return f"the generator was busy: {near}"
        if near := near_ceiling(self.ground, self.evidence):
            return f"the generator was near its ceiling: {near}"
        if beside and self.lacked_cores and not beside.lacked_cores:
            return f"the generator took its part of cores that were {percent(self._fullest)} busy"
        return ""

    @property
    def wrong(self) -> str:
        """Why no number of it is evidence, "" if they may be."""
        samples = self.evidence.samples
        if not samples:
            reasons = [reason for trial in self.evidence.void for reason in trial.void_reasons]
            return f"no valid trial{': ' + reasons[0] if reasons else ''}"
        unserved, due = sum(each.unserved for each in samples), sum(each.due for each in samples)
        share = unserved / max(1, unserved, due)
        what = "failed or were never sent" if any(each.load.unsent for each in samples) else "failed"
        return f"{percent(share)} of its requests {what}" if share > MOST_ERRORS else ""

    def floor(self, metric: Metric) -> float | None:
        """How far a reference of its section differs from itself by the metric, on the log scale.

        0 where it was not measured twice, None where it was, but the two give no interval.
        """
        found = [
            self._from_itself(each, metric)
            for each in self.ground.reference_evidence()
            if each.name in self.ground.controls
        ]
        reaches = [each for each in found if each is not None]
        return max(reaches, default=0.0) if len(reaches) == len(found) else None

    def _from_itself(self, reference: Evidence, metric: Metric) -> float | None:
        again = Measured(self.ground, self.ground.controls[reference.name]).by_round(metric)
        first = Measured(self.ground, reference).by_round(metric)
        interval = stats.interval(stats.paired_ratios(again, first))
        return reach_of(interval) if interval else None

    @property
    def lacked_cores(self) -> bool:
        """Whether the generator ran on the stack's cores, and these had no time to spare."""
        split = self.ground.split
        return split is not None and not split.disjoint and self._fullest >= FULL_SHARE

    @property
    def _fullest(self) -> float:
        return max((self.ground.busy_share(each) for each in self.evidence.samples), default=0.0)

    def _value(self, sample: Sample, metric: Metric) -> float | None:
        if metric is Metric.BUSY_CORES:
            return self.ground.busy_share(sample) * self.ground.cpus
        return METRICS[metric](sample)


@dataclass
class Cells:
    """The cells of runs; the sections of each run are worked out once, when they are first asked for."""

    runs: tuple[Run, ...]
    _found: dict[str, dict[tuple[str, str, int], Measured]] = field(default_factory=dict)

    def run_of(self, experiment: str, database: str, cells: Iterable[Cell]) -> Run | None:
        """The newest run of the experiment that planned these cells, None if there is none.

        One with enough rounds for an interval comes before one without. What it found is not looked at: a newer run
        whose trials are VOID is not passed over for an older one.
        """
        wanted = list(cells)
        fitting = [
            run
            for run in self.runs
            if run.plan.name == experiment
            and run.environment.database == database
            and not run.plan.experiment.capacity
            and all(_planned(run, cell) for cell in wanted)
        ]
        return max(fitting, key=_age, default=None)

    def measured(self, run: Run, cell: Cell) -> Measured:
        """The cell of a run that planned it."""
        if run.name not in self._found:
            self._found[run.name] = {
                (each.target, each.workload, ground.cpus): Measured(ground, each)
                for ground in grounds(run)
                for each in ground.evidence
            }
        return self._found[run.name][cell.target, cell.workload, cell.cpus]


def changed(run: Run, cells: Iterable[Cell], today: Mapping[str, str]) -> str:
    """Why the run's workloads are not what is called so ``today`` (their descriptions), "" if they are."""
    old = [each.workload for each in cells if _description(run, each.workload) != today.get(each.workload)]
    return f"it measured {' and '.join(dict.fromkeys(old))} as defined before a change" if old else ""


def _description(run: Run, workload: str) -> str:
    return run.plan.workloads[workload].description


def _planned(run: Run, cell: Cell) -> bool:
    wanted = (cell.target, cell.workload, cell.cpus)
    return any(
        (each.target, each.workload, each.cpus) == wanted for each in run.plan.trials if not each.control
    )


def _age(run: Run) -> tuple[bool, str]:
    return run.plan.experiment.rounds >= stats.FEWEST_ROUNDS, run.environment.started_at


def _percentile_ms(percent: int) -> Callable[[Sample], float | None]:
    def found(sample: Sample) -> float | None:
        value = sample.percentile_us(percent)
        return value / 1000 if value is not None else None

    return found


def _stack_cpu_ms(sample: Sample) -> float | None:
    per_s = costs.per_cpu_s(sample)
    return 1000 / per_s if per_s else None


def _app_cores(sample: Sample) -> float | None:
    return sample.cores_used("app") if "app" in sample.trial.usage else None


def _memory_mb(sample: Sample) -> float | None:
    usage = sample.trial.usage.get("app")
    return usage.memory_peak_bytes / 1e6 if usage and usage.memory_peak_bytes else None


def _workers(sample: Sample) -> float | None:
    return sample.trial.proof_before.workers if sample.trial.proof_before else None


def _least_worker(sample: Sample) -> float | None:
    used = worker_cpu_s(sample)
    return min(used) * len(used) / sum(used) if used and sum(used) else None


METRICS: dict[Metric, Callable[[Sample], float | None]] = {
    Metric.RPS: lambda sample: sample.rps,
    Metric.P50_MS: _percentile_ms(50),
    Metric.P99_MS: _percentile_ms(99),
    Metric.CPU_MS: lambda sample: sample.cpu_ms("app"),
    Metric.STACK_CPU_MS: _stack_cpu_ms,
    Metric.MEMORY_MB: _memory_mb,
    Metric.MEMORY_GROWTH: costs.memory_growth,
    Metric.APP_CORES: _app_cores,
    Metric.QUERIES: lambda sample: sample.per_request(lambda seen: seen.queries),
    Metric.REQUEST_BYTES: lambda sample: sample.per_request(lambda seen: seen.request_bytes),
    Metric.RESPONSE_BYTES: lambda sample: sample.per_request(lambda seen: seen.response_bytes),
    Metric.WORKERS: _workers,
    Metric.LEAST_WORKER: _least_worker,
}
"""What each metric is of one valid trial; that of all roles together needs the section's budget, too."""
