"""What a run holds about one target, one workload and one budget, before it is summed up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from serverlab.analysis.differences import Compared, Ratios
from serverlab.model.ceilings import Ceilings
from serverlab.model.definitions import Workload
from serverlab.model.records import (
    CoreSplit,
    Environment,
    Inspection,
    Latency,
    LoadResult,
    Plan,
    PlannedTrial,
    State,
    Trial,
)
from serverlab.stats import median, paired_ratios, samples_needed

STACK_ROLES = ("app", "edge", "db", "cache", "realtime")
"""The roles that share the stack's cores."""


@dataclass(frozen=True)
class Sample:
    """One valid trial and what follows from its numbers alone."""

    trial: Trial
    load: LoadResult

    @property
    def round(self) -> int:
        """The round that the trial belongs to."""
        return self.trial.planned.round

    @property
    def rps(self) -> float:
        """Successful requests that ended within the window, per second."""
        return self.load.ok / self.load.window_s

    @property
    def speed(self) -> float | None:
        """The slower reading of the calibration loop around the load, None where there is none."""
        return min(speeds(self.trial), default=None)

    @property
    def failed(self) -> int:
        """Requests of all kinds that began within the window and failed."""
        return sum(failure.count for failure in self.load.failures)

    @property
    def due(self) -> int:
        """All requests that were due within the window; of a schedule also those that were never sent."""
        return self.load.latency.count + self.load.latency_failed.count

    @property
    def began(self) -> int:
        """All requests that began within the window, however they ended."""
        return self.due - (self.load.unsent or 0)

    @property
    def error_share(self) -> float:
        """Failed requests as a share of all that began within the window; 0 where there were none."""
        return self.failed / max(1, self.failed, self.began)

    @property
    def unserved(self) -> int:
        """Requests due within the window that failed or, of a schedule, were never sent."""
        return self.failed + (self.load.unsent or 0)

    @property
    def unserved_share(self) -> float:
        """What was not served as a share of all that was due within the window; 0 where nothing was."""
        return self.unserved / max(1, self.unserved, self.due)

    @property
    def late_share(self) -> float:
        """Requests still open at the end as a share of all that began within the window."""
        return self.load.late / max(1, self.load.late, self.began)

    def percentile_us(self, percent: float) -> int | None:
        """The 5th, 50th, 90th, 95th, 99th or 99.9th percentile, None where too few samples lie beyond it.

        Of a window with steps there is none: it would be that of a mixture which only the lengths of the steps make.
        """
        if self.load.steps or self.load.latency.count < samples_needed(percent):
            return None
        return _percentiles(self.load.latency)[percent]

    def per_request(self, value: Callable[[Inspection], int | None]) -> float | None:
        """The mean over the window's requests of what was seen of each kind before it, None if any was not seen."""
        seen = self.load.inspections or {}
        total = count = 0
        for name, latency in self.load.by_name.items():
            found = value(seen[name]) if name in seen else None
            if found is None:
                return None
            total, count = total + found * latency.count, count + latency.count
        return total / count if count else None

    def cores_used(self, *roles: str) -> float:
        """CPU time of these roles per second of the window: 1.0 is one core kept busy."""
        usages = [self.trial.usage[role] for role in roles if role in self.trial.usage]
        return sum(usage.cpu_s for usage in usages) / self.load.window_s

    def cpu_ms(self, role: str) -> float | None:
        """CPU milliseconds of the role per successful request, None if it was not read or nothing succeeded."""
        if role not in self.trial.usage or not self.load.ok:
            return None
        return self.trial.usage[role].cpu_s * 1000 / self.load.ok


@dataclass(frozen=True)
class Evidence:
    """All about one workload on one target within one section.

    ``name`` is what its row is called: the one of the two that differs between the section's rows. ``lacks`` is the
    capability that makes the cell n/a.
    """

    name: str
    target: str
    workload: str
    load: Workload
    planned: tuple[PlannedTrial, ...] = ()
    samples: tuple[Sample, ...] = ()
    void: tuple[Trial, ...] = ()
    lacks: str | None = None

    @property
    def rps_by_round(self) -> dict[int, float]:
        """Requests per second of each round that has a valid trial."""
        return {sample.round: sample.rps for sample in self.samples}

    @property
    def opened_share(self) -> float | None:
        """New connections per ended request over all rounds, None where a round does not say or nothing ended."""
        ended = sum(sample.load.ended for sample in self.samples)
        if not ended or any("opened" not in sample.load.connections for sample in self.samples):
            return None
        return sum(sample.load.connections["opened"] for sample in self.samples) / ended


@dataclass(frozen=True)
class Ground:
    """All that one section stands on: one workload on several targets, or several workloads on one target.

    What the section does not have in common, ``workload`` or ``target``, is None. ``references`` names for each row the
    one that it is compared with, itself where it is a reference; it is empty where the section holds no reference.
    ``smallest`` is the evidence at the smallest budget, by row; ``core_speed`` the median of all readings of the
    calibration loop in the run, None where there is none.

    ``ceilings`` are those of the generator that the run has measured.

    ``controls`` is the evidence of the references' second trials, by reference. What follows from all of these is in
    ``floors`` (reference against itself), ``ratios`` and ``gains``, by row; a row that has none is not in them.
    """

    plan: Plan
    environment: Environment
    workload: str | None
    target: str | None
    cpus: int
    edge: str | None
    references: dict[str, str]
    evidence: tuple[Evidence, ...]
    smallest: dict[str, Evidence]
    core_speed: float | None = None
    ceilings: Ceilings = field(default_factory=Ceilings)
    controls: dict[str, Evidence] = field(default_factory=dict)
    floors: dict[str, Compared] = field(default_factory=dict)
    ratios: dict[str, Compared] = field(default_factory=dict)
    gains: dict[str, Compared] = field(default_factory=dict)

    @property
    def load(self) -> Workload:
        """A workload of the section as it was run; users, times and think time are those of all."""
        return self.evidence[0].load

    @property
    def split(self) -> CoreSplit | None:
        """Which cores the stack and the generator ran on, None where the run does not say."""
        return self.environment.core_splits.get(str(self.cpus))

    @property
    def smallest_cpus(self) -> int:
        """The run's smallest budget, which gains by cores are taken against."""
        return min(self.plan.experiment.cpus)

    @property
    def smallest_split(self) -> CoreSplit | None:
        """``split`` at the smallest budget."""
        return self.environment.core_splits.get(str(self.smallest_cpus))

    @property
    def reference(self) -> str | None:
        """The section's only reference; None where it has several or none."""
        found = set(self.references.values())
        return found.pop() if len(found) == 1 else None

    def reference_evidence(self) -> list[Evidence]:
        """What there is about each reference of the section."""
        named = set(self.references.values())
        return [each for each in self.evidence if each.name in named]

    def compared_with(self, evidence: Evidence) -> Evidence | None:
        """The reference of a row, itself where it is one, None where the section holds none for it."""
        wanted = self.references.get(evidence.name)
        return next((each for each in self.evidence if each.name == wanted), None)

    def ratios_by_row(self) -> dict[str, Ratios]:
        """Requests per second relative to the row's reference, round by round; a reference is not in it."""
        found = {
            each.name: paired_ratios(each.rps_by_round, reference.rps_by_round)
            for each in self.evidence
            if (reference := self.compared_with(each)) is not None and reference is not each
        }
        return {name: ratios for name, ratios in found.items() if ratios}

    def ratios_of_controls(self) -> dict[str, Ratios]:
        """Requests per second of each reference's second trials relative to its first, round by round."""
        found = {
            reference.name: paired_ratios(self.controls[reference.name].rps_by_round, reference.rps_by_round)
            for reference in self.reference_evidence()
            if reference.name in self.controls
        }
        return {name: ratios for name, ratios in found.items() if ratios}

    def gains_by_row(self) -> dict[str, Ratios]:
        """Requests per second relative to the same row with the smallest budget; nothing at that budget."""
        if self.cpus == self.smallest_cpus:
            return {}
        found = {
            each.name: paired_ratios(each.rps_by_round, self.smallest[each.name].rps_by_round)
            for each in self.evidence
        }
        return {name: ratios for name, ratios in found.items() if ratios}

    def ceiling_rps(self, sample: Sample) -> float | None:
        """What the generator could ask at most, set up as for the sample; None where that was not measured."""
        found = self.ceilings.of(sample.trial.setup)
        return found.rps if found else None

    def ceiling_share(self, sample: Sample) -> float | None:
        """The sample's requests per second as a share of what the generator could ask at most."""
        most = self.ceiling_rps(sample)
        return sample.rps / most if most else None

    def busy_share(self, sample: Sample) -> float:
        """How busy the budget's cores were: app, edge, database, and the generator where it shares them."""
        roles = STACK_ROLES if self.split is None or self.split.disjoint else (*STACK_ROLES, "load")
        return sample.cores_used(*roles) / self.cpus


def collect(cell: Evidence, trials: Sequence[Trial]) -> Evidence:
    """The cell with its trials, sorted by round into valid and VOID ones."""
    ordered = sorted(trials, key=lambda trial: trial.planned.round)
    samples = [Sample(trial, trial.load) for trial in ordered if is_valid(trial) and trial.load is not None]
    return replace(
        cell,
        samples=tuple(samples),
        void=tuple(trial for trial in ordered if not is_valid(trial)),
    )


def is_valid(trial: Trial) -> bool:
    """Whether the trial's numbers may be used: it is measured and its window has a length."""
    return trial.state is State.MEASURED and trial.load is not None and trial.load.window_s > 0


def speeds(trial: Trial) -> tuple[float, ...]:
    """The trial's readings of the calibration loop, in million turns per CPU second."""
    return tuple(speed for speed in (trial.speed_before, trial.speed_after) if speed is not None)


def middle_speed(trials: Iterable[Trial]) -> float | None:
    """The median of all readings of the calibration loop, None where there is none."""
    readings = [speed for trial in trials for speed in speeds(trial)]
    return median(readings) if readings else None


def _percentiles(latency: Latency) -> dict[float, int | None]:
    return {
        5: latency.p05_us,
        50: latency.p50_us,
        90: latency.p90_us,
        95: latency.p95_us,
        99: latency.p99_us,
        99.9: latency.p999_us,
    }
